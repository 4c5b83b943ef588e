"""Sessions and signed heads at the real gateway. Each refusal differs from a 200 by one thing."""

import base64
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.gateway import callers, conftest, lab
from tests.integration.gateway.test_gateway import NOBODY, STATUS, eventually, opened, refused
from zaum_api import contract, documents
from zaum_egress import signed_head

Rule = contract.Rule
NUMBERS = itertools.count()


def ask_session(world: conftest.World, token: str | None, **more: Any) -> callers.Answer:
    return callers.ask(
        world.lab, contract.PATH_SESSION, token=token, method="GET", host=contract.GATEWAY_TLS_NAME, **more
    )


def session(world: conftest.World) -> documents.Session:
    opened(world)
    answer = ask_session(world, world.token())
    assert answer.status == 200, answer.body
    return documents.Session.parse(answer.body)


def proof(
    given: documents.Session,
    authority: str,
    *,
    created: int | None = None,
    nonce: str | None = None,
    edit: Callable[[str], str] = str,
) -> bytes:
    """Sign a head; `edit` changes the parameters after they were signed."""
    when = int(time.time()) if created is None else created
    said = signed_head.parameters(created=when, nonce=nonce or f"n{next(NUMBERS)}", key_id=given.key_id)
    return signed_head.headers(edit(said), signed_head.sign(given.key, authority, said))


def test_a_session_is_given_for_the_pods_token_and_its_signature_opens_a_tunnel(world: conftest.World) -> None:
    given = session(world)
    assert 590 <= given.seconds <= contract.TOKEN_SECONDS
    assert abs(given.now - time.time()) < 5
    authority = f"{conftest.HOST}:{world.lab.tcp_port}"
    answer = callers.ask_plain(world.lab, authority, proof(given, authority))
    assert answer.status == 200
    answer.tunnel.sendall(b"through the plain hop")
    assert answer.tunnel.recv(100) == b"through the plain hop"
    answer.tunnel.close()
    line = world.lab.envoy.await_line(
        event="tunnel", authority=authority, uid="pod-demo", protocol="HTTP/1.1", code=200
    )
    assert line["rule"] == Rule.ALLOWED.value


def test_a_session_ends_with_its_token(world: conftest.World) -> None:
    opened(world)
    answer = ask_session(world, world.token(exp=int(time.time()) + 60))
    assert documents.Session.parse(answer.body).seconds <= 60


def test_the_answer_must_not_be_kept_by_anybody(world: conftest.World) -> None:
    opened(world)
    answer = ask_session(world, world.token())
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


REFUSED_SESSIONS: dict[str, tuple[Callable[[conftest.World], callers.Answer], Rule]] = {
    "no token": (lambda w: ask_session(w, None, source=NOBODY), Rule.TOKEN_MISSING),
    "a token of another audience": (
        lambda w: ask_session(w, w.token(aud=["zaum-ledger"]), source=NOBODY),
        Rule.TOKEN_INVALID,
    ),
    "an expired token": (lambda w: ask_session(w, w.token(exp=int(time.time()) - 60)), Rule.TOKEN_INVALID),
    "a token from another address": (lambda w: ask_session(w, w.token(), source="127.0.0.2"), Rule.SOURCE_ADDRESS),
    "a token of a pod that is gone": (
        lambda w: ask_session(
            w,
            w.token(
                bound={
                    "namespace": "agents",
                    "pod": {"name": "zaum-demo-0-abcde", "uid": "gone"},
                    "serviceaccount": {"name": "zaum-demo"},
                }
            ),
        ),
        Rule.POD_UNKNOWN,
    ),
    "another path": (
        lambda w: callers.ask(w.lab, "/v1/sessions", token=w.token(), method="GET", host="x"),
        Rule.REQUEST_MALFORMED,
    ),
    "another method": (
        lambda w: callers.ask(w.lab, contract.PATH_SESSION, token=w.token(), method="PUT", host="x"),
        Rule.REQUEST_MALFORMED,
    ),
}


@pytest.mark.parametrize("kind", REFUSED_SESSIONS)
def test_i04_a_session_is_refused(world: conftest.World, kind: str) -> None:
    session(world)
    ask, rule = REFUSED_SESSIONS[kind]
    answer = ask(world)
    refused(answer, rule)
    assert b"key" not in answer.body.replace(b"zaum-", b"")


def bearer(world: conftest.World) -> bytes:
    return f"Proxy-Authorization: Bearer {world.token()}\r\n".encode()


