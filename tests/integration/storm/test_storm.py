"""A small storm, on a control plane of its own: what `make chaos` does at full size."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
INSTANCE = "stormlet"
FAULTS, SEED = 12, 1442
"""Of a seed whose storm has a bit of everything: an operator killed, others beside, edits, bad specs, bad answers."""
SECONDS = 300
"""A bound, not an aim: it takes less than a minute."""


def run(*words: str, check: bool = True) -> str:
    """Run a verb of tests.cluster on the storm's own instance, whatever cluster the caller uses."""
    own = {"ZAUM_INSTANCE": INSTANCE, "ZAUM_STORE": "json"}
    environment = {name: value for name, value in os.environ.items() if name not in {"CLUSTER", "KUBECONFIG"}} | own
    command = [sys.executable, "-m", "tests.cluster", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_small_storm_leaves_what_a_calm_run_leaves_and_never_weakens_anything() -> None:
    run("down", check=False)
    run("up", "--light")
    try:
        said = run("exec", "--", sys.executable, "-m", "tests.chaos", "--faults", str(FAULTS), "--seed", str(SEED))
    finally:
        run("down", check=False)
    last = said.strip().splitlines()[-1]
    print(last)
    good = rf"chaos: {FAULTS} faults, seed {SEED}, final state identical, 0 moments weaker, slowest restore [0-9.]+ s"
    assert re.fullmatch(good, last), said
