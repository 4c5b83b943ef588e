"""What meters calls of models is loaded with the first policy that needs it, and in small parts."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import importlib, sys
from zaum_watchdog import __main__
from zaum_watchdog.shell import routes

def ours():
    return {name for name in sys.modules if name.startswith("zaum_")}

print("at first:", *[part for part in routes.PARTS if f"zaum_watchdog.{part}" in sys.modules])
for part in routes.PARTS:
    before = ours()
    importlib.import_module(f"zaum_watchdog.{part}")
    print(part, len(ours() - before))
"""


def told() -> list[str]:
    paths = os.pathsep.join(str(ROOT / part) for part in ("crds", "sandbox"))
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(
        command, check=True, env={"PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()


def test_nothing_that_reads_calls_is_loaded_without_a_policy_that_needs_it() -> None:
    first, *parts = told()
    assert first == "at first:"
    # Each part brings itself, and at most two small ones.
    assert {line.rpartition(" ")[2] for line in parts} <= {"1", "2", "3"}, parts
