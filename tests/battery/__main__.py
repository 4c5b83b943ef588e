"""Run the battery: `python -m tests.battery [--groups 1,2] [--sample] [--strict]`, on the cluster that is up.

Exit code 1 where anything got through, a control failed, or somebody else than expected stopped an attempt; with
--strict also where lines wait for a part of the product.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.battery import lines, table
from tests.battery.play import Play
from tests.cluster.images import loading
from tests.support.e2e import install
from tests.support.e2e.api import Api


def main() -> int:
    """Install the chart unless told that it is there, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.battery", description=__doc__)
    parser.add_argument("--groups", type=_groups, default=tuple(lines.GROUPS), help="numbers, comma-separated")
    parser.add_argument("--sample", action="store_true", help="one variant of each line")
    parser.add_argument("--strict", action="store_true", help="fail where lines are pending")
    arguments = parser.parse_args()
    if os.environ.get("CLUSTER", "local") != "local":
        print("battery: needs the local cluster, whose network has no way out", file=sys.stderr)
        return 2
    api, images = Api(), loading.image_refs()
    if os.environ.get(install.INSTALLED):
        install.found(api)
    else:
        install.install(api, images)
    with tempfile.TemporaryDirectory(prefix="battery-") as folder:
        play = Play(api, images["demo-agent"], arguments.groups, sampled=arguments.sample)
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
