"""The judge of the containment loop finds what is claimed too early, and what is less contained than before."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos import isolation
from tests.chaos.history import Change, Object
from tests.chaos.loop.court import Court
from tests.chaos.loop.voices import Voice
from zaum_api import documents
from zaum_api.documents.seen import Life

NS, POLICY, POD, UID, INCIDENT = "agents", "researcher", "zaum-researcher-0-0a1b2", "pod-uid", "researcher-1"
AUTHORIZERS = frozenset({"authorizer-1", "authorizer-2"})
BORN, LATER = "2026-11-23T05:00:00Z", "2026-11-23T05:01:00Z"
STEPS = ("Cut", "Killed", "RouteRemoved", "IdentityDead")


class History:
    """Writes, one after the other: one of each second."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.voices: list[Voice] = []

    @property
    def at(self) -> float:
        return float(len(self.changes))

    def write(self, resource: str, obj: Object, *, gone: bool = False, listed: bool = False) -> None:
        place = (resource, NS, obj["metadata"]["name"])
        kept = None if gone else copy.deepcopy(obj)
        self.changes.append(Change(len(self.changes) + 1, self.at, place, kept, listed))

    def say(self, *, in_force: bool = True, life: Life | None = None, replicas: frozenset[str] = AUTHORIZERS) -> None:
        """Have authorizers say that the Incident is in force, and what they know of the pod."""
        incident = documents.SeenIncident(NS, INCIDENT, "incident-uid", "1", in_force=in_force)
        pods = () if life is None else (documents.SeenPod(UID, life, refused=True),)
        asked = documents.SeenAsked(((NS, INCIDENT),), (UID,))
        seen = documents.Seen(ready=True, listed=0, incidents=(incident,), pods=pods)
        self.voices += [Voice(replica, self.at, self.at, asked, seen) for replica in sorted(replicas)]

    def wrongs(self) -> list[str]:
        court = self.judged()
        return [wrong.what for wrong in court.wrongs]

    def judged(self) -> Court:
        court = Court(AUTHORIZERS, tuple(self.voices), frozenset({NS}))
        for change in self.changes:
            court.take(change)
        return court


def pod(*, runs: bool = True, labelled: bool = False, name: str = POD, uid: str = UID, born: str = BORN) -> Object:
    labels = {"zaum.dev/policy": POLICY, "zaum.dev/agent": "true"} | (
        {"zaum.dev/quarantined": "true"} if labelled else {}
    )
    state: Object = {"running": {}} if runs else {"terminated": {"exitCode": 137}}
    return {
        "metadata": {"name": name, "namespace": NS, "uid": uid, "labels": labels, "creationTimestamp": born},
        "spec": {"nodeName": "n", **({"activeDeadlineSeconds": 1} if labelled else {})},
        "status": {
            "phase": "Running" if runs else "Failed",
            "containerStatuses": [{"name": "agent", "state": state}],
        },
    }


def guard() -> Object:
    return {"metadata": {"name": "zaum--guard", "namespace": NS, "uid": "g"}, "spec": dict(isolation.GUARD_SPEC)}


def route(*, shut: bool = False) -> Object:
    expressions = [{"key": "zaum.dev/quarantined", "operator": "DoesNotExist"}]
    if shut:
        expressions.append({"key": "zaum.dev/quarantined", "operator": "Exists"})
    selector = {"matchLabels": {"zaum.dev/policy": POLICY}, "matchExpressions": expressions}
    return {
        "metadata": {"name": f"zaum-{POLICY}", "namespace": NS, "uid": "r"},
        "spec": {"podSelector": selector, **({} if shut else {"egress": [{}]})},
    }


def incident(*steps: str, action: str = "Kill", **more: Any) -> Object:
    """Give one with these conditions True, and a line of the timeline for each."""
    conditions = [{"type": step, "status": "True", "reason": "Confirmed"} for step in steps]
    lines = [
        {"step": step, "at": f"2026-11-23T05:00:{number:02}.000Z", "confirmedBy": "API server"}
        for number, step in enumerate(steps)
    ]
    spec = {"policyRef": {"name": POLICY}, "action": action, "pod": {"name": POD, "uid": UID}}
    return {
        "metadata": {"name": INCIDENT, "namespace": NS, "uid": "incident-uid", "creationTimestamp": BORN},
        "spec": spec | more,
        "status": {"conditions": conditions, "timeline": lines},
    }


