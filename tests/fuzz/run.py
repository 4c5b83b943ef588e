"""Run cases: mostly mutated ones, some drawn by Hypothesis, the same for the same seed."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import hypothesis

from tests.fuzz import hello, messages, mutation, names, signed, target

TARGETS: Final = (*names.TARGETS, hello.TARGET, *messages.TARGETS, *signed.TARGETS)
DRAWN: Final = 50
"""One case of so many is drawn: Hypothesis takes longer for one, and finds what has structure."""
BATCH: Final = 500
_QUIET: Final = hypothesis.settings(
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    suppress_health_check=list(hypothesis.HealthCheck),
)


@dataclass(frozen=True)
class Failure:
    """An input that shows a defect, as small as it was found, and what it raised."""

    target: str
    data: bytes
    error: BaseException

    def __str__(self) -> str:
        return (
            f"{self.target}: {type(self.error).__name__}: {self.error}\n  input {self.data!r}\n"
            f"  again: python -m tests.fuzz --target '{self.target}' --input {self.data.hex() or '-'}"
        )


def batch(fuzzed: target.Target, *, seed: int, number: int, count: int) -> tuple[int, Failure | None]:
    """Run `count` cases, the same ones for the same seed and number; give how many were run, and the first failure."""
    dice = random.Random(f"{seed} {fuzzed.name} {number}")
    drawn = min(count, max(1, count // DRAWN))
    for done in range(count - drawn):
        data = mutation.mutated(dice, fuzzed)
        try:
            fuzzed.check(data)
        except Exception as error:  # noqa: BLE001
            return done + 1, Failure(fuzzed.name, data, error)
    done, failure = _hypothesis(fuzzed, dice.getrandbits(32), drawn)
    return count - drawn + done, failure


def _hypothesis(fuzzed: target.Target, seed: int, count: int) -> tuple[int, Failure | None]:
    seen: list[bytes] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(_QUIET, max_examples=count)
    @hypothesis.given(fuzzed.drawn)
    def run(data: bytes) -> None:
        seen.append(data)
        fuzzed.check(data)

    try:
        run()
    except Exception as error:  # noqa: BLE001
        # The last one run is the smallest one that was found.
        return len(seen), Failure(fuzzed.name, seen[-1], error)
    return len(seen), None


def run(
    *, seed: int, cases: int, seconds: float = 0.0, told: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, int], list[Failure]]:
    """Run so many cases, or for so long (then `cases` counts nothing); give the count of each target, and failures.

    A target that failed is left alone from then on.
    """
    counts = {fuzzed.name: 0 for fuzzed in TARGETS}
    failures: list[Failure] = []
    end = time.monotonic() + seconds if seconds else None
    for number, fuzzed in _turns(end, cases, counts):
        if any(failure.target == fuzzed.name for failure in failures):
            continue
        left = BATCH if end else min(BATCH, cases - sum(counts.values()))
        done, failure = batch(fuzzed, seed=seed, number=number, count=left)
        counts[fuzzed.name] += done
        if failure is not None:
            failures.append(failure)
            told(str(failure))
        if len(failures) == len(TARGETS):
            break
    return counts, failures


def _turns(end: float | None, cases: int, counts: dict[str, int]) -> Iterator[tuple[int, target.Target]]:
    number = 0
    while True:
        for fuzzed in TARGETS:
            if (end is not None and time.monotonic() >= end) or (end is None and sum(counts.values()) >= cases):
                return
            yield number, fuzzed
        number += 1
