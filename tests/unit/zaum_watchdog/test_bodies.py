"""Bodies: the content, the end, and nothing else."""

import pytest
from hypothesis import given, strategies

from zaum_watchdog.core import bodies


def drained(body: bodies.Body, data: bytes, cuts: list[int]) -> tuple[bytes, bool, bytes, str]:
    """Feed the data in pieces; give content, whether it is complete, what is behind it, and the problem."""
    content = b""
    at = 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        taken = body.feed(data[at:cut])
        content += b"".join(taken.pieces)
        at = cut
        if taken.done or taken.problem:
            return content, taken.done, (taken.rest + data[at:] if taken.done else b""), taken.problem
    return content, False, b"", ""


CUTS = strategies.lists(strategies.integers(0, 200), max_size=8)


@given(data=strategies.binary(max_size=60), length=strategies.integers(0, 60), cuts=CUTS)
def test_a_sized_body_ends_at_its_size(data: bytes, length: int, cuts: list[int]) -> None:
    content, done, rest, _ = drained(bodies.Sized(length), data, cuts)
    assert (content, done) == (data[:length], len(data) >= length)
    if done:
        assert rest == data[length:]


def test_a_body_that_ends_with_its_connection_never_ends_by_itself() -> None:
    assert drained(bodies.UntilClose(), b"0\r\n\r\n", [1, 3]) == (b"0\r\n\r\n", False, b"", "")


@given(
    pieces=strategies.lists(strategies.binary(max_size=40), max_size=6), rest=strategies.binary(max_size=9), cuts=CUTS
)
def test_chunks_give_their_content_back_in_whatever_pieces_they_come(
    pieces: list[bytes], rest: bytes, cuts: list[int]
) -> None:
    data = bodies.chunk(pieces) + bodies.LAST_CHUNK + rest
    assert drained(bodies.Chunked(), data, cuts) == (b"".join(pieces), True, rest, "")


@pytest.mark.parametrize("trailer", [b"X-Sum: 1\r\n", b"A: b\r\nC: d\r\n"])
def test_trailers_are_read_and_dropped(trailer: bytes) -> None:
    data = b"1\r\na\r\n0\r\n" + trailer + b"\r\nnext"
    for cut in range(len(data)):
        assert drained(bodies.Chunked(), data, [cut]) == (b"a", True, b"next", "")


def test_each_chunk_stays_a_chunk() -> None:
    taken = bodies.Chunked().feed(b"2\r\nab\r\n1\r\nc\r\n")
    assert taken.pieces == [b"ab", b"c"]
    assert bodies.chunk([b"ab", b"", b"c"]) == b"2\r\nab\r\n1\r\nc\r\n"


def test_many_chunks_are_taken_in_turns() -> None:
    body, content, turns = bodies.Chunked(), b"", 0
    data = b"1\r\nx\r\n" * 1000 + bodies.LAST_CHUNK + b"next"
    while True:
        taken = body.feed(data)
        assert len(taken.pieces) <= bodies.CHUNKS_AT_ONCE
        content += b"".join(taken.pieces)
        turns += 1
        if taken.done:
            break
        data = taken.later
    assert (content, taken.rest, turns) == (b"x" * 1000, b"next", 4)


WRONG = {
    "an extension": b"1;a=b\r\nx\r\n0\r\n\r\n",
    "an extension without a name": b"1;\r\nx\r\n0\r\n\r\n",
    "negative": b"-1\r\nx\r\n0\r\n\r\n",
    "a sign": b"+1\r\nx\r\n0\r\n\r\n",
    "0x": b"0x1\r\nx\r\n0\r\n\r\n",
    "a leading zero": b"01\r\nx\r\n0\r\n\r\n",
    "many zeros": b"00\r\n\r\n",
    "nine digits": b"100000000\r\nx",
    "seventeen digits": b"10000000000000001\r\nx",
    "a space": b"1 \r\nx\r\n0\r\n\r\n",
    "a space before": b" 1\r\nx\r\n0\r\n\r\n",
    "a tab": b"1\t\r\nx\r\n",
    "no size": b"\r\nx\r\n0\r\n\r\n",
    "no hex": b"g\r\nx\r\n0\r\n\r\n",
    "an underscore": b"1_0\r\n",
    "LF behind the size": b"1\nx\r\n0\r\n\r\n",
    "CR behind the size": b"1\rx",
    "LF behind the content": b"1\r\nx\n0\r\n\r\n",
    "nothing behind the content": b"1\r\nx0\r\n\r\n",
    "more content than said": b"1\r\nxy\r\n0\r\n\r\n",
    "LF at the end": b"0\r\n\n",
    "a trailer that is none": b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "a folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "a NUL in a trailer": b"0\r\nA: \0\r\n\r\n",
    "a trailer without end": b"0\r\nA: " + b"b" * bodies.TRAILER_MAX,
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_is_no_chunk_ends_the_body_with_a_problem(data: bytes) -> None:
    content, done, _, problem = drained(bodies.Chunked(), data, [])
    assert problem
    assert not done
    assert content in {b"", b"x"}


@given(
    data=strategies.one_of(
        strategies.sampled_from([*WRONG.values()]),
        strategies.text(alphabet="01;aA\r\n \0-", max_size=30).map(str.encode),
    ),
    cuts=CUTS,
)
def test_the_verdict_on_chunks_does_not_depend_on_the_pieces_in_which_they_came(data: bytes, cuts: list[int]) -> None:
    assert drained(bodies.Chunked(), data, cuts)[:2] == drained(bodies.Chunked(), data, [])[:2]
    assert bool(drained(bodies.Chunked(), data, cuts)[3]) == bool(drained(bodies.Chunked(), data, [])[3])
