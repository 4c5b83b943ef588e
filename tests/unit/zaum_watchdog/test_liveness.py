"""When the agent is asked, and what its answers add up to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_watchdog.core import liveness, usage, verdict

SECOND = liveness.SECOND
CONFIG = documents.Liveness(documents.LivenessKind.HTTP, 8080, "/healthz", 30, 10, 1, 3)
PAUSE = {(1, 5): usage.Process(0, 0)}
AGENT = PAUSE | {(7, 9): usage.Process(0, 0)}


def look(at: int, table: usage.Table) -> usage.Look:
    return usage.Look(at, table, len(table))


def test_the_first_check_waits_for_the_agents_first_process_and_its_delay() -> None:
    health = liveness.looked(liveness.Health(), CONFIG, look(0, {}))
    health = liveness.looked(health, CONFIG, look(5 * SECOND, PAUSE))
    assert not liveness.is_due(health, 10**18)
    health = liveness.looked(health, CONFIG, look(100 * SECOND, AGENT))
    assert not liveness.is_due(health, 130 * SECOND - 1)
    assert liveness.is_due(health, 130 * SECOND)


def test_a_later_look_does_not_put_the_first_check_off() -> None:
    health = liveness.looked(liveness.Health(), CONFIG, look(0, AGENT))
    assert liveness.looked(health, CONFIG, look(20 * SECOND, AGENT)) == health
    assert liveness.looked(health, CONFIG, look(20 * SECOND, {})) == health


def test_checks_begin_a_period_apart() -> None:
    health = liveness.asked(liveness.looked(liveness.Health(), CONFIG, look(0, AGENT)), CONFIG, 40 * SECOND)
    assert not liveness.is_due(health, 50 * SECOND - 1)
    assert liveness.is_due(health, 50 * SECOND)


@given(st.lists(st.booleans()), st.integers(1, 5))
def test_only_as_many_failures_in_a_row_as_the_threshold_fail_the_probe(answers: list[bool], threshold: int) -> None:
    config = documents.Liveness(documents.LivenessKind.TCP, 1, "", 0, 1, 1, threshold)
    health = liveness.Health(since=0)
    for number, well in enumerate(answers):
        health = liveness.answered(health, well=well)
        row = answers[: number + 1]
        assert health.failing(config) is (len(row) >= threshold and not any(row[-threshold:]))
        assert not health.failing(None)


def test_another_check_starts_over_and_reckons_from_the_agents_start() -> None:
    health = liveness.Health(since=100 * SECOND, due=500 * SECOND, failures=7)
    assert liveness.begin(health, CONFIG) == liveness.Health(since=100 * SECOND, due=130 * SECOND)
    assert liveness.begin(health, None) == liveness.Health(since=100 * SECOND)
    assert liveness.begin(liveness.Health(failures=1), CONFIG) == liveness.Health()


def test_a_check_that_comes_after_the_agents_start_is_due_at_once() -> None:
    health = liveness.looked(liveness.Health(), None, look(0, AGENT))
    assert liveness.is_due(liveness.begin(health, CONFIG), 31 * SECOND)


def test_the_request_is_one_plain_get() -> None:
    assert liveness.request(CONFIG) == (
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: zaum-watchdog\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r", None),
        (b"HTTP/1.1 200 OK\r\n", ""),
        (b"HTTP/1.0 301 \r\nLocation: http://elsewhere.example/\r\n", ""),
        (b"HTTP/1.1 204\n", ""),
        (b"HTTP/1.1 404 Not Found\r\n", "it answers with status 404"),
        (b"HTTP/1.1 199 \r\n", "it answers with status 199"),
        (b"HTTP/1.1 400 \r\n", "it answers with status 400"),
        (b"HTTP/0.9 200 OK\r\n", "what it answers is not HTTP/1.1"),
        (b" HTTP/1.1 200 OK\r\n", "what it answers is not HTTP/1.1"),
        (b"x" * (liveness.LINE_MAX - 1), None),
        (b"x" * liveness.LINE_MAX, "no status line within 1024 bytes"),
        (b"HTTP/1.1 200 " + b"x" * 2000 + b"\r\n", "no status line within 1024 bytes"),
    ],
)
def test_an_answer_is_judged_by_its_first_line(data: bytes, problem: str | None) -> None:
    assert liveness.judge(data) == problem


@given(st.binary(max_size=2000))
def test_garbage_is_never_well(data: bytes) -> None:
    assert liveness.judge(data) != "" or data.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))


def test_a_breach_beats_the_health_check() -> None:
    for breach in contract.Breach:
        latched, _ = verdict.on_breach(verdict.Verdict(), breach)
        assert latched.probe(unhealthy=True) == (contract.BREACH_STATUS[breach], breach.value)
    assert verdict.Verdict().probe(unhealthy=True) == (contract.UNHEALTHY_STATUS, contract.UNHEALTHY)
    assert verdict.Verdict().probe(unhealthy=False) == (200, "OK")
