"""What opens a tunnel at the gateway, and everything that does not. Each refusal differs from the 200 by one thing."""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc

from tests.integration.gateway import callers, conftest, lab, simulated_cluster
from zaum_api import contract

Rule = contract.Rule


PATIENCE_SECONDS = 15.0
KEYS_SECONDS = 15.0
"""Keys are asked for again ten seconds after the last time at the latest."""
IN_FORCE_SECONDS = 1.0
"""What is forbidden is refused within that time."""


def eventually(answer: Any, rule: Rule, seconds: float = PATIENCE_SECONDS) -> callers.Answer:
    """Ask until the rule decides, for at most `seconds`: what the watch delivers takes a moment."""
    deadline = time.monotonic() + seconds
    while True:
        got: callers.Answer = answer()
        if got.headers.get(contract.HEADER_RULE) == rule.value:
            return got
        assert time.monotonic() < deadline, f"{got.status} {got.headers} {got.body!r}"


def opened(world: conftest.World) -> callers.Answer:
    return eventually(lambda: callers.ask(world.lab, world.authority, token=world.token()), Rule.ALLOWED)


NOBODY = "127.0.0.66"
"""No pod lives here: who speaks from here without a credential is refused, and no pod is latched for it."""
STATUS = {Rule.TOKEN_MISSING: 407, Rule.REQUEST_MALFORMED: 400, Rule.REQUEST_TOO_LARGE: 413}


def refused(answer: callers.Answer, rule: Rule) -> None:
    assert answer.status == STATUS.get(rule, 403)
    assert answer.headers[contract.HEADER_RULE] == rule.value
    assert answer.headers["content-type"] == "application/json"
    assert answer.denial["rule"] == rule.value
    assert answer.denial["message"]


def test_a_named_host_is_reached_through_the_tunnel(world: conftest.World) -> None:
    answer = opened(world)
    assert answer.status == 200
    context = ssl.create_default_context(cafile=str(world.lab.ca))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = context.wrap_bio(incoming, outgoing, server_hostname=conftest.HOST)

    def step(action: Any) -> Any:
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                answer.tunnel.sendall(outgoing.read())
                incoming.write(answer.tunnel.recv(65536))

    step(inner.do_handshake)
    inner.write(b"hello from inside")
    answer.tunnel.sendall(outgoing.read())
    assert step(lambda: inner.read(100)) == b"hello from inside"


def test_connect_over_http2_opens_a_tunnel(world: conftest.World) -> None:
    opened(world)
    tunnel = callers.Http2Tunnel(world.lab, f"{conftest.HOST}:{world.lab.tcp_port}", world.token())
    assert tunnel.status == 200
    tunnel.send(b"over http/2")
    assert tunnel.receive(11) == b"over http/2"
    tunnel.close()


def test_connect_over_http2_without_a_token_is_refused(world: conftest.World) -> None:
    tunnel = callers.Http2Tunnel(world.lab, f"{conftest.HOST}:{world.lab.tcp_port}", None, source=NOBODY)
    assert tunnel.status == 407
    tunnel.close()


def test_i04_contact_without_a_token_is_refused_and_logged(world: conftest.World) -> None:
    opened(world)
    answer = callers.ask(world.lab, world.authority, token=None, source=NOBODY)
    refused(answer, Rule.TOKEN_MISSING)
    assert answer.headers["proxy-authenticate"].startswith("Bearer ")
    line = world.lab.authorizer.await_line(event="decision", rule=Rule.TOKEN_MISSING.value)
    assert line["source"] == NOBODY


def stranger() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def edited(world: conftest.World) -> str:
    """The pod's own token with another pod's uid in the claims and the signature of the original."""
    head, _, signature = world.token().split(".")
    another = {"namespace": "agents", "pod": {"name": "x", "uid": "y"}}
    claims = world.token(bound=another).split(".")[1]
    return f"{head}.{claims}.{signature}"


