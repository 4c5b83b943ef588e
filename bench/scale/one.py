"""Run all scenarios over one crowd, inside the node's namespace: `python -m bench.scale.one SIZE FOLDER`."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from bench.scale import priority, report, scenarios
from bench.scale.rig import Rig, key
from tests.cluster import cluster


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    result = argparse.ArgumentParser(prog="python -m bench.scale.one", description=__doc__)
    result.add_argument("size", type=int)
    result.add_argument("folder", type=Path)
    result.add_argument("--drip-seconds", type=float, default=scenarios.DRIP_SECONDS)
    result.add_argument("--only", nargs="*", choices=report.ORDER, default=report.ORDER)
    return result


def main() -> int:
    """Run, and write the outcomes into the folder."""
    arguments = parser().parse_args()
    cluster.assert_sealed()
    priority.raise_all()
    rig = Rig(arguments.folder)
    keys = [key(number) for number in range(arguments.size)]
    run = scenarios.Run(rig, keys, drip_seconds=arguments.drip_seconds)
    try:
        run.all(arguments.only)
    finally:
        rig.close()
        text = json.dumps([dataclasses.asdict(outcome) for outcome in run.outcomes], indent=1)
        (arguments.folder / "outcomes.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
