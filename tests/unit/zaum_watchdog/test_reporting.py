"""When a report is due, and how an answer to it is read."""

import dataclasses

import pytest

from zaum_api import contract, documents
from zaum_watchdog.core import gateway_answer, reporting
from zaum_watchdog.core.reporting import SECOND, Pace

REPORT = documents.Report("sha256:00", "", 0, (), 0, 0, 0)
BUSY = dataclasses.replace(REPORT, requests=9, denied=3, would_deny=1)
ESCAPE = documents.Escape("metadata", "169.254.169.254:80", "connected")
SENT = Pace().sent(REPORT, 0).taken()


def test_the_first_is_due_at_once_and_none_while_one_is_out() -> None:
    assert Pace().due(REPORT, 0)
    assert not Pace().sent(REPORT, 0).due(REPORT, 60 * SECOND)


def test_nothing_new_is_said_every_fifteen_seconds() -> None:
    assert not SENT.due(REPORT, 15 * SECOND - 1)
    assert SENT.due(REPORT, 15 * SECOND)


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(REPORT, config="sha256:01"),
        dataclasses.replace(REPORT, problem="is not JSON"),
        dataclasses.replace(REPORT, tested=2),
        dataclasses.replace(REPORT, escapes=(ESCAPE,)),
        dataclasses.replace(REPORT, missing=("model",)),
    ],
)
def test_a_change_of_state_is_said_within_a_second_and_never_more_often(changed: documents.Report) -> None:
    assert not SENT.due(changed, SECOND - 1)
    assert SENT.due(changed, SECOND)


def contained(rung: documents.Rung, *, would_kill: int = 0) -> documents.Report:
    return dataclasses.replace(REPORT, contained=documents.Contained(rung, "RunawayCPU", would_kill, 7))


def test_i09_a_step_on_the_ladder_is_said_at_once() -> None:
    free = Pace().sent(contained(documents.Rung.FREE), 0).taken()
    assert free.due(contained(documents.Rung.KILLED), 1)
    assert not free.due(contained(documents.Rung.FREE, would_kill=1), SECOND)
    assert not Pace().sent(contained(documents.Rung.FREE), 0).due(contained(documents.Rung.KILLED), 1), "one is out"


def test_counters_alone_wait_for_the_period() -> None:
    assert not SENT.due(BUSY, 15 * SECOND - 1)
    assert SENT.due(BUSY, 15 * SECOND)


def test_after_a_test_of_the_cage_one_is_due_though_nothing_has_changed() -> None:
    assert SENT.soon().due(REPORT, SECOND)
    assert not SENT.soon().sent(REPORT, SECOND).taken().due(REPORT, 2 * SECOND)


def test_what_is_asked_for_while_one_is_out_is_not_lost() -> None:
    assert Pace().sent(REPORT, 0).soon().taken().due(REPORT, SECOND)


def test_a_failure_is_repeated_ever_more_rarely_until_one_is_taken() -> None:
    pace, now, waits = Pace(), 0, []
    for _ in range(6):
        pace = pace.sent(REPORT, now).failed(now)
        assert pace.failing
        wait = next(wait for wait in range(1, 60) if pace.due(REPORT, now + wait * SECOND))
        waits.append(wait)
        now += wait * SECOND
    assert waits == [1, 2, 4, 8, 15, 15]
    assert not pace.sent(REPORT, now).taken().failing


def test_the_request_is_whole_and_carries_the_token_and_nothing_else() -> None:
    head, _, body = reporting.request(REPORT, b"Proxy-Authorization: Bearer t\r\n").partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/report HTTP/1.1"
    assert b"Proxy-Authorization: Bearer t" in lines
    assert b"Host: gateway.zaum.dev" in lines
    assert b"Content-Length: %d" % len(body) in lines
    assert documents.Report.parse(body) == REPORT


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-len", None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", reporting.Taken()),
        (b"HTTP/1.1 204 No Content\r\n\r\n", reporting.Taken()),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{", reporting.Taken()),
        (b"nonsense\r\n\r\n", gateway_answer.BROKEN),
        (b"x" * 20_000, gateway_answer.BROKEN),
        (
            b"HTTP/1.1 403 No\r\nx-zaum-rule: policy.gone\r\n\r\n",
            gateway_answer.Declined(403, contract.Rule.POLICY_GONE, b"", 0),
        ),
    ],
)
def test_an_answer_is_a_status_and_whatever_stands_behind_it_is_nothing(
    data: bytes, answer: reporting.Taken | gateway_answer.Declined | None
) -> None:
    assert reporting.read(data) == answer