FORGED: dict[str, Callable[[conftest.World], str]] = {
    "another audience": lambda w: w.token(aud=["zaum-ledger"]),
    "two audiences": lambda w: w.token(aud=[contract.AUDIENCE_EGRESS, "zaum-ledger"]),
    "the API server's audience": lambda w: w.token(aud=[simulated_cluster.ISSUER]),
    "expired": lambda w: w.token(exp=int(time.time()) - 60),
    "not valid yet": lambda w: w.token(nbf=int(time.time()) + 60),
    "another issuer": lambda w: w.token(iss="https://elsewhere.test"),
    "no pod": lambda w: w.token(bound={"namespace": "agents", "serviceaccount": {"name": "zaum-demo"}}),
    "alg none": lambda w: w.token(key="", algorithm="none"),
    "an HMAC": lambda w: w.token(key="x" * 64, algorithm="HS256"),
    "a stranger's key under our key id": lambda w: w.token(key=stranger()),
    "an unknown key id": lambda w: w.token(key_id="nobody's"),
    "edited claims": edited,
    "two tokens": lambda w: f"{w.token()}, Bearer {w.token()}",
    "no token at all": lambda w: "x",
}


@pytest.mark.parametrize("kind", FORGED)
def test_i04_a_token_that_proves_nothing_is_refused(world: conftest.World, kind: str) -> None:
    opened(world)
    answer = callers.ask(world.lab, world.authority, token=FORGED[kind](world), source=NOBODY)
    refused(answer, Rule.TOKEN_INVALID)


def test_i04_a_good_token_in_a_second_header_does_not_help(world: conftest.World) -> None:
    opened(world)
    twice = [("Proxy-Authorization", f"Bearer {world.token()}")]
    answer = callers.ask(world.lab, world.authority, token="x", headers=twice, source=NOBODY)
    refused(answer, Rule.TOKEN_INVALID)


def test_i04_a_token_of_a_pod_that_is_not_there_is_refused(world: conftest.World) -> None:
    bound = {"namespace": "agents", "pod": {"name": "zaum-demo-0-abcde", "uid": "gone"}}
    token = world.token(bound={**bound, "serviceaccount": {"name": "zaum-demo"}})
    refused(callers.ask(world.lab, world.authority, token=token), Rule.POD_UNKNOWN)


def test_i04_a_stolen_token_from_another_address_is_refused(world: conftest.World) -> None:
    opened(world)
    answer = callers.ask(world.lab, world.authority, token=world.token(), source="127.0.0.2")
    refused(answer, Rule.SOURCE_ADDRESS)


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Envoy-External-Address"])
def test_i04_a_forged_header_does_not_change_the_address(world: conftest.World, name: str) -> None:
    opened(world)
    headers = [(name, "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1")]
    answer = callers.ask(world.lab, world.authority, token=world.token(), source="127.0.0.3", headers=headers)
    refused(answer, Rule.SOURCE_ADDRESS)


def test_i04_forged_identity_headers_are_overwritten(world: conftest.World) -> None:
    opened(world)
    host = f"{conftest.HOST}:{world.lab.tcp_port}"
    forged = [("X-Zaum-Policy", "other/policy"), ("X-Zaum-Pod", "forged"), ("X-Zaum-Else", "forged")]
    answer = callers.ask(world.lab, host, token=world.token(), headers=forged)
    assert answer.status == 200
    answer.tunnel.close()
    line = world.lab.envoy.await_line(authority=host, protocol="HTTP/1.1", code=200)
    assert (line["policy"], line["uid"]) == ("agents/demo", "pod-demo")
    # Nobody overwrites them where the answer is no.
    refused(callers.ask(world.lab, host, token="x", source="127.0.0.5", headers=forged), Rule.TOKEN_INVALID)
    line = world.lab.envoy.await_line(source="127.0.0.5", rule=Rule.TOKEN_INVALID.value)
    assert (line["policy"], line["uid"]) == (None, None)
    assert "forged" not in json.dumps([*world.lab.envoy.lines, *world.lab.authorizer.lines])


def test_i15_no_log_carries_a_token(world: conftest.World) -> None:
    token = world.token()
    callers.ask(world.lab, world.authority, token=token, source="127.0.0.4")
    world.lab.envoy.await_line(source="127.0.0.4")
    logs = json.dumps([*world.lab.envoy.lines, *world.lab.authorizer.lines])
    assert token not in logs
    assert token.split(".")[1] not in logs


