"""An open Incident at a real gateway: what it names gets nothing out, and the operator hears what each replica sees."""

import json
import threading
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.gateway import callers, conftest, lab, operator_side
from tests.integration.gateway.test_gateway import IN_FORCE_SECONDS, eventually, opened, refused
from tests.integration.gateway.test_reports import REPORT, post
from zaum_api import contract, documents, incidents
from zaum_api.documents import Life, Seen, SeenAsked
from zaum_gateway import authorizer

Rule = contract.Rule


def incident(
    name: str = "demo-0123456789", *, policy: str = "demo", action: str = "Quarantine", **more: Any
) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "agents", "name": name, "uid": f"uid-{name}"},
        "spec": {"policyRef": {"name": policy}, "action": action, "reason": "Manual", "reporter": "Human"},
    } | more


def closed(body: dict[str, Any]) -> dict[str, Any]:
    return body | {
        "status": {"conditions": [{"type": "Released", "status": "True"}, {"type": "Closed", "status": "True"}]}
    }


def ask(world: conftest.World) -> callers.Answer:
    return callers.ask(world.lab, world.authority, token=world.token())


def seen(world: conftest.World, asked: SeenAsked, *, port: int | None = None) -> Seen:
    path = f"{contract.PATH_SEEN}?{asked.query()}"
    status, _, body = operator_side.ask(world.lab, operator_side.token(world), path=path, port=port)
    assert status == 200, body
    return Seen.parse(body)


def gets_nothing(seen: Seen, uid: str) -> bool:
    """Say whether a pod gets nothing through here: it is refused, or no identity any more."""
    found = next((pod for pod in seen.pods if pod.uid == uid), None)
    return seen.ready and found is not None and (found.refused or found.life is not Life.LIVE)


