from pathlib import Path

import pytest

from tests.support.certificates import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)
