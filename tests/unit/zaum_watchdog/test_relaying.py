"""An answer on its way to the agent: the same in whatever pieces it comes, and nothing of a wrong one."""

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