RELEASE = {"release": {"by": "jane", "reason": "mended"}}


def contained(action: str = "Kill") -> History:
    """A containment as it should be, up to the last step."""
    told = History()
    told.write("networkpolicies", guard())
    told.write("networkpolicies", route())
    told.write("pods", pod())
    told.write("incidents", incident(action=action))
    told.write("pods", pod(labelled=True))
    told.write("incidents", incident("RouteRemoved", action=action))
    told.write("pods", pod(labelled=True, runs=False))
    told.say()
    told.write("incidents", incident("RouteRemoved", "Cut", "Killed", action=action))
    told.write("pods", pod(labelled=True, runs=False), gone=True)
    told.say(life=Life.GONE)
    steps = ["RouteRemoved", "Cut", "Killed", "IdentityDead"]
    if action == "Quarantine":
        told.write("networkpolicies", route(shut=True))
        steps.append("Quarantined")
    told.write("incidents", incident(*steps, action=action))
    if action == "Kill":
        told.write("incidents", incident(*steps, "Closed", action=action))
    return told


@pytest.mark.parametrize("action", ["Kill", "Quarantine"])
def test_a_containment_as_it_should_be_is_found_right_and_its_claims_are_counted(action: str) -> None:
    court = contained(action).judged()
    assert court.wrongs == []
    assert set(STEPS) <= set(court.claims)


def test_a_release_as_it_should_be_is_found_right() -> None:
    told = contained("Quarantine")
    steps = ("RouteRemoved", "Cut", "Killed", "IdentityDead", "Quarantined", "Released", "Closed")
    told.write("incidents", incident(*steps, action="Quarantine", **RELEASE))
    told.write("networkpolicies", route())
    told.write("pods", pod(name="zaum-researcher-0-later", uid="another", born=LATER))
    assert told.wrongs() == []


def begun(action: str = "Kill", **how: Any) -> History:
    told = History()
    told.write("networkpolicies", guard())
    told.write("networkpolicies", route())
    told.write("pods", pod(**how))
    told.write("incidents", incident(action=action))
    return told


def claims(step: str, *, action: str = "Kill", **how: Any) -> History:
    """One that claims a step at once, with everything else as it is."""
    told = begun(action, **how)
    told.write("incidents", incident(step, action=action))
    return told


def cut_without_a_word() -> History:
    return claims("Cut", runs=False)


def cut_with_one_word() -> History:
    told = begun(runs=False)
    told.say(replicas=frozenset({"authorizer-1"}))
    told.write("incidents", incident("Cut"))
    return told


def cut_with_a_word_that_came_later() -> History:
    told = claims("Cut", runs=False)
    told.say()
    return told


def cut_with_another_word() -> History:
    told = begun(runs=False)
    told.say(in_force=False)
    told.write("incidents", incident("Cut"))
    return told


def cut_while_it_lives() -> History:
    told = begun()
    told.say()
    told.write("incidents", incident("Cut"))
    return told


def one_container_runs() -> History:
    told = begun()
    dying = pod(runs=False)
    dying["status"]["initContainerStatuses"] = [{"name": "watchdog", "state": {"running": {}}}]
    told.write("pods", dying)
    told.write("incidents", incident("Killed"))
    return told


def labelled_and_selected() -> History:
    told = begun(labelled=True)
    opened = route()
    opened["spec"]["podSelector"] = {"matchLabels": {"zaum.dev/policy": POLICY}}
    told.write("networkpolicies", opened)
    told.write("incidents", incident("RouteRemoved"))
    return told


def labelled_and_unguarded() -> History:
    told = begun(labelled=True)
    lost = pod(labelled=True)
    del lost["metadata"]["labels"]["zaum.dev/agent"]
    told.write("pods", lost)
    told.write("incidents", incident("RouteRemoved"))
    return told