@pytest.mark.parametrize(
    ("authority", "rule"),
    [
        ("outlaw.example.net:443", Rule.HOST_NOT_NAMED),
        (f"{conftest.HOST}:1", Rule.PORT_NOT_NAMED),
        ("127.0.0.1:443", Rule.HOST_IS_ADDRESS),
        ("[::1]:443", Rule.HOST_IS_ADDRESS),
        ("0x7f000001:443", Rule.HOST_IS_ADDRESS),
        ("2130706433:443", Rule.HOST_IS_ADDRESS),
        ("kubernetes.default.svc:443", Rule.HOST_MALFORMED),
        ("kubernetes.default.svc.cluster.local:443", Rule.HOST_MALFORMED),
        ("localhost:443", Rule.HOST_MALFORMED),
    ],
)
def test_i05_what_the_policy_does_not_name_is_refused(world: conftest.World, authority: str, rule: Rule) -> None:
    opened(world)
    refused(callers.ask(world.lab, authority, token=world.token()), rule)


@pytest.mark.parametrize("spelling", ["DOCS.Example.COM", "docs.example.com."])
def test_i05_another_spelling_of_a_named_host_is_the_same_host(world: conftest.World, spelling: str) -> None:
    opened(world)
    assert callers.ask(world.lab, f"{spelling}:{world.lab.tcp_port}", token=world.token()).status == 200


def test_i05_the_host_that_is_decided_is_the_host_that_is_dialled(world: conftest.World) -> None:
    opened(world)
    named, other = f"{conftest.HOST}:{world.lab.tcp_port}", f"outlaw.example.net:{world.lab.tcp_port}"
    before = len(world.lab.asked)
    refused(callers.ask(world.lab, other, token=world.token(), host=named), Rule.HOST_NOT_NAMED)
    answer = callers.ask(world.lab, named, token=world.token(), host=other)
    assert answer.status in {200, 400, 403}
    assert "outlaw.example.net" not in world.lab.asked[before:], "a Host header must not choose what is dialled"


def test_i05_names_are_resolved_without_search_domains(world: conftest.World) -> None:
    opened(world).tunnel.close()
    ledger = f"{contract.LEDGER_SERVICE}.zaum-system.svc.cluster.local"
    assert set(world.lab.asked) <= {*conftest.RECORDS, ledger}, "whole names, and nothing behind them"


