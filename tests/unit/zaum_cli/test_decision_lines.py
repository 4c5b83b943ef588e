"""The lines of a watchdog's log, as the command line reads them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract
from zaum_cli.core import decisions
from zaum_cli.core.decisions import Decision, Verdict
from zaum_watchdog.core import records

WALL = 1_767_225_600_123_000_000
AT = "2026-01-01T00:00:00.123Z"
WRITER = records.Writer(namespace="agents", policy="researcher")
BY = records.BY_WATCHDOG
RULE = contract.Rule


def tunnel(rule: contract.Rule, *, would_deny: bool = False) -> str:
    return WRITER.decision(WALL, rule, "api.example.com", 443, status=200, by=BY, would_deny=would_deny)


@pytest.mark.parametrize(
    ("line", "verdict", "rule"),
    [
        (tunnel(RULE.ALLOWED), Verdict.ALLOWED, "egress.allowed"),
        (tunnel(RULE.HOST_NOT_NAMED), Verdict.DENIED, "egress.hosts"),
        (tunnel(RULE.HOST_NOT_NAMED, would_deny=True), Verdict.WOULD_DENY, "egress.hosts"),
    ],
)
def test_a_tunnels_decision_is_read_as_the_watchdog_wrote_it(line: str, verdict: Verdict, rule: str) -> None:
    assert decisions.read(line) == Decision(AT, verdict, rule, "api.example.com", 443)


def test_a_routes_decision_is_read_as_the_watchdog_wrote_it() -> None:
    line = WRITER.routed(
        WALL, RULE.ALLOWED, "api.example.com", 443, status=0, by=BY, route="model", method="POST", path="/v1/chat"
    )
    found = decisions.read(line)
    assert found is not None
    assert (found.route, found.method, found.path) == ("model", "POST", "/v1/chat")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '"decision"',
        "{}",
        WRITER.event(WALL, "config", {"digest": "sha256:00"}),
        WRITER.closed(WALL, "api.example.com", 443, up=1, down=1, millis=1, rule=None),
    ],
)
def test_what_is_no_decision_is_left_out(line: str) -> None:
    assert decisions.read(line) is None


@pytest.mark.parametrize(
    "change",
    [
        {"host": "10.0.0.1"},
        {"host": "evil\u001b[2J.example.com"},
        {"host": "a b"},
        {"host": 7},
        {"port": 0},
        {"port": True},
        {"port": "443"},
        {"port": 70_000},
    ],
)
def test_no_odd_host_or_port_is_taken_from_a_log(change: dict[str, Any]) -> None:
    found = decisions.read(json.dumps(json.loads(tunnel(RULE.ALLOWED)) | change))
    assert found is not None
    assert not (found.host and found.port)


@given(
    st.dictionaries(st.sampled_from(["ts", "rule", "host", "port", "route", "method", "path"]), st.text() | st.none())
)
def test_whatever_stands_in_a_log_no_control_character_is_repeated(fields: dict[str, Any]) -> None:
    found = decisions.read(json.dumps(fields | {"kind": "decision"}))
    assert found is not None
    for text in (found.at, found.rule, found.host, found.route, found.method, found.path):
        assert text.isascii()
        assert not text or text.isprintable()