def until(found: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


ASKED = SeenAsked((("agents", "demo-0123456789"),), ("pod-demo",))


def test_i10_an_incident_refuses_within_a_second_and_its_end_opens_again(fragile: conftest.World) -> None:
    opened(fragile)
    before = seen(fragile, ASKED)
    assert (before.ready, before.incidents, gets_nothing(before, "pod-demo")) == (True, (), False)
    made = incident()
    fragile.lab.cluster.incidents.put(made)
    answer = eventually(lambda: ask(fragile), Rule.QUARANTINED, IN_FORCE_SECONDS)
    refused(answer, Rule.QUARANTINED)
    assert "demo-0123456789" in answer.denial["message"]
    session = callers.ask(
        fragile.lab, contract.PATH_SESSION, token=fragile.token(), method="GET", host=contract.GATEWAY_TLS_NAME
    )
    refused(session, Rule.QUARANTINED)
    assert post(fragile, REPORT.dump()).status == 204, "what its watchdog says is evidence"
    found = seen(fragile, ASKED)
    assert found.sees("agents", made["metadata"]["name"], made["metadata"]["uid"])
    assert gets_nothing(found, "pod-demo")
    assert not found.dead("pod-demo", gone_for=1e9), "refused is not dead"
    fragile.lab.cluster.incidents.put(closed(made))
    eventually(lambda: ask(fragile), Rule.ALLOWED, IN_FORCE_SECONDS)
    assert not gets_nothing(seen(fragile, ASKED), "pod-demo")


def test_i09_an_answer_waits_for_what_is_new_and_for_no_longer_than_it_may(fragile: conftest.World) -> None:
    opened(fragile)
    first = seen(fragile, ASKED)
    began = time.monotonic()
    assert seen(fragile, replace(ASKED, unlike=first.mark, wait=1)).mark == first.mark
    assert time.monotonic() - began >= 1, "there was nothing new"
    assert seen(fragile, replace(ASKED, unlike="0f", wait=5)).mark == first.mark, "who knows less is told at once"
    assert time.monotonic() - began < 5
    with futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(seen, fragile, replace(ASKED, unlike=first.mark, wait=5))
        threading.Event().wait(0.5)
        assert not waiting.done()
        made = incident()
        fragile.lab.cluster.incidents.put(made)
        assert futures.wait([waiting], timeout=4).done, "what is read is told before the time is up"
        news = waiting.result()
        assert news.sees("agents", made["metadata"]["name"], made["metadata"]["uid"])
        waiting = pool.submit(seen, fragile, replace(ASKED, unlike=news.mark, wait=5))
        contained = documents.Contained(documents.Rung.KILLED, "RunawayDenied", 0, 1795424000123)
        assert post(fragile, replace(REPORT, contained=contained).dump()).status == 204
        assert futures.wait([waiting], timeout=4).done, "and so is what a watchdog says"
        (pod,) = waiting.result().pods
    assert (pod.cut, pod.rung, pod.since) == (True, documents.Rung.KILLED, 1795424000123), "its watchdog's own word"


def test_i10_deleting_and_making_the_policy_and_the_pod_anew_opens_nothing(fragile: conftest.World) -> None:
    opened(fragile)
    cluster = fragile.lab.cluster
    cluster.incidents.put(incident())
    eventually(lambda: ask(fragile), Rule.QUARANTINED, IN_FORCE_SECONDS)
    cluster.policies.delete(fragile.policy)
    cluster.pods.delete(fragile.pod)
    until(lambda: seen(fragile, ASKED).dead("pod-demo", gone_for=0))
    assert [pod.life for pod in seen(fragile, ASKED).pods] == [Life.GONE]
    fragile.policy["metadata"]["uid"] = "policy-anew"
    fragile.pod["metadata"]["uid"] = "pod-anew"
    cluster.policies.put(fragile.policy)
    cluster.pods.put(fragile.pod)
    until(lambda: gets_nothing(seen(fragile, SeenAsked(pods=("pod-anew",))), "pod-anew"))
    refused(ask(fragile), Rule.QUARANTINED)


def test_i08_the_last_known_incidents_stay_in_force_while_the_api_server_is_away(fragile: conftest.World) -> None:
    opened(fragile)
    fragile.lab.cluster.incidents.put(incident())
    eventually(lambda: ask(fragile), Rule.QUARANTINED, IN_FORCE_SECONDS)
    fragile.lab.cluster.close()
    fragile.lab.authorizer.await_line(event="unreachable", path=f"/apis/{contract.API_VERSION}/incidents")
    refused(ask(fragile), Rule.QUARANTINED)
    assert gets_nothing(seen(fragile, ASKED), "pod-demo")


def test_i08_an_authorizer_that_cannot_list_incidents_is_not_ready_and_opens_nothing(
    fragile: conftest.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(fragile)
    cluster = fragile.lab.cluster
    listed = cluster.collection
    monkeypatch.setattr(cluster, "collection", lambda path: None if path.endswith("/incidents") else listed(path))
    fresh = lab.start_authorizer(fragile.lab.directory, fragile.lab.volumes, cluster)
    try:
        started = fresh.await_line(event="started")
        until(lambda: lab.fetch(started["health"], "/readyz")[1] == b"waiting for incidents\n")
        found = seen(fragile, ASKED, port=started["reports"])
        assert (found.ready, found.degraded) == (False, "waiting for incidents")
        assert not gets_nothing(found, "pod-demo"), "what has not been read proves nothing"
        monkeypatch.undo()
        until(lambda: lab.fetch(started["health"], "/readyz")[0] == 200)
    finally:
        fresh.end()


def test_an_incident_that_cannot_be_read_is_said_and_harms_no_other(fragile: conftest.World) -> None:
    opened(fragile)
    fragile.lab.cluster.incidents.put(incident("odd", spec={"policyRef": []}))
    fragile.lab.authorizer.await_line(event="incident-unreadable", incident="odd")
    assert "odd" in seen(fragile, ASKED).degraded
    assert b'zaum_authorizer_incidents{state="unreadable"} 1.0' in lab.fetch(fragile.lab.health_port, "/metrics")[1]
    opened(fragile)
    fragile.lab.cluster.incidents.put(incident(spec={"policyRef": {"name": "demo"}, "action": ["Kill"]}))
    refused(eventually(lambda: ask(fragile), Rule.QUARANTINED, IN_FORCE_SECONDS), Rule.QUARANTINED)


def test_what_is_seen_is_for_the_operator_alone(world: conftest.World) -> None:
    opened(world)
    path = f"{contract.PATH_SEEN}?{ASKED.query()}"
    assert operator_side.ask(world.lab, world.token(), path=path)[0] == 401, "a watchdog's token"
    assert operator_side.ask(world.lab, None, path=path)[0] == 401
    assert operator_side.ask(world.lab, operator_side.token(world), path=path, method="POST")[0] == 404
    odd = f"{contract.PATH_SEEN}?pods={'x' * 65}"
    assert operator_side.ask(world.lab, operator_side.token(world), path=odd)[0] == 400


def test_as_much_as_may_be_asked_for_fits(world: conftest.World) -> None:
    opened(world)
    most = documents.ASKED_MAX
    pods = tuple(f"6e1c6f2e-2a4b-4b0e-9d55-8b3f0c0d{number:04d}" for number in range(most))
    names = tuple(("n" * 63, incidents.name("n" * 63, "p" * 48, uid)) for uid in pods)
    asked = SeenAsked(names, pods)
    assert seen(world, asked).ready
    assert json.loads(seen(world, asked).dump())["pods"] == []


def test_i12_an_incident_of_another_namespace_is_read_by_its_own_feed(scoped: conftest.World) -> None:
    opened(scoped)
    shares = scoped.lab.cluster.incident_shares
    elsewhere = incident()
    elsewhere["metadata"] |= {"namespace": "others", "uid": "elsewhere"}
    shares["others"].put(elsewhere)
    asked = SeenAsked((("agents", "demo-0123456789"), ("others", "demo-0123456789")))
    until(lambda: seen(scoped, asked).sees("others", "demo-0123456789", "elsewhere"))
    opened(scoped)
    shares["agents"].put(incident())
    eventually(lambda: ask(scoped), Rule.QUARANTINED, IN_FORCE_SECONDS)


def test_i09_a_replica_that_began_after_a_pod_had_gone_proves_its_identity_dead_all_the_same(
    fragile: conftest.World,
) -> None:
    unknown = SeenAsked((), ("pod-that-was",))
    opened(fragile)
    threading.Event().wait(authorizer.RELIST_SECONDS)
    # An asker that has begun just now has seen it gone for no longer than that.
    since = time.monotonic()
    until(lambda: seen(fragile, unknown).dead("pod-that-was", gone_for=time.monotonic() - since))
    opened(fragile)