def identity_that_lives_somewhere() -> History:
    told = begun(runs=False)
    told.write("pods", pod(runs=False), gone=True)
    told.say(life=Life.LIVE, replicas=frozenset({"authorizer-1"}))
    told.say(life=Life.GONE, replicas=frozenset({"authorizer-2"}))
    told.write("incidents", incident("IdentityDead"))
    return told


def identity_nobody_knew_before_it_was_gone() -> History:
    told = begun(runs=False)
    told.say()  # It knows of no such pod, by a list made while the pod was there.
    for _ in range(3):
        told.write("networkpolicies", route())
    told.write("pods", pod(runs=False), gone=True)
    told.write("incidents", incident("IdentityDead"))
    return told


def quarantined_with_a_route() -> History:
    told = begun("Quarantine", runs=False)
    told.write("pods", pod(runs=False), gone=True)
    told.write("incidents", incident("Quarantined", action="Quarantine"))
    return told


def released_by_nobody() -> History:
    told = begun("Quarantine", runs=False)
    told.write("incidents", incident("Released", action="Quarantine"))
    return told


def released_alive() -> History:
    told = begun("Quarantine")
    told.write("incidents", incident("Released", action="Quarantine", **RELEASE))
    return told


def closed_unproven() -> History:
    return claims("Closed", runs=False)


def closed_quarantine() -> History:
    told = contained("Quarantine")
    every = ("RouteRemoved", "Cut", "Killed", "IdentityDead", "Quarantined", "Closed")
    told.write("incidents", incident(*every, action="Quarantine"))
    return told


def taken_back() -> History:
    told = contained()
    told.write("incidents", incident("RouteRemoved", "Cut", "Killed", "IdentityDead"))
    return told


def starts_under_a_quarantine() -> History:
    told = begun("Quarantine", runs=False)
    for _ in range(3):
        told.write("networkpolicies", route())
    told.write("pods", pod(name="zaum-researcher-0-later", uid="another", born=LATER))
    return told


def starts_after_the_claim() -> History:
    told = contained("Quarantine")
    told.write("pods", pod(name="zaum-researcher-0-later", uid="another", born=BORN))
    return told


def loses_its_label() -> History:
    told = begun(labelled=True)
    told.write("pods", pod() | {"spec": {"nodeName": "n", "activeDeadlineSeconds": 1}})
    return told


def gets_more_time() -> History:
    told = begun(labelled=True)
    told.write("pods", pod(labelled=True) | {"spec": {"nodeName": "n"}})
    return told


def deleted_while_it_runs() -> History:
    told = begun(labelled=True)
    leaving = pod(labelled=True)
    leaving["metadata"]["deletionTimestamp"] = LATER
    told.write("pods", leaving)
    return told


def opened_again() -> History:
    told = contained("Quarantine")
    told.write("networkpolicies", route())
    return told


def without_guard() -> History:
    told = begun()
    told.write("networkpolicies", guard(), gone=True)
    return told


def deleted_while_open() -> History:
    told = begun()
    told.write("incidents", incident(), gone=True)
    return told


def another_spec() -> History:
    told = begun("Quarantine")
    told.write("incidents", incident(action="Kill"))
    return told


def timeline_without_the_step() -> History:
    told = begun(runs=False)
    claimed = incident("Killed")
    claimed["status"]["conditions"] = []
    told.write("incidents", claimed)
    return told


def timeline_written_anew() -> History:
    told = contained()
    again = incident("RouteRemoved", "Cut", "Killed", "IdentityDead", "Closed")
    del again["status"]["timeline"][0]
    told.write("incidents", again)
    return told


def timeline_without_a_witness() -> History:
    told = begun(runs=False)
    claimed = incident("Killed")
    claimed["status"]["timeline"][0]["confirmedBy"] = ""
    told.write("incidents", claimed)
    return told


def timeline_backwards() -> History:
    told = begun(runs=False)
    told.write("incidents", incident("RouteRemoved", "Killed"))
    found = told.changes[-1].obj
    assert found is not None
    found["status"]["timeline"].reverse()
    return told