Head = Callable[[conftest.World, documents.Session, str], bytes]
REFUSED_HEADS: dict[str, tuple[Head, Rule]] = {
    "nothing": (lambda w, s, a: b"", Rule.TOKEN_MISSING),
    "a good token, in the open": (lambda w, s, a: bearer(w), Rule.TOKEN_INVALID),
    "a good token beside a good signature": (lambda w, s, a: bearer(w) + proof(s, a), Rule.TOKEN_INVALID),
    "a stale signature": (lambda w, s, a: proof(s, a, created=int(time.time()) - 40), Rule.SIGNATURE_INVALID),
    "a signature from the future": (lambda w, s, a: proof(s, a, created=int(time.time()) + 40), Rule.SIGNATURE_INVALID),
    "another authority's": (lambda w, s, a: proof(s, "outlaw.example.net:443"), Rule.SIGNATURE_INVALID),
    "another pod's uid in the key id": (
        lambda w, s, a: proof(replace(s, key_id=s.key_id.replace("pod-demo", "pod-other")), a),
        Rule.SIGNATURE_INVALID,
    ),
    "a later end in the key id": (
        lambda w, s, a: proof(s, a, edit=lambda said: said.replace("/agents/", "9/agents/", 1)),
        Rule.SIGNATURE_INVALID,
    ),
    "another address in the key id": (
        lambda w, s, a: proof(replace(s, key_id=s.key_id.replace("127.0.0.1", "127.0.0.2")), a),
        Rule.SIGNATURE_INVALID,
    ),
    "an unknown master": (
        lambda w, s, a: proof(replace(s, key_id=s.key_id.replace("1/b/", "1/zz/", 1)), a),
        Rule.SIGNATURE_INVALID,
    ),
    "another key": (lambda w, s, a: proof(replace(s, key=b"x" * 32), a), Rule.SIGNATURE_INVALID),
    "two signatures": (lambda w, s, a: proof(s, a) + proof(s, a), Rule.SIGNATURE_INVALID),
    "half of one": (lambda w, s, a: proof(s, a).split(b"\r\n")[0] + b"\r\n", Rule.SIGNATURE_INVALID),
    "no words": (lambda w, s, a: b"Signature-Input: x\r\nSignature: y\r\n", Rule.SIGNATURE_INVALID),
}


@pytest.mark.parametrize("kind", REFUSED_HEADS)
def test_i04_a_head_that_is_not_the_pods_own_is_refused(world: conftest.World, kind: str) -> None:
    given = session(world)
    assert callers.ask_plain(world.lab, world.authority, proof(given, world.authority)).status == 200
    make, rule = REFUSED_HEADS[kind]
    head = make(world, given, world.authority)
    refused(callers.ask_plain(world.lab, world.authority, head, source=NOBODY), rule)


def test_i04_a_recorded_head_opens_nothing(world: conftest.World) -> None:
    given = session(world)
    recorded = proof(given, world.authority)
    assert callers.ask_plain(world.lab, world.authority, recorded).status == 200
    refused(callers.ask_plain(world.lab, world.authority, recorded), Rule.REPLAYED)


@pytest.mark.parametrize("name", ["", "X-Forwarded-For", "X-Real-IP", "X-Envoy-External-Address", "Forwarded"])
def test_i04_a_good_head_from_another_address_is_refused(world: conftest.World, name: str) -> None:
    given = session(world)
    forged = f"{name}: {'for=' if name == 'Forwarded' else ''}127.0.0.1\r\n".encode() if name else b""
    head = proof(given, world.authority) + forged
    refused(callers.ask_plain(world.lab, world.authority, head, source="127.0.0.2"), Rule.SOURCE_ADDRESS)


@pytest.mark.parametrize("name", ["X-Zaum-Pod", "X-Zaum-Policy", "X-Zaum-Rule", "X-Zaum-Listener", "Listener"])
def test_i04_a_forged_header_makes_nobody_of_the_caller(world: conftest.World, name: str) -> None:
    session(world)
    value = "tls" if name.endswith("istener") else "pod-demo"
    answer = callers.ask_plain(
        world.lab, world.authority, f"{name}: {value}\r\n".encode() + bearer(world), source=NOBODY
    )
    refused(answer, Rule.TOKEN_INVALID)


def test_i04_a_signature_counts_for_nothing_on_the_port_with_tls(world: conftest.World) -> None:
    given = session(world)
    lines = [line.partition(": ") for line in proof(given, world.authority).decode().split("\r\n") if line]
    headers = [(name, value) for name, _, value in lines]
    for token in (None, world.token()):
        answer = callers.ask(world.lab, world.authority, token=token, headers=headers, source=NOBODY)
        refused(answer, Rule.SIGNATURE_INVALID)


