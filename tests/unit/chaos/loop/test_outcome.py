"""What came of deeds: one Incident for each, as in calm, and every kill counted once."""

import copy
from dataclasses import replace

import pytest

from tests.chaos.history import Object, Place
from tests.chaos.loop import outcome
from tests.chaos.loop.plan import Act, Agent, Kind, Told
from tests.chaos.loop.player import Deed

AGENT = Agent("agents", "researcher")
NAME = "researcher-1"
STEPS = ("Cut", "Killed", "RouteRemoved", "IdentityDead", "Quarantined", "Released", "Closed")


def act(*, early: bool = False) -> Act:
    return Act(Kind.BREACH, Told.BOTH, wait=0, dies=0, release=0, early=early, other=0)


def deed(*, action: str = "Quarantine", early: bool = False, name: str = NAME, pod: str = "uid") -> Deed:
    return Deed(AGENT, act(early=early), name, action, pod)


def incident(*, action: str = "Quarantine", unproven: tuple[str, ...] = (), name: str = NAME) -> Object:
    conditions = [
        {
            "type": step,
            "status": "False" if step in unproven else "True",
            "reason": "Waiting" if step in unproven else "x",
        }
        for step in STEPS
    ]
    done = [step for step in STEPS if step not in unproven]
    return {
        "metadata": {"name": name, "namespace": "agents"},
        "spec": {
            "policyRef": {"name": "researcher"}, "reason": "RunawayCPU", "action": action, "reporter": "Ledger",
            "pod": {"name": "p", "uid": "uid"}, "release": {"by": "jane", "reason": "mended"},
        },
        "status": {
            "phase": "Released", "conditions": conditions, "timeline": [{"step": step} for step in done],
            "durations": {"cut": "1s"}, "logs": {"agent": "on\n"}, "pods": [{"name": "p", "uid": "uid"}],
        },
    }  # fmt: skip


def stored(*objects: Object) -> dict[Place, Object]:
    return {("incidents", "agents", obj["metadata"]["name"]): obj for obj in objects}


CALM = outcome.references([deed()], stored(incident()))


def wrongs(objects: dict[Place, Object], *deeds: Deed) -> list[str]:
    return outcome.wrongs(deeds or (deed(),), objects, CALM, namespaces=["agents"])


def test_what_comes_as_in_calm_is_right_whoever_reported_it_and_in_whatever_order() -> None:
    found = incident()
    found["spec"]["reporter"] = "Operator"
    found["status"]["timeline"].reverse()
    assert wrongs(stored(found)) == []


def test_a_release_before_the_proof_may_leave_steps_unproven_and_one_after_it_may_not() -> None:
    found = incident(unproven=("Cut", "IdentityDead"))
    assert wrongs(stored(found), deed(early=True)) == []
    assert wrongs(stored(found), deed()) != []
    assert wrongs(stored(incident(unproven=("Killed",))), deed(early=True)) != []


def test_a_deed_without_an_incident_is_found() -> None:
    assert "0 Incidents" in wrongs({})[0]


def test_two_incidents_of_one_pod_are_found() -> None:
    found = wrongs(stored(incident(), incident(name="researcher-2")))
    assert "2 Incidents" in found[0]
    assert "nothing had happened" in found[1]


def test_an_incident_that_no_deed_explains_is_found() -> None:
    other = incident(name="researcher-2")
    other["spec"]["pod"]["uid"] = "another"
    assert wrongs(stored(incident(), other)) == ["Incident researcher-2 (RunawayCPU): nothing had happened"]


@pytest.mark.parametrize(("wanted", "made"), [("Kill", "Quarantine"), ("Quarantine", "Kill")])
def test_a_kill_that_was_lost_or_counted_twice_is_found(wanted: str, made: str) -> None:
    assert "a kill was lost, or counted twice" in wrongs(stored(incident(action=made)), deed(action=wanted))[0]


MADE = "2026-11-18T11:06:40Z"
"""1795000000."""
BEFORE = deed(name="before", pod="before")


def after_release(released: str) -> dict[Place, Object]:
    """Give an Incident of the ledger, and the one before it that was released then."""
    found, before = incident(), incident(name="before")
    found["metadata"]["creationTimestamp"] = MADE
    before["spec"]["pod"]["uid"] = before["status"]["pods"][0]["uid"] = "before"
    for condition in before["status"]["conditions"]:
        condition["lastTransitionTime"] = released
    return stored(found, before)


@pytest.mark.parametrize(
    ("forgiven", "right"),
    [({}, True), ({"before": 1_795_000_010.0}, True), ({"before": 1_794_000_000.0}, False), (None, True)],
    ids=["never heard", "heard too late", "heard before", "nobody knows"],
)
def test_what_the_ledger_could_not_have_forgiven_may_be_a_quarantine_and_nothing_else_may(
    forgiven: dict[str, float] | None, *, right: bool
) -> None:
    found = after_release("2026-11-18T11:06:00Z")
    done = replace(deed(action="Kill"), after="before")
    said = outcome.wrongs([done, BEFORE], found, CALM, namespaces=["agents"], forgiven=forgiven)
    assert (said == []) is right
    alone = replace(done, after="")
    assert outcome.wrongs([alone, BEFORE], found, CALM, namespaces=["agents"], forgiven=forgiven) != []


@pytest.mark.parametrize("forgiven", [{}, {"before": 1_795_000_010.0}, None], ids=["never", "too late", "nobody knows"])
def test_a_release_of_long_ago_was_to_be_heard_of(forgiven: dict[str, float] | None) -> None:
    done = replace(deed(action="Kill"), after="before")
    long_ago = after_release("2026-11-18T11:04:30Z")
    said = outcome.wrongs([done, BEFORE], long_ago, CALM, namespaces=["agents"], forgiven=forgiven)
    assert "a kill was lost, or counted twice" in said[0]


@pytest.mark.parametrize(("decided", "right"), [(1_794_999_990.0, True), (1_795_000_000.0, False)])
def test_what_the_ledger_decided_before_it_heard_of_a_release_may_have_been_made_after_it(
    decided: float, *, right: bool
) -> None:
    said = outcome.wrongs(
        [replace(deed(action="Kill"), after="before"), BEFORE], after_release("2026-11-18T11:06:30Z"), CALM,
        namespaces=["agents"], forgiven={"before": 1_794_999_995.0}, decided={NAME: decided},
    )  # fmt: skip
    assert (said == []) is right


def test_a_breach_of_which_nobody_was_told_has_one_incident_or_none() -> None:
    untold = replace(deed(), untold=True)
    assert wrongs({}, untold) == []
    assert wrongs(stored(incident()), untold) == []
    assert "2 Incidents" in wrongs(stored(incident(), incident(name="researcher-2")), untold)[0]
    assert "0 Incidents" in wrongs({}, deed())[0], "the control"


def test_what_was_never_seen_in_calm_proves_nothing() -> None:
    found = outcome.wrongs([deed()], stored(incident()), {}, namespaces=["agents"])
    assert "no such one was seen in calm" in found[0]


@pytest.mark.parametrize(
    ("part", "title"),
    [(part, part) for part in ("phase", "conditions", "timeline", "durations", "logs")] + [("pods", "noted")],
)
def test_whatever_is_another_at_the_end_is_found(part: str, title: str) -> None:
    found = copy.deepcopy(incident())
    found["status"][part] = "Contained" if part == "phase" else {} if part in {"durations", "logs"} else []
    assert any(f": {title} is" in line for line in wrongs(stored(found)))
