"""`python -m tests.limits --steps 10000000 --seed 7`: walk through failures; each is told by its seed."""

import argparse
import itertools
import secrets
import time

from tests.limits import run

STEPS = 5_000
"""Of one walk."""


def main() -> int:
    """Walk until the steps are done, print what was seen; status 1 where a limit was passed."""
    asked = argparse.ArgumentParser(prog="python -m tests.limits")
    asked.add_argument("--steps", type=int, default=1_000_000)
    asked.add_argument("--seed", type=int)
    given = asked.parse_args()
    first = secrets.randbits(31) if given.seed is None else given.seed
    print(f"limits: seed {first}", flush=True)
    began, done, failed, highest = time.monotonic(), 0, 0, dict[str, float]()
    for seed in itertools.count(first):
        if done >= given.steps:
            break
        done += STEPS
        try:
            found = run.walk(
                seed, steps=STEPS, replicas=1 + seed % 5, honest=bool(seed // 5 % 2), changes=bool(seed // 10 % 2)
            )
        except AssertionError as error:
            failed += 1
            print(f"  {error}", flush=True)
            continue
        for name, truth in found.truth.items():
            highest[name] = max(highest.get(name, 0.0), truth.highest)
    for name, most in sorted(highest.items()):
        print(f"  {name:28} used to {most:.1%}")
    print(f"limits: {done} steps in {time.monotonic() - began:.0f} s, {failed} walks failed, seed {first}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
