"""Run the battery: `python -m tests.battery [--groups 1,2] [--sample] [--strict]`, on the cluster that is up.

Or what a neighbour feels of an attacker: `--neighbours [cpu,forks] [--rounds 10]`, see `tests.battery.neighbours`.

Exit code 1 where anything got through, a control failed, or somebody else than expected stopped an attempt, or where a
neighbour feels more than it may; with --strict also where lines wait for a part of the product.
"""

import argparse
import os
import sys
import tempfile
import uuid
from pathlib import Path

from tests.battery import lines, neighbours, table
from tests.battery.play import Play
from tests.battery.pods import Pods
from tests.cluster import cluster
from tests.cluster.images import loading
from tests.support.e2e import install
from tests.support.e2e.api import Api


def main() -> int:
    """Install the chart unless told that it is there, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.battery", description=__doc__)
    parser.add_argument("--groups", type=_groups, default=tuple(lines.GROUPS), help="numbers, comma-separated")
    parser.add_argument("--sample", action="store_true", help="one variant of each line")
    parser.add_argument("--only", default="", help="of groups 15 to 18: lines that have this text in their name")
    parser.add_argument("--strict", action="store_true", help="fail where lines are pending")
    attacks = ",".join(neighbours.ATTACKS)
    parser.add_argument("--neighbours", nargs="?", const=attacks, help=f"what a neighbour feels: of {attacks}, or some")
    parser.add_argument("--rounds", type=int, default=neighbours.ROUNDS, help="of attacker and spinner")
    arguments = parser.parse_args()
    if os.environ.get("CLUSTER", "local") != "local":
        print("battery: needs the local cluster, whose network has no way out", file=sys.stderr)
        return 2
    api, images = Api(), loading.image_refs()
    if os.environ.get(install.INSTALLED):
        install.found(api)
    else:
        install.install(api, images)
    if arguments.neighbours:
        authority = (cluster.world_state() / "ca.crt").read_text()
        pods = Pods(api, images["demo-agent"], authority, uuid.uuid4().hex[:6])
        names = arguments.neighbours.split(",")
        return int(not neighbours.run(pods, names, arguments.rounds, lambda line: print(line, flush=True)))
    with tempfile.TemporaryDirectory(prefix="battery-") as folder:
        play = Play(api, images["demo-agent"], arguments.groups, sampled=arguments.sample, only=arguments.only)
        result = play.run(Path(folder))
    for line in table.lines(result):
        print(line)
    return int(result.fails(strict=arguments.strict))


def _groups(text: str) -> tuple[int, ...]:
    chosen = tuple(int(part) for part in text.split(","))
    if not set(chosen) <= lines.GROUPS.keys():
        raise argparse.ArgumentTypeError(f"groups are {', '.join(map(str, lines.GROUPS))}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
