"""What open Incidents contain at the gateway, however odd the objects are."""

import copy
import random
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.zaum_gateway import test_decisions as requests
from zaum_api import contract, documents, incidents
from zaum_api.documents import Life, SeenAsked
from zaum_gateway.cluster import mirror
from zaum_gateway.core import credentials, decisions, records, seen
from zaum_gateway.core import incidents as read

Rule = contract.Rule
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "x",
    "\x00\n",
    "Kill",
    [],
    [[]],
    {},
    {"name": []},
    ["demo"],
    "x" * 10_000,
)


def incident(action: str = "Quarantine", **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "metadata": {"namespace": "agents", "name": "demo-0123456789", "uid": "i-1", "resourceVersion": "7"},
        "spec": {
            "policyRef": {"name": "demo"},
            "action": action,
            "reason": "RunawayCPU",
            "reporter": "Ledger",
            "pod": {"name": requests.POD.name, "uid": requests.POD.uid},
        },
        "status": {"conditions": [{"type": "Cut", "status": "True"}]},
    }
    for place, value in changes.items():
        *path, last = place.split("__")
        parent = body
        for step in path:
            parent = parent[step]
        parent[last] = value
    return body


def standing(*bodies: dict[str, Any]) -> read.Standing:
    found = mirror.Incidents()
    for body in bodies:
        found.put(body)
    return found.standing


def decide(
    *bodies: dict[str, Any],
    request: decisions.Request = requests.REQUEST,
    pod: records.Pod = requests.POD,
    policy: records.Policy | None = requests.POLICY,
) -> decisions.Decision:
    snapshot = replace(requests.snapshot(pod, policy), holds=standing(*bodies).holds)
    who: credentials.Identity = replace(requests.WHO, uid=pod.uid, pod=pod.name)
    return decisions.decide(request, who, snapshot)


SESSION = decisions.Request("GET", "gateway", "10.0.0.1", path=contract.PATH_SESSION)
REPORT = decisions.Request("POST", "gateway", "10.0.0.1", path=contract.PATH_REPORT)
LEDGER = replace(requests.REQUEST, authority=decisions.LEDGER)
RELEASED = [{"type": "Released", "status": "True"}]
CLOSED = [{"type": "Closed", "status": "True"}]
OTHER = replace(requests.POD, uid="uid-2", name="zaum-demo-1-fffff")
CUT = documents.Contained(documents.Rung.CUT, "RunawayDenied", 0, 1795424000123)


def test_without_an_incident_everything_passes() -> None:
    assert all(decide(request=request).allowed for request in (requests.REQUEST, SESSION, REPORT, LEDGER))


@pytest.mark.parametrize("request_", [requests.REQUEST, SESSION, LEDGER])
@pytest.mark.parametrize("action", ["Kill", "Quarantine"])
def test_i10_an_open_incident_lets_nothing_out_of_its_pod(request_: decisions.Request, action: str) -> None:
    decision = decide(incident(action), request=request_)
    assert decision.rule is Rule.QUARANTINED
    assert "demo-0123456789" in decision.message
    assert decision.uid == "uid-1", "and the record says whose"


def test_what_a_contained_watchdog_reports_is_taken() -> None:
    assert decide(incident(), request=REPORT).allowed
    assert decide(request=REPORT, pod=replace(requests.POD, quarantined=True)).allowed


def test_i10_a_quarantine_holds_every_pod_of_the_name_and_a_kill_its_own() -> None:
    assert decide(incident("Quarantine"), pod=OTHER).rule is Rule.QUARANTINED
    assert decide(incident("Kill"), pod=OTHER).allowed


def test_i12_an_incident_holds_nobody_else() -> None:
    assert decide(incident(metadata__namespace="others")).allowed
    assert decide(incident(spec__policyRef={"name": "demo2"})).allowed


def test_i10_what_is_quarantined_stays_so_without_its_policy_and_after_it_was_made_anew() -> None:
    assert decide(incident(), policy=None).rule is Rule.QUARANTINED
    assert decide(incident(), policy=replace(requests.POLICY, uid="another")).rule is Rule.QUARANTINED
    assert decide(policy=None).rule is Rule.POLICY_GONE


@pytest.mark.parametrize("over", [RELEASED, CLOSED])
def test_i10_only_a_confirmed_end_opens_again(over: list[dict[str, str]]) -> None:
    assert decide(incident(spec__release={"by": "me", "reason": "done"})).rule is Rule.QUARANTINED
    assert decide(incident(status={"conditions": [{**over[0], "status": "False"}]})).rule is Rule.QUARANTINED
    assert decide(incident(status={"conditions": over})).allowed


