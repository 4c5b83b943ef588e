"""Group 2: the gateway itself, past the watchdog."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tests.battery.lines import Attempt, Control, Needs, Probe, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

OK: Final = addresses.WEBSITE_NAME
EVIL: Final = addresses.OUTLAW_NAME
Rule = contract.Rule
OWN_TOKEN: Final = "own token, other target"
"""The line whose attempts are no breach."""
OWN: Final = "own"
"""The pod's own valid token, which no agent can read: the control, and the base of forgeries."""
TLS: Final = {"sni": contract.GATEWAY_TLS_NAME, "alpn": ["http/1.1"]}
BAD: Final = {
    "none at all": "",
    "no dots": "battery",
    "three words": "x.y.z",
    "another policy's": "other policy",
    "another audience": "other audience",
    "the API server's audience": "api audience",
    "another ServiceAccount's": "other account",
    "not bound to a pod": "unbound",
    "expired": "expired",
    "not valid yet": "early",
    "alg none": "alg none",
    "alg None": "alg None",
    "HS256 by the public key": "hs256",
    "edited claims": "edited",
    "edited signature": "cut signature",
    "no signature": "no signature",
    "signed by another key": "other key",
    "a key id that is a path": "kid path",
    "another issuer": "other issuer",
}


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Knock, with everything that looks like a credential."""
    for address in stage.gateway:
        for variant, name in BAD.items():
            token = stage.tokens.get(name, name if name in {"battery", "x.y.z"} else "")
            header = [f"Proxy-Authorization: Bearer {token}"] if token or variant != "none at all" else []
            yield _at(stage, address, "no credential, or a bad one", variant, header)
    own, first = stage.tokens.get(OWN, ""), stage.gateway[0]
    for variant, lines in FORGED.items():
        yield _at(stage, first, "forged identity headers", variant, lines)
    for scheme in ("Basic", "bearer x", "Bearer Bearer", "Negotiate"):
        yield _at(stage, first, "other schemes", scheme, [f"Proxy-Authorization: {scheme} {own}"])
    yield _at(stage, first, "two credentials", "a bad one first", _two("x.y.z", own))
    yield _at(stage, first, "two credentials", "a bad one last", _two(own, "x.y.z"))
    yield _at(stage, first, "the token elsewhere", "Authorization", [f"Authorization: Bearer {own}"])
    yield _at(stage, first, "the token elsewhere", "Cookie", [f"Cookie: token={own}"])
    for variant, target, host, rule in (
        ("Host of the policy, target of another", f"{EVIL}:443", f"{OK}:443", Rule.HOST_NOT_NAMED),
        ("a host that nobody named", f"{EVIL}:443", f"{EVIL}:443", Rule.HOST_NOT_NAMED),
        ("an address", f"{addresses.OUTLAW_IPV4}:443", f"{OK}:443", Rule.HOST_IS_ADDRESS),
        ("the API server", f"{addresses.NODE_IPV4}:{addresses.API_PORT}", f"{OK}:443", Rule.HOST_IS_ADDRESS),
        ("another port", f"{OK}:8443", f"{OK}:8443", Rule.PORT_NOT_NAMED),
    ):
        yield replace(
            _at(stage, first, OWN_TOKEN, variant, _bearer(own), target=target, host=host), rules=frozenset({rule.value})
        )
    for sni in (OK, EVIL, "", contract.AUTHORIZER_TLS_NAME):
        tls = {"sni": sni or None, "alpn": ["http/1.1"]}
        yield _at(stage, first, "the policy's Host, another SNI", sni or "none", [], tls=tls)
    for method, target in (("GET", "/"), ("GET", f"https://{OK}/"), ("POST", contract.PATH_REPORT)):
        yield _at(stage, first, "no CONNECT", f"{method} {target}", [], request=f"{method} {target}")
    yield from _paths(stage, first)
    yield from _signed(stage)


FORGED: Final = {
    "X-Forwarded-For": ["X-Forwarded-For: 10.244.0.1"],
    "X-Zaum-Pod": ["X-Zaum-Pod: 1", "X-Zaum-Policy: other"],
    "X-Envoy": ["X-Envoy-Internal: true", "X-Envoy-External-Address: 10.244.0.1"],
    "Forwarded": ["Forwarded: for=10.244.0.1;host=docs.example.com"],
    "X-Real-IP": ["X-Real-IP: 10.244.0.1"],
    "underscores": ["Proxy_Authorization: Bearer x.y.z"],
}


def _paths(stage: Stage, address: str) -> Iterator[Attempt]:
    """Ask for what watchdogs ask for, without their token."""
    for path in (
        contract.PATH_SESSION,
        contract.PATH_REPORT,
        contract.PATH_REPORTS,
        "/ready",
        "/metrics",
        "/config_dump",
    ):
        yield _at(stage, address, "the gateway's own paths", path, [], request=f"GET {path}")


def _signed(stage: Stage) -> Iterator[Attempt]:
    """Knock at the port for signed heads, where a token is no credential."""
    own = stage.tokens.get(OWN, "")
    sample = 'zaum=("@method" "@authority");created=1;nonce="AAAA";keyid="zaum";alg="hmac-sha256"'
    for address in stage.gateway:
        for variant, lines in {
            "none at all": [],
            "own token": _bearer(own),
            "a signature of zeroes": [f"Signature-Input: {sample}", f"Signature: zaum=:{'A' * 43}=:"],
            "an empty signature": [f"Signature-Input: {sample}", "Signature: zaum=::"],
            "no input": [f"Signature: zaum=:{'A' * 43}=:"],
            "two signatures": [f"Signature-Input: {sample}", f"Signature: zaum=:{'A' * 43}=:, b=:{'B' * 43}=:"],
            "a token and a bad signature": [*_bearer(own), f"Signature-Input: {sample}", "Signature: zaum=:AA==:"],
        }.items():
            found = _at(stage, address, "signed hop: no signature, or a bad one", variant, lines, signed=True)
            yield found
        for path in (contract.PATH_SESSION, contract.PATH_REPORT):
            yield _at(
                stage,
                address,
                "signed hop: paths of the TLS hop",
                path,
                _bearer(own),
                request=f"GET {path}",
                signed=True,
            )


def _at(
    stage: Stage, address: str, line: str, variant: str, lines: list[str], *, target: str = f"{OK}:443",
    host: str = f"{OK}:443", tls: object = TLS, request: str = "", signed: bool = False,
) -> Attempt:  # fmt: skip
    head = "\r\n".join([f"{request or f'CONNECT {target}'} HTTP/1.1", f"Host: {host}", *lines, "", ""])
    port = contract.GATEWAY_SIGNED_PORT if signed else contract.GATEWAY_PORT
    probe: dict[str, object] = {"kind": "head", "to": [address, port], "parts": [head]}
    if not signed:
        probe["tls"] = tls
    needs = Needs.SIGNED_HOP if signed else Needs.NOTHING
    shown = f"{variant}, {'v6' if ':' in address else 'v4'}"
    return Attempt(2, line, shown, probe, _control(stage, address), Witness.RULE, records=0, needs=needs)


def _control(stage: Stage, address: str) -> Control:
    """The pod's own token by the same prober: the gateway answers it."""
    lines = [f"CONNECT {OK}:443 HTTP/1.1", f"Host: {OK}:443", *_bearer(stage.tokens.get(OWN, "")), "", ""]
    probe: Probe = {
        "kind": "head", "to": [address, contract.GATEWAY_PORT], "tls": TLS, "parts": ["\r\n".join(lines)]
    }  # fmt: skip
    return Control(Where.AGENT, probe)


def _bearer(token: str) -> list[str]:
    return [f"Proxy-Authorization: Bearer {token}"]


def _two(first: str, second: str) -> list[str]:
    return [*_bearer(first), *_bearer(second)]
