"""Run all scenarios over one crowd, inside the node's namespace: `python -m bench.scale.one SIZE FOLDER`."""

import dataclasses
import json
import sys
from pathlib import Path

from bench.scale.rig import Rig, key
from bench.scale.scenarios import Run
from tests.cluster import cluster


def main() -> int:
    """Run, and write the outcomes into the folder."""
    size, folder = int(sys.argv[1]), Path(sys.argv[2])
    cluster.assert_sealed()
    rig = Rig(folder)
    try:
        outcomes = Run(rig, [key(number) for number in range(size)]).all()
    finally:
        rig.close()
    text = json.dumps([dataclasses.asdict(outcome) for outcome in outcomes], indent=1)
    (folder / "outcomes.json").write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