def test_two_incidents_hold_until_both_are_over() -> None:
    first, second = incident(), incident(metadata__name="demo-2", metadata__uid="i-2")
    assert decide(first, second).rule is Rule.QUARANTINED
    assert decide(first | {"status": {"conditions": CLOSED}}, second).rule is Rule.QUARANTINED
    assert decide(*[one | {"status": {"conditions": CLOSED}} for one in (first, second)]).allowed


def test_a_kill_that_is_raised_to_a_quarantine_holds_the_policy() -> None:
    raised = incident("Kill", status={"action": "Quarantine"})
    assert decide(raised, pod=OTHER).rule is Rule.QUARANTINED


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "place", ["spec__action", "spec__pod", "spec__reason", "status", "status__conditions", "status__action"]
)
def test_i10_an_incident_that_is_odd_holds_the_policy_that_it_names(place: str, odd: Any) -> None:
    if place == "spec__action" and odd == "Kill":
        return
    assert decide(incident("Quarantine", **{place: odd})).rule is Rule.QUARANTINED


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", ["spec", "spec__policyRef", "spec__policyRef__name", "metadata__namespace"])
def test_an_incident_that_names_nobody_is_said_to_be_unreadable(place: str, odd: Any) -> None:
    found = standing(incident("Quarantine", **{place: odd}))
    named = isinstance(odd, str) and odd != "" and place not in {"spec", "spec__policyRef"}
    assert bool(found.unreadable()) is (not named)
    assert found.in_force() == int(named)


def test_i10_one_that_cannot_be_read_any_more_holds_what_it_held() -> None:
    broken = incident(spec=None)
    assert decide(incident(), broken).rule is Rule.QUARANTINED
    assert standing(incident(), broken).unreadable()[0].problem
    broken["metadata"]["uid"] = "another object"
    assert decide(incident(), broken).allowed, "another one of the name says nothing of the one before"


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((*at, key), *places(item, (*at, key)))]


def test_whatever_an_incident_holds_nothing_is_raised_and_none_that_names_the_policy_lets_through() -> None:
    dice = random.Random(11)
    for _ in range(3_000):
        body = incident(dice.choice(["Kill", "Quarantine"]))
        for _ in range(dice.randrange(1, 5)):
            *path, last = dice.choice(places(body))
            parent: Any = body
            for step in path:
                parent = parent[step]
            parent[last] = copy.deepcopy(dice.choice(ODD))
        found = standing(body, copy.deepcopy(body))
        spec, metadata = body.get("spec"), body.get("metadata")
        ref = spec.get("policyRef") if isinstance(spec, dict) else None
        mine = isinstance(ref, dict) and ref.get("name") == "demo"
        here = isinstance(metadata, dict) and metadata.get("namespace") == "agents"
        whole = isinstance(spec, dict) and spec.get("action") != "Kill"
        if mine and here and whole:
            assert decide(body).rule is Rule.QUARANTINED, body
        assert found.in_force() + len(found.unreadable()) >= 1, body


class Changes:
    """A mirror of Incidents under changes, held against what a fresh list of the same objects gives."""

    def __init__(self) -> None:
        self.mirror = mirror.Incidents()
        self.there: dict[tuple[str, str], dict[str, Any]] = {}

    def put(self, body: dict[str, Any]) -> None:
        self.there[body["metadata"]["namespace"], body["metadata"]["name"]] = body
        self.mirror.put(body)

    def remove(self, body: dict[str, Any]) -> None:
        self.there.pop((body["metadata"]["namespace"], body["metadata"]["name"]), None)
        self.mirror.remove(body)

    def relist(self, namespace: str) -> None:
        self.mirror.replace(
            [body for key, body in self.there.items() if namespace in ("", key[0])], namespace=namespace
        )

    def check(self) -> None:
        fresh = mirror.Incidents()
        fresh.replace(self.there.values())
        for mine, theirs in ((self.mirror.standing, fresh.standing),):
            assert dict(mine.view) == dict(theirs.view)
            assert {key: set(holds) for key, holds in mine.holds.items()} == {
                key: set(holds) for key, holds in theirs.holds.items()
            }


def test_changes_one_by_one_and_a_list_come_to_the_same() -> None:
    dice = random.Random(5)
    world = Changes()
    for _ in range(2_000):
        body = incident(
            dice.choice(["Kill", "Quarantine"]),
            metadata__namespace=dice.choice(["agents", "b"]),
            metadata__name=dice.choice("xyz"),
            spec__policyRef={"name": dice.choice(["demo", "other"])},
            status={"conditions": dice.choice([[], CLOSED])},
        )
        match dice.choice(("put", "remove", "relist")):
            case "put":
                world.put(body)
            case "remove":
                world.remove(body)
            case _:
                world.relist(dice.choice(["", "agents", "b"]))
        world.check()


