"""A request's body on its way up: the same in whatever pieces it comes, and nothing of a wrong one."""

import pytest
from hypothesis import given, strategies

from tests.unit.zaum_watchdog import routed
from zaum_api import contract
from zaum_watchdog.core import asking, routes

CUTS = strategies.lists(strategies.integers(0, 40), max_size=6)


def begun(*lines: str) -> asking.Asking:
    """Begin the body of a request with these header lines."""
    route = routes.Route.of(routed.route(), "routes[0]")
    return asking.Asking(routes.Asked(route, routed.understood(routed.raw(*lines)), "/chat/completions"))


def passed(going: asking.Asking, data: bytes, cuts: list[int]) -> tuple[bytes, bytes, contract.Rule | None]:
    """Give what the upstream gets, what is behind the body, and the rule that ended it."""
    out, at = b"", 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        piece = going.feed(data[at:cut])
        out, at = out + piece.data, cut
        if piece.refused is not None:
            return out, b"", piece.refused.rule
        if piece.done:
            return out, piece.rest + data[at:], None
    return out, b"", None


@given(CUTS)
def test_a_body_goes_up_as_it_is_framed_and_what_is_behind_it_does_not(cuts: list[int]) -> None:
    sized = begun("Content-Length: 5")
    assert passed(sized, b"helloGET /", cuts) == (b"hello", b"GET /", None)
    assert (sized.done, sized.up) == (True, 5)
    chunked = begun("Transfer-Encoding: chunked")
    out, rest, rule = passed(chunked, b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\nGET /", cuts)
    assert (out.endswith(b"0\r\n\r\n"), b"X-Sum" in out, rest, rule) == (True, False, b"GET /", None)
    assert (chunked.done, chunked.up) == (True, 5)


def test_a_request_without_a_body_is_complete_at_once() -> None:
    going = begun()
    assert going.feed(b"") == asking.Passed(done=True)
    assert going.done


@pytest.mark.parametrize("data", [b"5;x=y\r\nhello\r\n", b"05\r\nhello\r\n", b"5\r\nhelloX\r\n", b"5\nhello"])
def test_of_a_piece_that_is_wrong_nothing_goes_up(data: bytes) -> None:
    going = begun("Transfer-Encoding: chunked")
    piece = going.feed(b"1\r\na\r\n" + data)
    assert piece.refused is not None
    assert (piece.refused.rule, piece.data, going.done) == (contract.Rule.REQUEST_MALFORMED, b"", False)


def test_chunks_add_up_to_the_cap_and_not_past_it() -> None:
    going = begun("Transfer-Encoding: chunked")
    head = b"%x\r\n" % routes.BODY_MAX
    fits = going.feed(head + b"a" * routes.BODY_MAX + b"\r\n")
    assert (fits.refused, going.up) == (None, routes.BODY_MAX)
    piece = going.feed(b"1\r\na\r\n")
    assert piece.refused is not None
    assert (piece.refused.rule, piece.data) == (contract.Rule.REQUEST_TOO_LARGE, b"")


def digest(body: bytes, cuts: list[int], *, length: str = "", path: str = "/chat/completions") -> bytes:
    """Give what tells a request from others, whose body came in these pieces."""
    route = routes.Route.of(routed.route(), "routes[0]")
    line = length or f"Content-Length: {len(body)}"
    going = asking.Asking(routes.Asked(route, routed.understood(routed.raw(line)), path))
    assert passed(going, body, cuts)[2] is None
    return going.digest


@given(CUTS, CUTS)
def test_the_same_request_is_the_same_however_it_comes(cuts: list[int], others: list[int]) -> None:
    assert digest(b"hello", cuts) == digest(b"hello", others)
    chunked = digest(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", cuts, length="Transfer-Encoding: chunked")
    assert chunked == digest(b"hello", others)


def test_another_content_or_path_is_another_request() -> None:
    assert len({digest(b"hello", []), digest(b"hellp", []), digest(b"hello", [], path="/chat"), digest(b"", [])}) == 4
