"""What a person sends to contain a policy, and what is shown of Incidents."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from zaum_api import contract, incidents
from zaum_api.v1alpha1 import incident as incident_api
from zaum_cli.core import columns, containing, incident_pages

NOW = datetime(2026, 11, 23, 5, 10, tzinfo=UTC)


def incident(
    name: str = "a-0000000001", *true: str, action: str = "Quarantine", at: str = "2026-11-23T05:00:00Z", **status: Any
) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "agents", "name": name, "creationTimestamp": at},
        "spec": {
            "policyRef": {"name": "a"},
            "reason": "RunawayCPU",
            "action": action,
            "reporter": "Ledger",
            "pod": {"name": "zaum-a-0-abcde"},
            "evidence": {"summary": "95 % for 2m"},
        },
        "status": {"conditions": [{"type": kind, "status": "True"} for kind in true], **status},
    }


def test_what_is_sent_is_a_good_incident_that_two_who_ask_at_once_make_once() -> None:
    body = containing.quarantine("agents", "a", user="jane", reason="It mailed everybody.", before=2)
    incident_api.Incident.model_validate(body)
    assert body["metadata"]["name"] == incidents.name("agents", "a", "manual/2")
    assert body == containing.quarantine("agents", "a", user="jane", reason="It mailed everybody.", before=2)
    assert body["spec"]["requestedBy"] == "jane"
    assert body["spec"]["evidence"]["summary"] == "It mailed everybody."
    incident_api.Incident.model_validate(containing.quarantine("agents", "a", user="jane", reason="", before=0))


def test_a_release_is_said_under_the_own_name() -> None:
    assert containing.release(user="jane", reason="mended") == {"spec": {"release": {"by": "jane", "reason": "mended"}}}


def test_what_stands_is_the_oldest_open_quarantine() -> None:
    closed = incident("a-1", incidents.Condition.CLOSED, at="2026-11-20T05:00:00Z")
    kill = incident("a-2", action="Kill", at="2026-11-21T05:00:00Z")
    raised = incident("a-3", action="Kill", at="2026-11-22T05:00:00Z") | {"status": {"action": "Quarantine"}}
    assert containing.standing([incident(), kill, closed]) == incident()
    assert containing.standing([incident(), raised]) == raised
    assert containing.standing([kill, closed]) is None


def test_what_somebody_releases_stands_no_more_although_its_pods_still_die() -> None:
    going = incident("a-1", at="2026-11-20T05:00:00Z")
    going["spec"]["release"] = {"by": "jane", "reason": "mended"}
    assert containing.standing([going]) is None
    assert containing.standing([going, incident()]) == incident()


def test_about_a_policy_is_by_its_whole_name() -> None:
    other = incident() | {"spec": {"policyRef": {"name": "aa"}}}
    assert containing.about([incident(), other, {"metadata": {}}], "a") == [incident()]


def test_open_ones_come_first_and_the_newest_of_each() -> None:
    closed = incident("a-1", incidents.Condition.CLOSED, at="2026-11-23T05:09:00Z")
    old, new = incident("a-2", at="2026-11-20T05:00:00Z"), incident("a-3", at="2026-11-22T05:00:00Z")
    assert incident_pages.ordered([closed, old, new]) == [new, old, closed]


def test_the_table_reads_like_a_report() -> None:
    lasted = {"cut": "0.21s", "dead": "2.90s", "quarantined": "2.95s", "proof": "9.01s"}
    done = incident("a-1", *incidents.STEPS, durations=lasted)
    head, line = incident_pages.table([done], NOW, wide=True).splitlines()
    assert head.split() == [
        "NAMESPACE", "NAME", "POLICY", "REASON", "ACTION", "PHASE", "AGE",
        "REPORTER", "CUT", "DEAD", "QUARANTINED", "PROOF", "SUMMARY",
    ]  # fmt: skip
    assert line.split()[:12] == [
        "agents", "a-1", "a", "RunawayCPU", "Quarantine", "Contained", "10m", "Ledger", *lasted.values(),
    ]  # fmt: skip
    assert line.endswith("95 % for 2m")
    short = incident_pages.table([done], NOW).splitlines()[0].split()
    assert short == ["NAMESPACE", "NAME", "POLICY", "REASON", "ACTION", "PHASE", "AGE"]


def test_a_time_that_nobody_has_told_is_no_zero() -> None:
    assert incident_pages.table([incident()], NOW, wide=True).splitlines()[1].split()[8:12] == ["-"] * 4


def test_the_steps_say_what_is_confirmed_and_what_is_not() -> None:
    cut = incident("a-1", incidents.Condition.CUT, durations={"cut": "0.21s"})
    assert incident_pages.steps(cut) == (
        "Cut 0.21s; not confirmed yet: Killed, RouteRemoved, IdentityDead, Quarantined"
    )
    assert incident_pages.steps(incident("a-1", *incidents.STEPS[:-1], action="Kill")) == (
        "Cut, Killed, RouteRemoved, IdentityDead; all is confirmed"
    )


def test_the_json_says_whether_it_is_open() -> None:
    (one, two) = json.loads(incident_pages.write_json([incident(), incident("a-2", incidents.Condition.CLOSED)]))
    assert (one["open"], one["phase"], two["open"], two["phase"]) == (True, "Open", False, "Closed")
    assert one["spec"]["reason"] == "RunawayCPU"


@pytest.mark.parametrize("bad", ["\x1b[31m", "a\nb", "\u202eabc", "\u200b", "\x00", "\x9b"])
def test_no_text_moves_the_cursor_or_hides(bad: str) -> None:
    found = incident()
    found["spec"]["evidence"]["summary"] = bad
    found["spec"]["reason"] = bad
    table = incident_pages.table([found], NOW, wide=True)
    assert len(table.splitlines()) == 2
    assert all(letter.isprintable() for letter in table.replace("\n", ""))


@pytest.mark.parametrize(
    ("since", "age"),
    [
        ("2026-11-23T05:09:59Z", "1s"),
        ("2026-11-23T05:08:01Z", "119s"),
        ("2026-11-23T05:08:00Z", "2m"),
        ("2026-11-23T03:10:00Z", "2h"),
        ("2026-11-21T05:10:00Z", "2d"),
        ("2026-11-23T06:00:00Z", "0s"),
        ("yesterday", "-"),
        (None, "-"),
        ("2026-11-23T05:09:59", "-"),
    ],
)
def test_an_age_is_short(since: object, age: str) -> None:
    assert columns.age(NOW, since) == age


def test_an_object_that_says_little_is_shown() -> None:
    bare = {"metadata": {"namespace": "agents", "name": "x"}}
    assert incident_pages.table([bare], NOW, wide=True)
    assert contract.KIND_INCIDENT == "Incident"
