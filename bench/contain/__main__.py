"""Measure the containment: `python -m bench.contain`, on the local cluster with all parts in pods.

COUNT agents (50) breach, a fifth of so many are contained by `zaum contain` with a person's kubeconfig beside that, and
now and then one is throttled first. Each runs in its own pod, talks to the world a hundred times a second, which is
the control, and is then denied more requests than its policy allows: the first breach is a quarantine, or a kill alone.
Every other one is deaf: told to end (SIGTERM), it does not, and the kubelet gives it two seconds at least, from when it
has looked at its containers anew, once a second. Such ends are a line of their own; the last line is of all.

Six agents are brought up, two at a time, and wait, asking three times a second for their orders. They are contained
strictly one after another: the next one begins to talk when everything of the one before is proven, pods start only
between the rounds, and a round begins when the one before has been cleared away. So none disturbs another's times.

- begun: the watchdog's verdict, by its own log or by `spec.observedAt`, whichever is earlier; by hand the start of the
  command.
- cut: the last byte that the world heard of the agent.
- dead: the end of the agent's process, by the kernel (pidfd_open(2)): `finishedAt` is a whole second, and only has to
  agree with that.
- quarantined, identity dead, proof: as the Incident claims them (`status.timeline`); proof is the last step.
- throttled: the first request that the watchdog refuses by the rate that is left, and the world then hears no more.

Every claim is held against these records, the end of the pod's object by the API server's audit log, and what the API
server shows the moment that a quarantine is claimed. A claim that is earlier than what it claims fails the run, as does
an aim that is missed. Raw numbers go to the cache.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
COUNT: Final = 50
MOST: Final = 1000


def cache() -> Path:
    """Give the folder for raw numbers."""
    return Path(os.environ.get("ZAUM_CACHE") or Path.home() / ".cache" / "zaum").expanduser() / "bench" / "contain"


def count(wanted: str) -> int:
    """Read how many breaches there are to be; ValueError."""
    breaches = int(wanted or COUNT)
    if not 1 <= breaches <= MOST:
        raise ValueError(f"COUNT must be from 1 to {MOST}, is {breaches}")
    return breaches


def main() -> int:
    """Bring the cluster up, load the images of this tree, and measure inside."""
    try:
        breaches = count(os.environ.get("COUNT", ""))
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if os.environ.get("CLUSTER", "local") != "local":
        print("bench: the world's and the kernel's records are needed: unset CLUSTER and KUBECONFIG", file=sys.stderr)
        return 2
    inside = ["bench.contain.run", str(breaches), str(cache())]
    for words in (["tests.cluster", "up"], ["tests.cluster.images", "build"], ["tests.cluster.images", "load"]):
        subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "tests.cluster", "exec", "--", sys.executable, "-m", *inside]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
