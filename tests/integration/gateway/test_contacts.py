"""Whoever speaks from a pod's address without the pod's credential latches the pod; a late watchdog does not."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.gateway import callers, conftest, lab, operator_side
from tests.integration.gateway.test_gateway import eventually, opened, refused, stranger
from tests.integration.gateway.test_signed_heads import ask_session, proof, session
from zaum_api import contract, documents

Rule = contract.Rule
NUMBERS = itertools.count(1)


@pytest.fixture
def lone(world: conftest.World) -> conftest.World:
    """A pod with a policy and an address of its own, which has a tunnel already."""
    opened(world)
    number = next(NUMBERS)
    agent = conftest.pod(f"lone{number}", f"127.0.1.{number}")
    here = conftest.World(world.lab, world.key, agent, conftest.policy(f"lone{number}", world.lab.tls_port))
    world.lab.cluster.policies.put(here.policy)
    world.lab.cluster.pods.put(agent)
    eventually(lambda: speak(here, here.token()), Rule.ALLOWED)
    return here


def source(world: conftest.World) -> str:
    return str(world.pod["status"]["podIP"])


def uid(world: conftest.World) -> str:
    return str(world.pod["metadata"]["uid"])


def speak(world: conftest.World, token: str | None, **more: Any) -> callers.Answer:
    return callers.ask(world.lab, world.authority, token=token, source=source(world), **more)


def contacts(world: conftest.World) -> Any:
    return operator_side.read(world)["contacts"]


def foreign(world: conftest.World) -> str:
    """The good token of another live pod."""
    return world.token(bound=bound_elsewhere())


def bound_elsewhere() -> dict[str, Any]:
    """What a token of another live pod says of it."""
    return {
        "namespace": "agents",
        "pod": {"name": "zaum-demo-0-abcde", "uid": "pod-demo"},
        "serviceaccount": {"name": "zaum-demo"},
    }


CONTACTS: dict[str, tuple[Callable[[conftest.World], callers.Answer], Rule]] = {
    "nothing": (lambda w: speak(w, None), Rule.TOKEN_MISSING),
    "nothing, and no CONNECT": (
        lambda w: callers.ask(w.lab, "/", token=None, source=source(w), method="GET"),
        Rule.TOKEN_MISSING,
    ),
    "nothing, at the sessions": (lambda w: ask_session(w, None, source=source(w)), Rule.TOKEN_MISSING),
    "nothing, in the open": (
        lambda w: callers.ask_plain(w.lab, w.authority, b"", source=source(w)),
        Rule.TOKEN_MISSING,
    ),
    "another pod's token": (lambda w: speak(w, foreign(w)), Rule.SOURCE_ADDRESS),
    "its own token for another audience": (lambda w: speak(w, w.token(aud=["zaum-ledger"])), Rule.TOKEN_INVALID),
    "alg none": (lambda w: speak(w, w.token(key="", algorithm="none")), Rule.TOKEN_INVALID),
    "a stranger's key under our key id": (lambda w: speak(w, w.token(key=stranger())), Rule.TOKEN_INVALID),
    "a token of another issuer": (
        lambda w: speak(w, w.token(key=stranger(), key_id="theirs", iss="https://elsewhere.test")),
        Rule.TOKEN_INVALID,
    ),
    "another pod's name in a token that ends at no time": (
        lambda w: speak(w, w.token(bound=bound_elsewhere(), key=stranger(), key_id="theirs", exp=10**400)),
        Rule.TOKEN_INVALID,
    ),
    "no token at all": (lambda w: speak(w, "x"), Rule.TOKEN_INVALID),
    "a token in the open": (
        lambda w: callers.ask_plain(
            w.lab, w.authority, f"Proxy-Authorization: Bearer {w.token()}\r\n".encode(), source=source(w)
        ),
        Rule.TOKEN_INVALID,
    ),
    "another pod's session": (
        lambda w: callers.ask_plain(w.lab, w.authority, proof(session(demo(w)), w.authority), source=source(w)),
        Rule.SOURCE_ADDRESS,
    ),
    "words for a signature": (
        lambda w: callers.ask_plain(w.lab, w.authority, b"Signature-Input: x\r\nSignature: y\r\n", source=source(w)),
        Rule.SIGNATURE_INVALID,
    ),
}


def demo(world: conftest.World) -> conftest.World:
    """The pod that every test of the module may use, and none spoils."""
    pod = conftest.pod("demo", "127.0.0.1")
    return conftest.World(world.lab, world.key, pod, conftest.policy("demo", world.lab.tls_port))


@pytest.mark.parametrize("kind", CONTACTS)
def test_i04_who_speaks_without_the_pods_credential_latches_the_pod(lone: conftest.World, kind: str) -> None:
    ask, rule = CONTACTS[kind]
    assert uid(lone) not in contacts(lone)
    before = int(time.time())
    refused(ask(lone), rule)
    assert uid(lone) in contacts(lone)
    found = contacts(lone)[uid(lone)]
    assert before <= found.pop("at") <= int(time.time())
    name = lone.pod["metadata"]["name"]
    assert found == {"uid": uid(lone), "namespace": "agents", "pod": name, "rule": rule.value}
    assert "pod-demo" not in contacts(lone), "whose credential it was has done nothing"
    lone.lab.authorizer.await_line(event="contact", uid=uid(lone), rule=rule.value)
    for token in (lone.token(), None, "x"):
        answer = speak(lone, token)
        refused(answer, Rule.LATCHED)
        assert answer.denial["allowedBy"] == "a new pod of the policy"
    refused(ask_session(lone, lone.token(), source=source(lone)), Rule.LATCHED)
    assert opened(demo(lone)).status == 200, "nobody else is latched"


LATE: dict[str, tuple[Callable[[conftest.World], callers.Answer], Rule]] = {
    "its own expired token": (lambda w: speak(w, w.token(exp=int(time.time()) - 60)), Rule.TOKEN_INVALID),
    "its own token of tomorrow": (lambda w: speak(w, w.token(nbf=int(time.time()) + 60)), Rule.TOKEN_INVALID),
    "its own token under a key that is not here yet": (
        lambda w: speak(w, w.token(key=stranger(), key_id="next")),
        Rule.TOKEN_INVALID,
    ),
    "its own token from before the issuer's name changed": (
        lambda w: speak(w, w.token(iss="https://before.test")),
        Rule.TOKEN_INVALID,
    ),
    "a host that the policy does not name": (
        lambda w: callers.ask(w.lab, "outlaw.example.net:443", token=w.token(), source=source(w)),
        Rule.HOST_NOT_NAMED,
    ),
}


@pytest.mark.parametrize("kind", LATE)
def test_a_watchdog_that_is_late_is_refused_and_not_latched(lone: conftest.World, kind: str) -> None:
    ask, rule = LATE[kind]
    refused(ask(lone), rule)
    assert uid(lone) not in contacts(lone)
    assert speak(lone, lone.token()).status == 200


def test_a_session_that_is_used_twice_is_no_contact(lone: conftest.World) -> None:
    answer = ask_session(lone, lone.token(), source=source(lone))
    head = proof(documents.Session.parse(answer.body), lone.authority)
    assert callers.ask_plain(lone.lab, lone.authority, head, source=source(lone)).status == 200
    refused(callers.ask_plain(lone.lab, lone.authority, head, source=source(lone)), Rule.REPLAYED)
    assert uid(lone) not in contacts(lone)


@pytest.mark.parametrize(
    ("method", "target", "more"),
    [("OPTIONS", "*", ""), ("GET", "/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"), ("GET", "/", "a_b: c\r\n")],
)
def test_what_envoy_itself_refuses_is_no_contact(lone: conftest.World, method: str, target: str, more: str) -> None:
    answer = callers.ask_plain(lone.lab, target, more.encode(), source=source(lone), method=method)
    assert answer.headers[contract.HEADER_RULE] == Rule.REQUEST_MALFORMED.value
    assert uid(lone) not in contacts(lone)
    refused(callers.ask_plain(lone.lab, "/", b"", source=source(lone), method="GET"), Rule.TOKEN_MISSING)
    assert uid(lone) in contacts(lone), "what reaches the authorizer is one"


def test_a_latch_ends_with_the_pod_alone(lone: conftest.World) -> None:
    refused(speak(lone, None), Rule.TOKEN_MISSING)
    lone.lab.cluster.pods.put(lone.pod | {"metadata": lone.pod["metadata"] | {"annotations": {"a": "b"}}})
    refused(speak(lone, lone.token()), Rule.LATCHED)
    lone.lab.cluster.pods.delete(lone.pod)
    eventually(lambda: speak(lone, lone.token()), Rule.POD_UNKNOWN)
    assert uid(lone) not in contacts(lone)


def test_no_contact_carries_what_was_presented(lone: conftest.World) -> None:
    token = lone.token(aud=["zaum-ledger"])
    refused(speak(lone, token), Rule.TOKEN_INVALID)
    lone.lab.envoy.await_line(source=source(lone), rule=Rule.TOKEN_INVALID.value)
    said = json.dumps([contacts(lone), lone.lab.envoy.lines, lone.lab.authorizer.lines])
    assert uid(lone) in said
    assert token.split(".")[1] not in said


def test_contacts_and_latches_are_counted(lone: conftest.World) -> None:
    refused(speak(lone, None), Rule.TOKEN_MISSING)
    _, text = lab.fetch(lone.lab.health_port, "/metrics")
    series = {
        key: float(value) for key, value in (line.split() for line in text.decode().splitlines() if line[0] != "#")
    }
    assert series['zaum_authorizer_contacts_total{rule="identity.tokenMissing"}'] >= 1
    assert series['zaum_authorizer_held{what="latches"}'] == len(contacts(lone))
