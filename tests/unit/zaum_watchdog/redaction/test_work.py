"""One call does a bounded amount of work, whatever is in the body."""

import pytest

from tests.redaction import bodies
from zaum_watchdog.core.redaction import redactor, searching


def test_a_call_takes_a_slice_and_says_that_there_is_more(prefilter: searching.Prefilter) -> None:
    one = bodies.Run(prefilter).redactor
    out = one.feed(b"a " * redactor.SLICE)
    assert len(out) <= redactor.SLICE
    turns = 0
    while one.behind:
        out += one.feed(b"")
        turns += 1
    assert turns == 1
    assert out + one.end() == b"a " * redactor.SLICE


@pytest.mark.parametrize(
    ("unit", "calls"),
    [
        (b"the quick brown fox\n", 4),
        (b"\\n", 16),
        (b"+49 170 1234567, (212) 555-0123\n", 8),
        (b"bob@example.com\n", 16),
    ],
)
def test_what_takes_long_to_read_makes_a_slice_shorter(prefilter: searching.Prefilter, unit: bytes, calls: int) -> None:
    one = bodies.Run(prefilter).redactor
    one.feed(unit * (4 * redactor.SLICE // len(unit)))
    turns = 1
    while one.behind:
        one.feed(b"")
        turns += 1
    assert turns == calls


def test_the_end_takes_what_is_behind_too(prefilter: searching.Prefilter) -> None:
    one = bodies.Run(prefilter, bodies.MASKING).redactor
    body = b"bob@example.com " * 5000
    assert one.feed(body) + one.end() == b"******** " * 5000
    assert one.end() == b""
