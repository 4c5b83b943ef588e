import pytest

from zaum_watchdog.core.redaction import searching
from zaum_watchdog.shell import prefilter as library


@pytest.fixture(scope="session")
def prefilter() -> searching.Prefilter:
    return library.load()