def answer(asked: SeenAsked, *, missing: str = "", gone: tuple[str, ...] = (), **pod: Any) -> documents.Seen:
    stands = standing(incident())
    contained = replace(requests.POD, **pod)
    return seen.answer(
        asked,
        snapshot=replace(requests.snapshot(contained), holds=stands.holds if not pod.get("policy") else {}),
        standing=stands.view,
        gone=gone,
        latched=lambda uid: uid == "latched",
        said=lambda uid: CUT if uid == "uid-1" else None,
        listed=12.2,
        listed_at=100.0,
        missing=missing,
        degraded="",
    )


def test_i09_what_a_watchdog_said_of_its_ladder_is_told_with_its_moment() -> None:
    (pod,) = answer(SeenAsked(pods=("uid-1",))).pods
    assert (pod.rung, pod.since, pod.cut) == (documents.Rung.CUT, 1795424000123, True)


def test_i09_an_answer_is_marked_by_what_decides_and_not_by_its_age() -> None:
    asked = SeenAsked((("agents", "demo-0123456789"),), ("uid-1",))
    first = answer(asked)
    assert first.mark
    assert replace(first, listed=13, mark="").marked(0).mark == first.mark
    assert answer(asked, live=False).mark != first.mark
    assert answer(asked, missing="pods").mark != first.mark
    unknown = replace(first, mark="", pods=())
    assert unknown.marked(1).mark != unknown.marked(2).mark, "a newer list proves something of a pod that is not known"


def test_i09_what_is_asked_for_is_answered_from_what_was_read() -> None:
    asked = SeenAsked((("agents", "demo-0123456789"), ("agents", "unheard")), ("uid-1", "uid-9", "uid-8"))
    found = answer(asked, gone=("uid-9",))
    assert [(one.name, one.uid, one.in_force) for one in found.incidents] == [("demo-0123456789", "i-1", True)]
    assert [(pod.uid, pod.life, pod.refused) for pod in found.pods] == [
        ("uid-1", Life.LIVE, True),
        ("uid-9", Life.GONE, True),
    ]
    assert (found.ready, found.listed) == (True, 13)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"policy": "free", "service_account": "zaum-free"}, (Life.LIVE, True)),
        ({"live": False}, (Life.ENDED, True)),
        ({"quarantined": True}, (Life.LIVE, True)),
    ],
)
def test_i09_a_pod_of_no_policy_is_refused_too(change: dict[str, Any], expected: tuple[Life, bool]) -> None:
    (pod,) = answer(SeenAsked(pods=("uid-1",)), **change).pods
    assert (pod.life, pod.refused) == expected


def test_i09_a_pod_that_nothing_holds_is_not_said_to_be_refused() -> None:
    snapshot = requests.snapshot()
    found = seen.answer(
        SeenAsked(pods=("uid-1",)), snapshot=snapshot, standing={}, gone=(), latched=lambda _: False,
        said=lambda _: None, listed=0, listed_at=0, missing="", degraded="",
    )  # fmt: skip
    assert [(pod.life, pod.refused) for pod in found.pods] == [(Life.LIVE, False)]
    assert decisions.decide(requests.REQUEST, requests.WHO, snapshot).allowed


def test_i09_who_has_not_read_everything_proves_nothing() -> None:
    asked = SeenAsked((("agents", "demo-0123456789"),), ("uid-1", "never"))
    found = answer(asked, missing="incidents")
    assert (found.ready, found.incidents, found.pods) == (False, (), ())
    assert "incidents" in found.degraded
    assert not found.dead("never", gone_for=1e9)


def pod(uid: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "agents", "name": uid, "uid": uid}}


def test_i09_pods_that_were_there_are_remembered_as_gone() -> None:
    pods = mirror.Pods()
    pods.replace([pod("a"), pod("b"), pod("c")])
    pods.remove(pod("a"))
    pods.remove(pod("never"))
    pods.replace([pod("c")])
    assert set(pods.gone) == {"a", "b"}


def test_the_memory_of_what_is_gone_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "GONE_MAX", 2)
    pods = mirror.Pods()
    pods.replace([pod(uid) for uid in "abc"])
    for uid in "abc":
        pods.remove(pod(uid))
    assert list(pods.gone) == ["b", "c"]


def test_a_whole_hold_is_named_before_one_on_the_pod() -> None:
    kill = incident("Kill", metadata__name="a-kill")
    assert "demo-0123456789" in decide(kill, incident()).message
    assert "a new pod" in decide(kill).allowed_by
    assert "release" in decide(incident()).allowed_by


def test_the_rule_is_the_one_that_all_parts_share() -> None:
    body = incident()
    assert standing(body).holds["agents", "demo"] == incidents.holds([body])
