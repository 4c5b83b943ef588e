"""The command line: python -m tests.chaos.loop --faults 200 --seed 7, in the namespace of a light instance."""

import argparse
import random
import sys

from tests.chaos.loop import run
from tests.cluster import instance


def main() -> int:
    """Run once; exit 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.loop", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="how many kills, 3 to 2000")
    parser.add_argument("--seed", type=int, default=None, help="which plan; drawn and printed when left out")
    parser.add_argument("--minutes", type=float, default=60.0, help="strike no more after so long, and judge")
    given = parser.parse_args()
    if not instance.NAME or not instance.STORED_AS_JSON:
        parser.error("set ZAUM_INSTANCE and ZAUM_STORE=json: `make chaos-contain` does")
    if not 3 <= given.faults <= 2000:
        parser.error("--faults must be 3 to 2000")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    run.say(f"chaos-contain: {given.faults} kills, seed {seed}")
    report = run.run(faults=given.faults, seed=seed, minutes=given.minutes)
    for failure in report.failures():
        run.say(failure)
    killed = ", ".join(f"{part} {count}" for part, count in sorted(report.killed.items()))
    claims = ", ".join(f"{step} {count}" for step, count in sorted(report.claims.items()))
    run.say(f"killed: {killed}; claimed: {claims}; the ledger heard of {report.heard} breaches")
    run.say(
        f"judged {report.revisions} revisions and {report.voices} answers of authorizers in {report.seconds:.0f} s; "
        f"{report.raced} pods were under way when their Incident came"
    )
    run.say(report.line())
    return 1 if report.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
