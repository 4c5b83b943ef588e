import pathlib

import pytest

from tests.support.world import World


@pytest.fixture
def world(tmp_path: pathlib.Path) -> World:
    return World(tmp_path / "ca.crt")
