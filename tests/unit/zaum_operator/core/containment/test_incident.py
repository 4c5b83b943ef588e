"""Incidents as anybody may write them, what they hold, and what an Incident's status says next."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support import containing, scenes
from tests.support.scenes import GUARD, dead, made, pod, true
from tests.support.world import START
from zaum_api import contract, documents, incidents
from zaum_operator.core import keys, kinds, pods
from zaum_operator.core.containment import course, held, incident, making, pauses, record, scene, standing
from zaum_operator.core.containment.incident import Condition, Ref
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Contact

KEY = Key("agents", "researcher")
ODD: list[Any] = [None, 3, "x", [], {}, {"name": 3}, {"name": ""}]


@pytest.mark.parametrize("reference", ODD)
def test_an_incident_of_no_readable_policy_holds_nothing_and_is_nobodys(reference: Any) -> None:
    odd = scenes.body(policyRef=reference)
    assert incident.read(odd) is None
    assert keys.of_incident(odd) == ()
    assert keys.of_incident({"metadata": {"namespace": "agents"}, "spec": None}) == ()


@pytest.mark.parametrize("part", ["pod", "evidence", "release", "observedAt", "action", "reason"])
@pytest.mark.parametrize("value", [None, 3, "x", [3], {"name": None}, "2026-99-99T00:00:00Z", "2026-01-01T00:00:00"])
def test_whatever_else_cannot_be_read_leaves_it_as_strict_as_it_is(part: str, value: Any) -> None:
    odd = scenes.body()
    odd["spec"][part] = value
    found = incident.read(odd)
    assert found is not None
    assert found.quarantine
    assert found.hold is not None
    assert found.hold.whole


@pytest.mark.parametrize(
    "status", [3, [], {"conditions": "x"}, {"conditions": [3]}, {"timeline": 3, "pods": [3], "logs": 3}]
)
def test_a_status_that_cannot_be_read_is_none(status: Any) -> None:
    odd = scenes.body()
    odd["status"] = status
    found = incident.read(odd)
    assert found is not None
    assert (found.hold is not None, found.timeline, found.pods, found.logs) == (True, (), (), None)


def planned(*there: Object, now: timedelta = timedelta(seconds=3), logs: Any = None, **fields: Any) -> dict[str, Any]:
    one = scenes.body(**fields)
    gone = ["u1"]
    seen = scene.gather(made(**fields), there, sight=containing.sight([one], gone=gone), network_policies=(GUARD,))
    return record.status(seen, now=START + now, logs=logs)


NAMED: dict[str, Any] = {"pod": ("zaum-researcher-0-u1", "u1")}


def test_a_status_says_when_by_whom_and_how_long() -> None:
    status = planned(dead("u1"), **NAMED)
    assert status["durations"] == {"cut": "3.00s", "cutConfirmed": "3.00s", "dead": "3.00s", "quarantined": "3.00s"}
    assert [line["step"] for line in status["timeline"]] == ["Cut", "Killed", "RouteRemoved", "Quarantined"]
    assert {line["at"] for line in status["timeline"]} == {"2026-03-01T12:00:03.000Z"}
    assert status["phase"] == "RouteRemoved"
    assert status["pods"] == [{"name": "zaum-researcher-0-u1", "uid": "u1"}]
    assert status["images"] == ["x@sha256:1"]
    assert "logs" not in status


def test_a_second_look_adds_nothing_and_keeps_the_first_times() -> None:
    first = planned(dead("u1"), **NAMED)
    again = planned(dead("u1"), now=timedelta(seconds=60), **NAMED, status=first)
    assert again == first
    assert not record.changed(made(**NAMED, status=first), again)
    gone = planned(now=timedelta(seconds=60), **NAMED, status=first)
    assert gone["durations"] == {
        "cut": "3.00s",
        "cutConfirmed": "3.00s",
        "dead": "3.00s",
        "quarantined": "3.00s",
        "identity": "60.00s",
        "proof": "60.00s",
    }
    assert [line["step"] for line in record.news(made(**NAMED, status=first), gone)] == ["IdentityDead"]


def told(at: timedelta) -> dict[str, Any]:
    """Look at a pod that lives, and whose watchdog says through an authorizer that it had cut then."""
    one = scenes.body(**NAMED)
    sight = containing.sight([one])
    since = int((START + at).timestamp() * 1000)
    said = documents.SeenPod("u1", documents.Life.LIVE, refused=True, rung=documents.Rung.KILLED, since=since)
    (replica,) = sight.replicas
    assert replica.seen is not None
    heard = replace(sight, replicas=(replace(replica, seen=replace(replica.seen, pods=(said,))),))
    seen = scene.gather(made(**NAMED), (scenes.pod(),), sight=heard, network_policies=(GUARD,), cut=heard.cut())
    return record.status(seen, now=START + timedelta(seconds=3))


def test_i09_a_cut_counts_to_when_the_watchdog_says_and_is_claimed_when_that_was_heard() -> None:
    status = told(timedelta(milliseconds=40))
    (line,) = status["timeline"]
    assert (line["step"], line["at"]) == ("Cut", "2026-03-01T12:00:03.000Z")
    assert line["observedAt"] == "2026-03-01T12:00:00.040Z"
    assert status["durations"] == {"cut": "0.04s", "cutConfirmed": "3.00s"}


def test_i09_a_moment_that_has_not_come_yet_is_nobodys_word() -> None:
    status = told(timedelta(seconds=4))
    assert "observedAt" not in status["timeline"][0]
    assert status["durations"] == {"cut": "3.00s", "cutConfirmed": "3.00s"}


def test_a_timeline_that_is_full_keeps_its_beginning_and_its_end() -> None:
    line = {"step": "Cut", "at": "2026-03-01T12:00:00Z", "confirmedBy": "x"}
    full = [dict(line) for _ in range(incidents.TIMELINE_MAX)]
    status = planned(dead("u1"), **NAMED, status={"timeline": full})
    assert len(status["timeline"]) == incidents.TIMELINE_MAX
    assert status["timeline"][-1]["step"] == "Quarantined"


def test_a_kill_is_closed_by_its_last_step_and_a_quarantine_is_not() -> None:
    kill = planned(**NAMED, action="Kill")
    assert (kill["phase"], record_of(kill, "Closed")) == ("Closed", ("True", "Contained"))
    assert kill["durations"]["proof"] == "3.00s"
    whole = planned(**NAMED)
    assert (whole["phase"], record_of(whole, "Closed")) == ("Contained", ("False", "Open"))


def record_of(status: dict[str, Any], kind: str) -> tuple[str, str]:
    return next((item["status"], item["reason"]) for item in status["conditions"] if item["type"] == kind)


def test_logs_that_were_read_are_kept_and_stay() -> None:
    logs = {"agent": "end", "pod": "zaum-researcher-0-u1"}
    status = planned(dead("u1"), **NAMED, logs=logs)
    assert status["logs"] == logs
    assert planned(dead("u1"), **NAMED, status=status)["logs"] == logs


def test_whose_logs_are_kept() -> None:
    bodies = scene.gather(made(), [dead("u1"), dead("u2"), pod("u3")]).bodies
    named = made(pod=("zaum-researcher-0-u2", "u2"))
    living = made(pod=("zaum-researcher-0-u3", "u3"))
    wanted = [course.wants_logs(item, bodies) for item in (made(), named, living, made(status={"logs": {"agent": ""}}))]
    assert [body.ref.uid if body else None for body in wanted] == ["u1", "u2", None, None]
    assert course.wants_logs(made(status=true("Closed")), bodies) is None


@pytest.mark.parametrize(
    ("body", "status", "step"),
    [
        (pod(), {}, "Merge"),
        (pod(terminating=True), {}, "Merge"),
        (pod(cut=True), {}, None),
        (pod(cut=True, node=""), {}, "Delete"),
        (pod(cut=True, node="", terminating=True), {}, None),
        (dead(), {}, None),
        (dead(), {"logs": {"agent": ""}}, None),
        (dead(), {"pods": [{"name": "zaum-researcher-0-u1", "uid": "u1"}]}, None),
        (dead(), {"pods": [{"name": "zaum-researcher-0-u1", "uid": "u1"}], "logs": {"agent": ""}}, "Delete"),
        (
            dead(terminating=True),
            {"pods": [{"name": "zaum-researcher-0-u1", "uid": "u1"}], "logs": {"agent": ""}},
            None,
        ),
        (dead(), {"pods": [{"name": f"p{n}", "uid": f"{n}"} for n in range(100)], "logs": {"agent": ""}}, "Delete"),
    ],
)
def test_what_is_done_next_to_a_contained_pod(body: Object, status: dict[str, Any], step: str | None) -> None:
    item = made(status=status)
    seen = scene.gather(item, [body]).bodies
    found = list(course.actions_of(held.of([item]), seen, namespace="agents"))
    assert [type(action).__name__ for _, action in found] == ([step] if step else [])
    assert list(course.actions_of(held.NOTHING, seen, namespace="agents")) == []
    kept = list(course.actions_of(held.of([item]), seen, namespace="agents", keep=True))
    assert [
        action
        for _, action in kept
        if step == "Delete" and "phase" in body["status"] and body["status"]["phase"] == "Failed"
    ] == []


def test_what_is_held_and_what_may_not_be_deleted() -> None:
    kill = made("k", action="Kill", pod=("zaum-researcher-1-0000a", "u1"))
    seen = held.of([kill, made("c", status=true("Closed"))], owed=[Ref("zaum-researcher-2-0000b", "u2")])
    assert (seen.whole, seen.ordinals) == (None, frozenset({1, 2}))
    assert [seen.stays(Ref("x", uid)) for uid in ("u1", "u3")] == [True, False]
    assert seen.stays(Ref("zaum-researcher-2-0000b", "u2"))
    assert held.ordinal_of("foreign") is None
    missing = [
        made(pod=("p", "u1"), status={"pods": [{"name": "q"}]}),
        made(pod=("r", "u9"), status=true("IdentityDead")),
    ]
    assert held.missing(missing, []) == (Ref("p", "u1"), Ref("q"))
    assert held.missing(missing, [{"metadata": {"name": "q", "uid": "u1"}}]) == ()
    assert held.is_one({"metadata": {"name": "q", "uid": "other"}}, [Ref("q")])
    assert not held.is_one({"metadata": {"name": "p", "uid": "other"}}, [Ref("p", "u1")])


def owed(
    body: Object, *, known: tuple[incident.Incident, ...] = (), contact: bool = False, ledger: bool = True
) -> tuple[making.Owed, ...]:
    seen = pods.read(body)
    contacts = {seen.uid: Contact("identity.tokenMissing", int(START.timestamp()))} if contact else {}
    return making.owed(KEY, [replace(seen, contacted=contact)], known, contacts=contacts, ledger=ledger, now=START)


def test_an_unknown_word_is_a_verdict_and_no_word_is_none() -> None:
    (found,) = owed(pod(word="RunawayOfTomorrow"), ledger=False)
    assert (found.reason, found.due) == ("WatchdogVerdict", START)
    made_ = making.render(KEY, found, incidents.Action.KILL)
    assert {"name": "word", "value": "RunawayOfTomorrow"} in made_["spec"]["evidence"]["facts"]
    assert owed(pod(word="AgentUnhealthy")) == ()
    assert owed(pod()) == ()


def test_what_somebody_has_reported_is_not_reported_again() -> None:
    name = incidents.name("agents", "researcher", "u1")
    assert owed(pod(word="RunawayCPU"), known=(made(name),)) == ()
    assert owed(pod(word="RunawayCPU"), known=(made("by-hand", pod=("p", "u1")),)) == ()
    (found,) = owed(pod(word="RunawayCPU"), known=(made("other", pod=("p", "u7")),))
    assert found.due == START + making.GRACE


@pytest.mark.parametrize("word", sorted(breach.value for breach in contract.BLAMELESS))
def test_an_end_for_which_nobody_blames_the_agent_makes_no_incident(word: str) -> None:
    assert owed(pod(word=word)) == ()
    assert len(owed(pod(word="RunawayCPU"))) == 1, "the control"
    assert len(owed(pod(word=word), contact=True)) == 1, "what is seen besides is another matter"


def test_contact_is_reported_at_once_and_only_of_a_pod_that_lives_or_that_we_ended() -> None:
    (found,) = owed(pod(), contact=True)
    assert (found.reason, found.due) == (contract.Breach.GATEWAY_CONTACT.value, START)
    assert len(owed(dead(), contact=True)) == 1
    assert owed(pod(runs=False, phase="Failed"), contact=True) == ()


def test_a_pause_is_remembered_by_the_closed_incidents_of_the_last_hour() -> None:
    def closed(name: str, minutes: int, **more: Any) -> incident.Incident:
        at = f"{START - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
        return made(
            name,
            action="Kill",
            pod=("zaum-researcher-0-0000a", name),
            status=true("Killed", "Closed", *more.pop("also", ()), at=at),
            **more,
        )

    every = (
        closed("a", 2),
        closed("b", 1, reason="WatchdogRestarted"),
        closed("c", 90),
        closed("d", 3, also=("Released",)),
        closed("e", 4),
    )
    (ghost,) = pauses.ghosts(every, [], template="t", now=START)
    assert (ghost.ordinal, ghost.failures, ghost.template, ghost.watchdog_restarts) == (0, 1, "t", 1)
    there = [replace(pods.read(pod()), ordinal=0)]
    assert pauses.ghosts(every, there, template="t", now=START) == ()


def test_what_the_policy_says_of_it() -> None:
    assert standing.document(held.NOTHING) is None
    whole, kill = made("w", created="2026-03-01T13:00:00Z"), made("k", action="Kill", pod=("p", "u"))
    document = standing.document(held.of([kill, whole]))
    assert document is not None
    assert document["incident"] == "w"
    assert standing.unconfirmed(kill) == ("Cut", "Killed", "RouteRemoved", "IdentityDead")
    assert whole.since(Condition.CUT) is None
    assert kinds.INCIDENT.api_version == contract.API_VERSION