@pytest.mark.parametrize(
    ("newest", "accepted"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (None, True)]
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(world: conftest.World, newest: ssl.TLSVersion | None, accepted: bool) -> None:
    try:
        version = callers.dial(world.lab, newest=newest).version()
    except ssl.SSLError:
        version = None
    assert (version is not None) is accepted


def test_plain_text_is_refused(world: conftest.World) -> None:
    with socket.create_connection(("127.0.0.1", world.lab.gateway_port), timeout=5) as plain:
        plain.sendall(f"CONNECT {world.authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(100)
    assert not answer.startswith(b"HTTP")


def test_anything_but_connect_is_refused(world: conftest.World) -> None:
    opened(world)
    answer = callers.ask(world.lab, "http://docs.example.com/", token=world.token(), method="GET")
    refused(answer, Rule.REQUEST_MALFORMED)


def test_a_policy_that_is_deleted_opens_nothing_within_a_second(world: conftest.World) -> None:
    port = world.lab.tls_port
    mine, agent = conftest.policy("shortlived", port), conftest.pod("shortlived", "127.0.0.7")
    world.lab.cluster.policies.put(mine)
    world.lab.cluster.pods.put(agent)
    here = conftest.World(world.lab, world.key, agent, mine)

    def ask() -> callers.Answer:
        return callers.ask(world.lab, here.authority, token=here.token(), source="127.0.0.7")

    eventually(ask, Rule.ALLOWED)
    world.lab.cluster.policies.delete(mine)
    refused(eventually(ask, Rule.POLICY_GONE, IN_FORCE_SECONDS), Rule.POLICY_GONE)


def test_a_quarantined_pod_is_refused_and_says_so(world: conftest.World) -> None:
    agent = conftest.pod("caught", "127.0.0.8")
    here = conftest.World(world.lab, world.key, agent, conftest.policy("caught", world.lab.tls_port))
    world.lab.cluster.policies.put(here.policy)
    world.lab.cluster.pods.put(agent)

    def ask() -> callers.Answer:
        return callers.ask(world.lab, here.authority, token=here.token(), source="127.0.0.8")

    eventually(ask, Rule.ALLOWED)
    world.lab.cluster.pods.put(conftest.pod("caught", "127.0.0.8", **{contract.LABEL_QUARANTINED: "true"}))
    answer = eventually(ask, Rule.QUARANTINED, IN_FORCE_SECONDS)
    refused(answer, Rule.QUARANTINED)
    assert answer.denial["policy"] == "agents/caught"


def test_a_name_that_does_not_resolve_is_answered_with_our_rule(world: conftest.World) -> None:
    agent = conftest.pod("nowhere", "127.0.0.9")
    policy = conftest.policy("nowhere", 443, host="missing.example.com")
    here = conftest.World(world.lab, world.key, agent, policy)
    world.lab.cluster.policies.put(here.policy)
    world.lab.cluster.pods.put(agent)

    def ask() -> callers.Answer:
        return callers.ask(world.lab, "missing.example.com:443", token=here.token(), source="127.0.0.9")

    answer = eventually(ask, Rule.UPSTREAM_UNAVAILABLE)
    assert answer.status == 503
    assert answer.denial["rule"] == Rule.UPSTREAM_UNAVAILABLE.value


def test_a_rotated_key_is_taken_up_with_its_first_token(world: conftest.World) -> None:
    rotated = stranger()
    world.lab.cluster.keys["second"] = rotated.public_key()

    def ask() -> callers.Answer:
        return callers.ask(world.lab, world.authority, token=world.token(key=rotated, key_id="second"))

    eventually(ask, Rule.ALLOWED, KEYS_SECONDS)


def test_pages_for_kubelet_and_scraper(world: conftest.World) -> None:
    opened(world)
    assert lab.fetch(world.lab.ready_port, "/ready")[0] == 200
    assert lab.fetch(world.lab.health_port, "/healthz")[0] == 200
    status, text = lab.fetch(world.lab.health_port, "/metrics")
    assert status == 200
    assert b'zaum_authorizer_decisions_total{rule="egress.allowed"}' in text


def test_i08_a_dead_authorizer_opens_nothing(fragile: conftest.World) -> None:
    opened(fragile)
    fragile.lab.authorizer.kill()
    refused(callers.ask(fragile.lab, fragile.authority, token=fragile.token()), Rule.GATEWAY_UNAVAILABLE)


def test_i08_the_last_known_state_stays_in_force_while_the_api_server_is_away(fragile: conftest.World) -> None:
    opened(fragile)
    fragile.lab.cluster.close()
    fragile.lab.authorizer.await_line(event="unreachable")
    opened(fragile)
    answer = callers.ask(fragile.lab, "outlaw.example.net:443", token=fragile.token())
    refused(answer, Rule.HOST_NOT_NAMED)


def question(running: lab.Lab, stem: str | None) -> grpc.StatusCode:
    """Ask the authorizer itself, with the certificate `<stem>.crt` or without one; give the call's status."""
    pair = [(running.directory / f"{stem}{end}").read_bytes() if stem else None for end in (".key", ".crt")]
    credentials = grpc.ssl_channel_credentials(running.ca.read_bytes(), *pair)
    options = [("grpc.ssl_target_name_override", contract.AUTHORIZER_TLS_NAME)]
    with grpc.secure_channel(f"127.0.0.1:{running.authorizer_port}", credentials, options) as channel:
        try:
            external_auth_pb2_grpc.AuthorizationStub(channel).Check(external_auth_pb2.CheckRequest(), timeout=5)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("stem", "status"),
    [
        ("client", grpc.StatusCode.OK),
        ("stranger", grpc.StatusCode.PERMISSION_DENIED),
        ("tls", grpc.StatusCode.PERMISSION_DENIED),
        (None, grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_only_the_gateway_may_ask_the_authorizer(world: conftest.World, stem: str, status: grpc.StatusCode) -> None:
    assert question(world.lab, stem) is status


def test_the_ledgers_name_is_led_to_our_service_and_never_looked_up_outside(world: conftest.World) -> None:
    opened(world).tunnel.close()
    answer = callers.ask(world.lab, f"{contract.LEDGER_TLS_NAME}:{contract.LEDGER_PORT}", token=world.token())
    assert answer.status == 503, "the lab has no ledger"
    assert contract.LEDGER_TLS_NAME not in world.lab.asked
    refused(callers.ask(world.lab, f"{contract.LEDGER_TLS_NAME}:443", token=world.token()), Rule.HOST_NOT_NAMED)
