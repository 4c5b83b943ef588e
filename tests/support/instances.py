"""Run verbs of tests.cluster on an instance of its own, whatever cluster the caller uses."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_CALLERS: Final = frozenset({"CLUSTER", "KUBECONFIG"})


def run(instance: str, *words: str, seconds: float, prefix: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    """Run a verb within `seconds`, and give how it ended; `prefix`: the words of what leads to its namespaces."""
    environment = {name: value for name, value in os.environ.items() if name not in _CALLERS}
    environment |= {"ZAUM_INSTANCE": instance, "ZAUM_STORE": "json"}
    command = [*prefix, sys.executable, "-m", "tests.cluster", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=seconds
    )
