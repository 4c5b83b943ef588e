"""Records: one JSON object per line, whatever is in the texts."""

import json

from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract
from zaum_watchdog.core import paths, records

WALL = 1_767_225_600_123_456_789
WRITER = records.Writer(namespace="agents", policy="researcher")


def test_a_decision_is_one_line_with_stable_keys() -> None:
    line = WRITER.decision(WALL, contract.Rule.ALLOWED, "api.example.com", 443, status=200, by=records.BY_WATCHDOG)
    assert line.endswith("\n")
    assert json.loads(line) == {
        "ts": "2026-01-01T00:00:00.123Z",
        "kind": "decision",
        "namespace": "agents",
        "policy": "researcher",
        "rule": "egress.allowed",
        "host": "api.example.com",
        "port": 443,
        "status": 200,
        "by": "watchdog",
    }


def test_what_only_the_mode_report_let_pass_says_so_and_by_which_rule() -> None:
    rule, by = contract.Rule.HOST_NOT_NAMED, records.BY_WATCHDOG
    line = WRITER.decision(WALL, rule, "new.example.com", 443, status=200, by=by, would_deny=True)
    found = json.loads(line)
    assert (found["rule"], found["wouldDeny"]) == ("egress.hosts", True)
    rule = contract.Rule.CONNECTIONS
    line = WRITER.routed(
        WALL, rule, "a.b", 443, status=0, by=by, route="r", method="GET", path="/", would_deny=True
    )  # fmt: skip
    assert json.loads(line)["wouldDeny"] is True
    for line in (
        WRITER.decision(WALL, rule, "a.b", 443, status=429, by=by),
        WRITER.routed(WALL, rule, "a.b", 443, status=429, by=by, route="r", method="GET", path="/"),
    ):
        assert "wouldDeny" not in line


def test_the_end_of_a_tunnel_counts_its_bytes() -> None:
    line = WRITER.closed(WALL, "api.example.com", 443, up=5, down=7, millis=9, rule=contract.Rule.LATCHED)
    found = json.loads(line)
    assert (found["bytesOut"], found["bytesIn"], found["millis"]) == (5, 7, 9)
    assert found["rule"] == "containment.latched"
    assert json.loads(WRITER.closed(WALL, "a.b", 443, up=0, down=0, millis=0, rule=None))["rule"] == ""


def test_time_goes_on_and_back() -> None:
    stamps = [json.loads(WRITER.event(wall, "x", {}))["ts"] for wall in (0, 999_999_999, 1_000_000_000, 0)]
    assert stamps == [
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.999Z",
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:00.000Z",
    ]


@given(st.text(), st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.integers()))
def test_no_text_breaks_out_of_its_line(namespace: str, kind: str, fields: dict[str, str | int]) -> None:
    taken = {"ts", "kind", "namespace", "policy"}
    fields = {key: value for key, value in fields.items() if key not in taken}
    line = records.Writer(namespace=namespace, policy="p").event(WALL, kind, fields)
    assert line.isascii()
    assert all(character.isprintable() for character in line[:-1])
    found = json.loads(line)
    assert found["kind"] == kind
    assert found["namespace"] == namespace
    assert {key: found[key] for key in fields} == fields


@given(st.text(alphabet=st.characters(max_codepoint=0x7F), max_size=40))
def test_whatever_path_is_accepted_stays_within_its_line(text: str) -> None:
    target = paths.read("/" + text)
    path = target.path if isinstance(target, paths.Target) else ""
    decision = WRITER.routed(
        WALL, contract.Rule.ALLOWED, "api.example.com", 443, status=0, by=records.BY_WATCHDOG, route="openai",
        method="POST", path=path,
    )  # fmt: skip
    found = json.loads(decision)
    assert (found["kind"], found["route"], found["method"], found["path"]) == ("decision", "openai", "POST", path)
    ended = WRITER.request(
        WALL, route="openai", method="POST", path=path, status=200, up=1, down=2, millis=3, rule=None
    )  # fmt: skip
    found = json.loads(ended)
    assert (found["kind"], found["path"], found["bytesOut"], found["bytesIn"]) == ("request", path, 1, 2)
    assert (found["status"], found["millis"], found["rule"]) == (200, 3, "")


def test_a_long_path_is_cut_in_its_record() -> None:
    line = WRITER.request(
        WALL, route="a", method="GET", path="/" + "x" * 9999, status=0, up=0, down=0, millis=0, rule=None
    )
    assert len(json.loads(line)["path"]) == records.PATH_MAX


def test_a_call_of_a_model_says_what_was_reserved_and_charged() -> None:
    said = records.called(
        'm"1', output=7, reserved_tokens=100, tokens=20, reserved_cost=9, cost=2, doubt="no usage was said"
    )
    assert json.loads("{" + said[1:] + "}") == {
        "model": 'm"1', "maxOutput": 7, "reservedTokens": 100, "tokens": 20, "reservedCost": 9, "cost": 2,
        "doubt": "no usage was said",
    }  # fmt: skip


def test_what_was_redacted_is_counted_by_class_and_not_repeated() -> None:
    assert records.redacted({}, {}) == ""
    said = records.redacted({"email": 2}, {"card": 1})
    assert json.loads("{" + said[1:] + "}") == {"redacted": {"request": {"email": 2}, "response": {"card": 1}}}
