"""One call does a bounded amount of work, whatever is in the body."""

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


def test_escapes_make_a_slice_shorter(prefilter: searching.Prefilter) -> None:
    one = bodies.Run(prefilter).redactor
    assert len(one.feed(b"\\n" * redactor.SLICE)) <= 2 * redactor.ESCAPES
    assert one.behind


def test_the_end_takes_what_is_behind_too(prefilter: searching.Prefilter) -> None:
    one = bodies.Run(prefilter, bodies.MASKING).redactor
    body = b"bob@example.com " * 5000
    assert one.feed(body) + one.end() == b"******** " * 5000
    assert one.end() == b""
