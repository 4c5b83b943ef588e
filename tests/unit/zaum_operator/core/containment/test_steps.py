"""Each step, by what its source shows: a table of scenes and what may be said of them."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import scenes
from tests.support.scenes import GUARD, dead, made, pod, replica, true
from tests.support.world import NAMESPACE
from zaum_api import contract
from zaum_api.documents import Life
from zaum_operator.core.containment import scene, steps
from zaum_operator.core.containment.incident import Condition
from zaum_operator.core.containment.scene import Replica, Sight
from zaum_operator.core.kinds import Object

LONG = {"u1": 1000.0}
BOTH = (replica("a1"), replica("a2"))
NAMED = {"pod": ("zaum-researcher-0-u1", "u1")}


def gathered(
    *there: Object,
    replicas: tuple[Replica, ...] = BOTH,
    policies: tuple[Object, ...] = (GUARD,),
    gone_for: Mapping[str, float] | None = None,
    incident: Mapping[str, Any] = NAMED,
    **more: Any,
) -> scene.Scene:
    sight = Sight(replicas, LONG if gone_for is None else gone_for)
    return scene.gather(made(**incident), there, sight=sight, network_policies=policies, **more)


def own(**spec: Any) -> Object:
    metadata = {"name": "zaum-researcher", "namespace": NAMESPACE}
    return {"metadata": metadata, "spec": {"podSelector": {}, "egress": [{}]} | spec}


FOREIGN: Object = {
    "metadata": {"name": "wide", "namespace": NAMESPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}
SHUT: Object = {
    "metadata": {"name": "shut", "namespace": NAMESPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
}


def unguarded() -> Object:
    lost = pod(cut=True)
    del lost["metadata"]["labels"][contract.LABEL_AGENT]
    return lost


CUT = [
    ("nobody runs", gathered(dead(), replicas=()), "no authorizer"),
    ("one is silent", gathered(dead(), replicas=(*BOTH, Replica("a3"))), "a3 does not answer"),
    ("one does not see it", gathered(dead(), replicas=(*BOTH, replica("a3", sees=False))), "a3 does not say"),
    ("one is not ready", gathered(dead(), replicas=(replica("a3", ready=False),)), "a3 does not say"),
    ("a pod lives", gathered(pod(cut=True)), "watchdog of pod zaum-researcher-0-u1"),
    ("a pod lives, its health check killed it", gathered(pod(word="AgentUnhealthy")), "watchdog of pod"),
    ("a pod's watchdog has cut", gathered(pod(), cut={"u1": 0}), ""),
    ("another pod's watchdog has cut", gathered(pod(), cut={"u2": 0}), "watchdog of pod"),
    ("a pod's watchdog left its word", gathered(pod(word="RunawayCPU")), ""),
    ("a pod is on no node", gathered(pod(node="")), ""),
    ("a pod has ended", gathered(dead()), ""),
    ("a pod is gone", gathered(), ""),
    ("there was none", gathered(incident={}), ""),
]
KILLED = [
    ("it runs", gathered(pod()), "container watchdog, agent runs"),
    ("it runs, cut off", gathered(pod(cut=True)), "runs"),
    ("it is being deleted", gathered(pod(terminating=True)), "runs"),
    ("its phase is Failed and a container runs", gathered(pod(phase="Failed")), "runs"),
    ("all have terminated, its phase is Running", gathered(pod(runs=False)), "it has not ended"),
    ("it waits for a node", gathered(pod(node="")), "it has not ended"),
    ("another one lives", gathered(dead(), pod("u2")), "u2"),
    ("it has ended", gathered(dead()), ""),
    ("it is gone", gathered(), ""),
    ("it may have lost its labels", gathered(unsure="no list"), "no list"),
    ("there was none", gathered(incident={}), ""),
]
ROUTE = [
    ("no label", gathered(pod()), "does not carry"),
    ("label", gathered(pod(cut=True)), ""),
    ("label, no guard", gathered(pod(cut=True), policies=()), "guard"),
    ("label, own one selects it", gathered(pod(cut=True), policies=(GUARD, own())), "zaum-researcher selects"),
    ("label, a foreign one opens", gathered(pod(cut=True), policies=(GUARD, FOREIGN)), "wide selects"),
    ("label, a foreign one shuts", gathered(pod(cut=True), policies=(GUARD, SHUT)), ""),
    ("a selector that nobody knows", gathered(pod(cut=True), policies=(GUARD, own(podSelector={"new": 1}))), "selects"),
    ("label, and the guard's lost", gathered(unguarded()), "the guard does not select"),
    ("ended", gathered(dead(), policies=()), ""),
    ("there was none", gathered(policies=(), incident={}), ""),
]
IDENTITY = [
    ("its object is there", gathered(dead()), "is still there"),
    ("gone, all know", gathered(replicas=(replica(lives={"u1": Life.GONE}),), gone_for={}), ""),
    ("gone, one takes it for live", gathered(replicas=(replica("a1"), replica("a2", lives={"u1": Life.LIVE}))), "a2"),
    ("gone, none heard of it, all listed since", gathered(), ""),
    ("gone just now, none heard of it", gathered(gone_for={"u1": 1.0}), "a1, a2"),
    ("gone for longer than nobody knows", gathered(gone_for={}), "a1, a2"),
    ("gone, what they said is old", gathered(replicas=(Replica("a1", replica().seen, 999.0),)), "a1"),
    ("gone, one is silent", gathered(replicas=(*BOTH, Replica("a3"))), "a3"),
    ("gone, nobody runs", gathered(replicas=()), "no authorizer"),
    ("it may have lost its labels", gathered(unsure="no list"), "no list"),
    ("there was none", gathered(replicas=(), incident={}), ""),
]
QUARANTINED = [
    ("a Kill", gathered(incident=NAMED | {"action": "Kill"}), "alone"),
    ("an ended pod is there", gathered(dead()), ""),
    ("a pod runs", gathered(pod()), "is not being ended yet"),
    ("a pod runs, and is being deleted", gathered(pod(terminating=True)), "does not carry"),
    ("a pod runs, cut off and told to end", gathered(pod(cut=True)), ""),
    ("a pod runs, cut off, and the guard's label lost", gathered(unguarded()), "the guard does not select"),
    (
        "a pod runs, cut off, and a foreign one opens",
        gathered(pod(cut=True), policies=(GUARD, FOREIGN)),
        "wide selects",
    ),
    ("nobody denies it", gathered(replicas=()), "no authorizer"),
    ("one is silent", gathered(replicas=(*BOTH, Replica("a3"))), "a3 does not answer"),
    ("one does not see it", gathered(replicas=(*BOTH, replica("a3", sees=False))), "a3 does not say"),
    ("said before, nobody is asked", gathered(replicas=(), incident=NAMED | {"status": true("Quarantined")}), ""),
    ("the route is open", gathered(policies=(GUARD, own())), "still selects"),
    ("nothing", gathered(), ""),
    ("no policy either", gathered(policy_exists=False), ""),
    ("it may have lost its labels", gathered(unsure="no list"), "no list"),
    (
        "said before, nobody could look",
        gathered(unsure="no list", incident=NAMED | {"status": true("Quarantined")}),
        "",
    ),
    (
        "said before, and a pod runs",
        gathered(pod(), unsure="no list", incident=NAMED | {"status": true("Quarantined")}),
        "is not being ended yet",
    ),
    ("a Kill that is raised", gathered(incident=NAMED | {"action": "Kill"}, escalated=True), ""),
]
TABLE = [
    (kind, *row)
    for kind, rows in (
        (Condition.CUT, CUT),
        (Condition.KILLED, KILLED),
        (Condition.ROUTE_REMOVED, ROUTE),
        (Condition.IDENTITY_DEAD, IDENTITY),
        (Condition.QUARANTINED, QUARANTINED),
    )
    for row in rows
]


@pytest.mark.parametrize(("kind", "case", "seen", "missing"), TABLE, ids=[f"{row[0]}: {row[1]}" for row in TABLE])
def test_i09_a_step_is_confirmed_by_its_source_or_says_whose_word_is_missing(
    kind: Condition, case: str, seen: scene.Scene, missing: str
) -> None:
    step = steps.STEPS[kind](seen)
    assert step.confirmed is (missing == ""), step
    assert missing in step.message
    assert step.message


def test_what_was_confirmed_stays_while_nothing_lives() -> None:
    before = NAMED | {"status": true("Cut", "Killed", "RouteRemoved", "IdentityDead", Killed="NoPod")}
    kept = steps.conclude(gathered(replicas=(), incident=before))
    assert all(kept[kind].confirmed for kind in (Condition.CUT, Condition.KILLED, Condition.IDENTITY_DEAD))
    assert (kept[Condition.KILLED].word, kept[Condition.KILLED].message) == (steps.Word.NO_POD, "said")


def test_i09_a_pod_that_appears_alive_takes_back_what_was_confirmed() -> None:
    before = NAMED | {"status": true("Cut", "Killed", "RouteRemoved", "IdentityDead", "Quarantined")}
    again = steps.conclude(gathered(pod("u2"), incident=before))
    assert [kind for kind, step in again.items() if step.confirmed] == []
    ended = steps.conclude(gathered(dead("u2"), incident=before))
    assert not ended[Condition.IDENTITY_DEAD].confirmed, "another object is there"


def test_a_reason_of_another_release_is_read_as_confirmed() -> None:
    kept = steps.conclude(gathered(incident=NAMED | {"status": true("Cut", Cut="SomethingNew")}, replicas=()))
    assert (kept[Condition.CUT].confirmed, kept[Condition.CUT].word) == (True, steps.Word.CONFIRMED)


def test_the_api_servers_words_are_said_of_what_it_refuses() -> None:
    said = steps.conclude(gathered(pod(), refused="merge Pod x: 403: no"))
    for kind in (Condition.KILLED, Condition.ROUTE_REMOVED):
        assert (said[kind].word, said[kind].message) == (steps.Word.REFUSED, "merge Pod x: 403: no")


def test_many_names_are_cut_short() -> None:
    found = gathered(*(pod(f"u{number}") for number in range(5)))
    assert "and 2 more" in steps.cut(found).message
    assert "and 4 more pods" in steps.killed(found).message


def test_blocked_images_are_named() -> None:
    step = steps.quarantined(gathered(blocking=("x@sha256:1",)))
    assert (step.word, "x@sha256:1" in step.message) == (steps.Word.IMAGE_BLOCKED, True)


def test_a_pod_that_is_named_without_uid_is_whichever_has_the_name() -> None:
    named = {"pod": ("zaum-researcher-0-u1", "")}
    assert [body.ref.uid for body in gathered(dead("u1"), incident=named).bodies] == ["u1"]
    assert [ref.name for ref in gathered(incident=named).gone] == ["zaum-researcher-0-u1"]
    kill = scenes.made(action="Kill", pod=("zaum-researcher-0-u1", ""))
    assert len(scene.gather(kill, [pod("u1"), pod("u2")]).bodies) == 1
