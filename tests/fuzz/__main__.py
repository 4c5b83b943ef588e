"""`python -m tests.fuzz --cases 1000000 --seed 7`, or `--seconds 60`; `--target NAME --input HEX` is one case again."""

import argparse
import secrets
import time

from tests.fuzz import run


def main() -> int:
    """Run, print the count of each target and every failure; status 1 if there is one."""
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz")
    asked.add_argument("--cases", type=int, default=1_000_000)
    asked.add_argument("--seconds", type=float, default=0.0, help="run for so long instead")
    asked.add_argument("--seed", type=int)
    asked.add_argument("--target", choices=[fuzzed.name for fuzzed in run.TARGETS])
    asked.add_argument("--input", help="one input in hex, '-' for none")
    given = asked.parse_args()
    if given.target and given.input is not None:
        once = next(fuzzed for fuzzed in run.TARGETS if fuzzed.name == given.target)
        once.check(bytes.fromhex(given.input.removeprefix("-")))
        print(f"fuzz: {given.target} stands it")
        return 0
    seed = secrets.randbits(32) if given.seed is None else given.seed
    print(f"fuzz: seed {seed}", flush=True)
    began = time.monotonic()
    counts, failures = run.run(
        seed=seed, cases=given.cases, seconds=given.seconds, told=lambda said: print(said, flush=True)
    )
    for name, count in counts.items():
        print(f"  {name:24} {count:9,}")
    print(
        f"fuzz: {sum(counts.values())} cases in {time.monotonic() - began:.0f} s, {len(failures)} failures, seed {seed}"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
