"""A node that no longer answers, on an API server of its own, with Kubernetes' own controllers."""

import sys
from pathlib import Path

import pytest

from bench import operator as bench


def test_i02_no_second_pod_until_a_lost_node_is_written_off_or_known_to_be_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(bench.INSTANCE, "lostnode")
    bench.cluster("down")
    bench.cluster("up", "--light")
    try:
        bench.cluster("exec", "--", sys.executable, "-m", "tests.support.lostnode", str(tmp_path))
    finally:
        bench.cluster("down")
