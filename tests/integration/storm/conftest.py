"""A control plane of their own for storms, whatever cluster the caller uses."""

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support import instances

INSTANCE = "stormlet"
SECONDS = 300
"""A bound, not an aim: each storm takes less than a minute."""
Run = Callable[..., str]


def run(*words: str, check: bool = True) -> str:
    """Run a verb of tests.cluster on the storms' own instance; give what it printed."""
    done = instances.run(INSTANCE, *words, seconds=SECONDS)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def stormed() -> Iterator[Run]:
    """Give what runs a module there: its name, then its words."""
    run("down", check=False)
    run("up", "--light")
    try:
        yield lambda module, *words: run("exec", "--", sys.executable, "-m", module, *words)
    finally:
        run("down", check=False)
