"""An answer on its way to the agent: the same in whatever pieces it comes, and nothing of a wrong one."""

import gc
import weakref

import pytest
from hypothesis import given, strategies

from tests.unit.zaum_watchdog import routed
from zaum_api import contract
from zaum_watchdog.core import echo, relaying

RULE = contract.Rule
SEARCHED = echo.Searched.of(routed.SECRET)
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def relay(data: bytes, cuts: list[int], *, searched: echo.Searched | None = SEARCHED) -> tuple[bytes, bool, object]:
    """Give what the agent gets, whether it is complete, and the rule that ended it."""
    passing, out, at = relaying.Relaying("GET", searched), b"", 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        passed = passing.feed(data[at:cut], keep=True)
        out, at = out + passed.data, cut
        if passed.done or passed.rule:
            return out, passed.done, passed.rule
    return out, False, None


CUTS = strategies.lists(strategies.integers(0, 120), max_size=6)


@given(CUTS)
def test_an_answer_arrives_whole(cuts: list[int]) -> None:
    assert relay(b"HTTP/1.1 102 Wait\r\n\r\n" * relaying.INTERIM_MAX + SIZED, cuts)[0].endswith(
        b"content-length: 5\r\n\r\nhello"
    )
    out, done, rule = relay(CHUNKED, cuts)
    assert (out.startswith(b"HTTP/1.1 200 OK\r\n"), out.endswith(b"0\r\n\r\n"), done, rule) == (True, True, True, None)


WRONG = [
    (SIZED.replace(b"OK\r\n", b"OK\r\nX-Echo: " + routed.SECRET + b"\r\n"), RULE.ROUTE_ECHO),
    (b"HTTP/1.1 103 Early Hints\r\nLink: " + routed.SECRET + b"\r\n\r\n" + SIZED, RULE.ROUTE_ECHO),
    (b"HTTP/1.1 200 OK\r\n\r\nbefore " + routed.SECRET, RULE.ROUTE_ECHO),
    (CHUNKED.replace(b"5\r\n", b"5;x\r\n"), RULE.UPSTREAM_MALFORMED),
    (SIZED.replace(b"OK\r\n", b"OK\r\nContent-Encoding: gzip\r\n"), RULE.UPSTREAM_MALFORMED),
    (b"<html>", RULE.UPSTREAM_MALFORMED),
    (SIZED.replace(b"Content-Length: 5", b"Content-Length: -5"), RULE.UPSTREAM_MALFORMED),
    (b"HTTP/1.1 102 Wait\r\n\r\n" * (relaying.INTERIM_MAX + 1) + SIZED, RULE.UPSTREAM_MALFORMED),
]


@pytest.mark.parametrize(("data", "rule"), WRONG)
@given(cuts=CUTS)
def test_a_wrong_answer_ends_with_its_rule_however_it_is_cut(data: bytes, rule: contract.Rule, cuts: list[int]) -> None:
    out, done, ended = relay(data, cuts)
    assert (done, ended) == (False, rule)
    assert routed.SECRET[:4] not in out


def test_without_a_credential_nothing_is_searched_and_coding_is_no_matter() -> None:
    for data, _ in (WRONG[0], WRONG[4]):
        assert relay(data, [], searched=None)[1:] == (True, None)


def test_only_an_answer_that_ends_so_ends_with_its_connection() -> None:
    passing = relaying.Relaying("GET", SEARCHED)
    silent = passing.silent
    assert passing.ended(clean=True) is None
    passing.feed(b"HTTP/1.1 200 OK\r\n\r\nhello sk-", keep=True)
    assert (silent, passing.silent) == (True, False)
    assert passing.ended(clean=False) is None
    last = passing.ended(clean=True)
    assert last is not None
    assert (last.data, last.done, passing.down) == (b"3\r\nsk-\r\n0\r\n\r\n", True, 9)


class Shouting:
    """Changes content, a few bytes of it in one call."""

    def __init__(self) -> None:
        self._waits = b""
        self.denied = ""

    @property
    def behind(self) -> bool:
        return bool(self._waits)

    def feed(self, piece: bytes) -> bytes:
        self._waits += piece
        taken, self._waits = self._waits[:3], self._waits[3:]
        self.denied = "it swears" if b"$" in taken else ""
        return taken.upper()

    def end(self) -> bytes:
        return b"!"


def shouted(raw: bytes, cuts: list[int], *, close: bool = False) -> tuple[bytes, bytes, contract.Rule | None]:
    """Give what the agent gets of an answer that is changed, what was seen of it, and the rule that ended it."""
    going = relaying.Relaying("GET", None, relaying.Dress(lambda: [b"x-more: 1"], lambda _: Shouting()))
    out, seen, at = b"", b"", 0
    passed = relaying.Passed()
    pieces = []
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(raw)}), len(raw)]:
        pieces.append(raw[at:cut])
        at = cut
    while pieces or passed.behind:
        passed = going.feed(b"" if passed.behind else pieces.pop(0), keep=True)
        out, seen = out + passed.data, seen + b"".join(passed.content)
        if passed.rule is not None or passed.done:
            return out, seen, passed.rule
    assert close
    last = going.ended(clean=True)
    assert last is not None
    return out + last.data, seen, last.rule


@given(strategies.lists(strategies.integers(0, 90), max_size=6))
def test_what_changes_content_gets_all_of_it_and_its_end(cuts: list[int]) -> None:
    for framing, close in ((b"Content-Length: 11\r\n", False), (b"", True)):
        raw = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\nhello world"
        out, seen, rule = shouted(raw, cuts, close=close)
        head, _, body = out.partition(b"\r\n\r\n")
        assert b"x-more: 1" in head
        assert b"transfer-encoding: chunked" in head
        parts, at = [], 0
        while body[at:] != b"0\r\n\r\n":
            size, _, rest = body[at:].partition(b"\r\n")
            parts.append(rest[: int(size, 16)])
            at += len(size) + 2 + int(size, 16) + 2
        assert (b"".join(parts), seen, rule) == (b"HELLO WORLD!", b"hello world", None)


def test_of_content_that_may_not_pass_nothing_more_does() -> None:
    out, _, rule = shouted(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello $$$", [])
    assert rule is contract.Rule.REDACTED
    assert b"$" not in out


def test_what_would_have_to_be_changed_is_not_passed_on_compressed() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"
    assert shouted(raw, [])[2] is contract.Rule.UPSTREAM_MALFORMED


class Owner:
    """Who is asked for lines, and has what asks him."""

    def __init__(self) -> None:
        self.relaying = relaying.Relaying("GET", None, relaying.Dress(self.lines))

    def lines(self) -> list[bytes]:
        return []


@pytest.mark.parametrize("closed", [True, False])
def test_who_is_asked_no_more_is_forgotten_without_a_search_for_cycles(closed: bool) -> None:
    gc.collect()
    gc.disable()
    try:
        owner = Owner()
        seen = weakref.ref(owner)
        if closed:
            owner.relaying.close()
        del owner
        assert (seen() is None) is closed
    finally:
        gc.enable()
