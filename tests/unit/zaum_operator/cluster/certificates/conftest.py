from pathlib import Path

import pytest

from tests.unit.zaum_operator.cluster.certificates.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)
