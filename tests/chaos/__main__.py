"""The command line: python -m tests.chaos --faults 200 --seed 7, in the namespace of a light instance."""

import argparse
import random
import sys

from tests.chaos import run
from tests.cluster import instance


def main() -> int:
    """Run one storm; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many faults, 1 to 2000")
    parser.add_argument("--seed", type=int, default=None, help="which storm; drawn and printed when left out")
    given = parser.parse_args()
    if not instance.NAME or not instance.STORED_AS_JSON:
        parser.error("set ZAUM_INSTANCE and ZAUM_STORE=json: `make chaos` does")
    if not 1 <= given.faults <= 2000:
        parser.error("--faults must be 1 to 2000")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    run.say(f"chaos: {given.faults} faults, seed {seed}")
    report = run.run(faults=given.faults, seed=seed)
    for failure in report.failures():
        run.say(failure)
    run.say(
        f"judged {report.revisions} revisions with {report.pods} pods; {len(report.sentences)} moments of weakness; "
        f"{report.writes} writes and {report.events} events of the operator; settled {report.converged_seconds:.1f} s "
        f"after the storm; {report.refused} of our requests refused; "
        f"{report.calm_seconds:.0f} of {report.took_seconds:.0f} s were calm"
    )
    for note in report.unwell:
        run.say(f"ended by its liveness probe: {note}")
    run.say(report.line())
    return 1 if report.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