@pytest.mark.parametrize(
    ("tell", "why"),
    [
        (cut_without_a_word, "authorizer-1 has not said that it is in force"),
        (cut_with_one_word, "authorizer-2 has not said that it is in force"),
        (cut_with_a_word_that_came_later, "has not said that it is in force"),
        (cut_with_another_word, "has not said that it is in force"),
        (cut_while_it_lives, "lives, and has not been cut"),
        (lambda: claims("Killed"), f"pod {POD} runs"),
        (one_container_runs, f"pod {POD} runs"),
        (lambda: claims("RouteRemoved"), "has no label"),
        (labelled_and_selected, f"NetworkPolicy zaum-{POLICY} selects"),
        (labelled_and_unguarded, f"the guard does not select pod {POD}"),
        (lambda: claims("IdentityDead", runs=False), f"pod {POD} is there"),
        (identity_that_lives_somewhere, "authorizer-1 has not said that it knows"),
        (identity_nobody_knew_before_it_was_gone, "authorizer-1 has not said that it knows"),
        (quarantined_with_a_route, "its route is open"),
        (lambda: claims("Quarantined", action="Quarantine"), f"pod {POD} is not being ended"),
        (lambda: claims("Quarantined", action="Quarantine"), f"pod {POD} has no label"),
        (lambda: claims("Quarantined", action="Quarantine", runs=False), "has not said that it is in force"),
        (released_by_nobody, "nobody has released it"),
        (released_alive, f"pod {POD} runs"),
        (closed_unproven, "it is still needed"),
        (closed_quarantine, "it is still needed"),
        (taken_back, "Closed is taken back"),
        (starts_under_a_quarantine, f"starts under the open Quarantine {INCIDENT}"),
        (starts_after_the_claim, "which claims that none does"),
        (loses_its_label, "loses its label"),
        (gets_more_time, "gets more time"),
        (deleted_while_it_runs, "is deleted while it runs"),
        (opened_again, "is opened again"),
        (without_guard, "the guard is gone"),
        (deleted_while_open, "goes while it is open"),
        (another_spec, "its spec is another one"),
        (timeline_without_the_step, "which is not confirmed"),
        (timeline_written_anew, "its timeline is written anew"),
        (timeline_without_a_witness, "nobody's word stands for"),
        (timeline_backwards, "its timeline goes backwards"),
    ],
)  # fmt: skip
def test_a_wrong_history_is_found(tell: Callable[[], History], why: str) -> None:
    assert any(why in wrong for wrong in tell().wrongs()), tell().wrongs()


def test_a_pod_that_was_under_way_when_the_incident_came_is_counted_and_not_blamed() -> None:
    told = begun("Quarantine", runs=False)
    told.write("pods", pod(name="zaum-researcher-1-0a1b2", uid="another"))
    court = told.judged()
    assert (court.wrongs, court.raced) == ([], 1)


def test_a_pod_that_was_created_before_the_claim_is_not_blamed_for_it() -> None:
    told = begun("Quarantine", runs=False)
    other = pod(name="zaum-researcher-1-0a1b2", uid="another", labelled=True)
    told.write("pods", other)
    told.write("networkpolicies", route(shut=True))
    told.say()
    told.write("incidents", incident("Quarantined", action="Quarantine"))
    told.write("pods", pod(name="zaum-researcher-1-0a1b2", uid="another", labelled=True, runs=False))
    court = told.judged()
    assert (court.wrongs, court.raced) == ([], 1)


def test_a_pod_that_a_list_shows_first_may_have_been_created_before_the_claim() -> None:
    told = contained("Quarantine")
    told.write("pods", pod(name="zaum-researcher-0-later", uid="another", labelled=True), listed=True)
    court = told.judged()
    assert (court.wrongs, court.raced) == ([], 1)


def test_where_watchdogs_cut_a_pod_that_lives_may_be_cut_and_may_not_be_called_dead() -> None:
    told = begun()
    told.write("incidents", incident("Cut"))
    told.write("incidents", incident("Cut", "Killed"))
    court = Court(frozenset(), (), frozenset({NS}))
    for change in told.changes:
        court.take(change)
    assert [wrong.what for wrong in court.wrongs] == [f"{INCIDENT} claims Killed: pod {POD} runs"]
