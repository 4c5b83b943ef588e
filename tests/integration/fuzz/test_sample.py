"""A minute of `make fuzz`, with another seed each time; a failure prints its input and how to run it again."""

import secrets

from tests.fuzz import run

SECONDS = 60.0


def test_a_minute_of_odd_bytes_finds_nothing() -> None:
    seed = secrets.randbits(32)
    counts, failures = run.run(seed=seed, cases=0, seconds=SECONDS)
    assert not failures, f"seed {seed}\n" + "\n".join(str(failure) for failure in failures)
    assert all(counts.values()), counts