def test_i04_no_session_is_given_in_the_open(world: conftest.World) -> None:
    given = session(world)
    for head in (bearer(world), proof(given, contract.PATH_SESSION)):
        answer = callers.ask_plain(world.lab, contract.PATH_SESSION, head, method="GET", source=NOBODY)
        rule = Rule(answer.headers[contract.HEADER_RULE])
        assert rule in {Rule.TOKEN_INVALID, Rule.REQUEST_MALFORMED}
        assert answer.status == STATUS.get(rule, 403)


def test_i05_a_signed_head_opens_no_more_than_the_policy_names(world: conftest.World) -> None:
    given = session(world)
    for authority, rule in (
        ("outlaw.example.net:443", Rule.HOST_NOT_NAMED),
        (f"{conftest.HOST}:1", Rule.PORT_NOT_NAMED),
        ("127.0.0.1:443", Rule.HOST_IS_ADDRESS),
    ):
        refused(callers.ask_plain(world.lab, authority, proof(given, authority)), rule)


def test_keys_and_signatures_are_in_no_log(world: conftest.World) -> None:
    given = session(world)
    head = proof(given, world.authority, nonce="looked-for")
    assert callers.ask_plain(world.lab, world.authority, head).status == 200
    refused(callers.ask_plain(world.lab, world.authority, head), Rule.REPLAYED)
    world.lab.envoy.await_line(event="tunnel", rule=Rule.REPLAYED.value)
    signature = head.decode().rpartition("Signature: ")[2].strip()
    written = json.dumps(world.lab.envoy.lines + world.lab.authorizer.lines)
    assert "session keys" in written
    for secret in (base64.b64encode(given.key).decode(), given.key.hex(), signature, "looked-for"):
        assert secret not in written
    for master in world.lab.volumes.sessions.read().values():
        assert master.split()[2].decode() not in written


def test_rotating_the_master_keys_drops_nothing(fragile: conftest.World) -> None:
    given = session(fragile)
    authority = f"{conftest.HOST}:{fragile.lab.tcp_port}"
    before = callers.ask_plain(fragile.lab, authority, proof(given, authority))
    assert before.status == 200
    first = fragile.lab.volumes.sessions.read()["current"]
    fragile.lab.volumes.sessions_have(current=lab.master("c", age=0), previous=first)
    fragile.lab.authorizer.await_line(event="session keys", ids=["b", "c"])
    # Not every replica has the new key yet: sessions are made with the one that all have.
    assert session(fragile).key_id.startswith("1/b/")
    fragile.lab.volumes.sessions_have(current=lab.master("d", age=1000), previous=first)
    fragile.lab.authorizer.await_line(event="session keys", ids=["b", "d"])
    after = session(fragile)
    assert after.key_id.startswith("1/d/")
    for each in (given, after):
        assert callers.ask_plain(fragile.lab, authority, proof(each, authority)).status == 200
    before.tunnel.sendall(b"still here")
    assert before.tunnel.recv(100) == b"still here"


def test_lost_master_keys_are_said_and_unreadable_ones_keep_the_last(fragile: conftest.World) -> None:
    given = session(fragile)
    fragile.lab.volumes.sessions_have(current=b"nonsense")
    fragile.lab.authorizer.await_line(event="session keys", ids=[], kept=True)
    assert session(fragile).key_id.startswith("1/b/")
    fragile.lab.volumes.sessions_have(current=lab.master("e", age=0))
    fragile.lab.authorizer.await_line(event="session keys", ids=["e"])
    answer = callers.ask_plain(fragile.lab, fragile.authority, proof(given, fragile.authority))
    refused(answer, Rule.SIGNATURE_INVALID)
    again = session(fragile)
    assert callers.ask_plain(fragile.lab, fragile.authority, proof(again, fragile.authority)).status == 200


def test_a_pod_that_is_gone_gets_neither_session_nor_tunnel(fragile: conftest.World) -> None:
    given = session(fragile)
    pods, _ = fragile.lab.cluster.shares.get("agents", (fragile.lab.cluster.pods, fragile.lab.cluster.policies))
    pods.delete(fragile.pod)
    eventually(lambda: ask_session(fragile, fragile.token()), Rule.POD_UNKNOWN)
    refused(callers.ask_plain(fragile.lab, fragile.authority, proof(given, fragile.authority)), Rule.POD_UNKNOWN)
