"""Group 9: redirects, Alt-Svc, headers by which a client claims to be somebody, and credentials that go astray."""

from collections.abc import Iterator
from typing import Any, Final

from tests.battery.groups.http import ROUTE
from tests.battery.groups.names import CONTROL, UNNAMED, connect
from tests.battery.lines import Attempt, Control, Needs, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

API: Final = addresses.API_NAME
EVIL: Final = addresses.OUTLAW_NAME
SECRET: Final = "battery-credential"
"""The name of the Secret whose key the route injects; the value is made at run time."""
BACKWARDS: Final = "/v1/headers/backwards"
"""Backwards, or the injected credential that is among them would end the answer."""
ROUTE_SECRET: Final = "route secret"
NO_SECRET: Final = "the run's own value"
"""Where the lines are only listed."""
PLACEHOLDER: Final = "zaum-placeholder"
IDENTITY: Final = (
    "Connection: X-Zaum-Pod\r\nX-Zaum-Pod: 1", "Connection: Proxy-Authorization, close", "X-Zaum-Policy: other/policy",
    "X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "Via: 1.1 zaum", "X-Real-IP: 10.0.0.1",
    "Proxy-Authorization: Bearer x.y.z", "Authorization: Bearer x.y.z", "Proxy-Connection: keep-alive", "TE: trailers",
    "Keep-Alive: timeout=9999", "Upgrade: websocket", "X-HTTP-Method-Override: CONNECT", "X-Original-URL: /admin",
)  # fmt: skip
OWN_CREDENTIALS: Final = (
    "Authorization: Bearer of-the-client", "Proxy-Authorization: Bearer of-the-client", "Cookie: key=of-the-client",
    "x-api-key: of-the-client", "api-key: of-the-client", "x-goog-api-key: of-the-client",
    "X-Forwarded-For: of-the-client", "Forwarded: for=of-the-client", "Via: of-the-client", "X-Real-IP: of-the-client",
    "X-Zaum-Pod: of-the-client", "Connection: X-Mine\r\nX-Mine: of-the-client", "Connection: Authorization",
    "TE: of-the-client", "Keep-Alive: of-the-client", "Upgrade: of-the-client",
)  # fmt: skip


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Follow, pretend, and take along."""
    yield from _pointers()
    for header in IDENTITY:
        control = Control(Where.AGENT, connect(f"{addresses.WEBSITE_NAME}:443", "User-Agent: battery"))
        probe = connect(f"{EVIL}:443", header)
        yield Attempt(
            9, "identity headers at a CONNECT", header.replace("\r\n", ", "), probe, control, Witness.RULE, UNNAMED
        )
    for header in ("Authorization", "x-api-key"):
        probe = connect(f"{EVIL}:443", f"{header}: {PLACEHOLDER}")
        yield Attempt(9, "the placeholder to another host", header, probe, CONTROL, Witness.RULE, UNNAMED)
    yield from _routes(stage)


def _pointers() -> Iterator[Attempt]:
    """An allowed host points elsewhere; a client that goes there is refused, whatever pointed."""
    there: dict[str, Any] = {"kind": "tunnel", "host": EVIL, "path": "/?{id}"}
    back = Control(Where.AGENT, {"kind": "tunnel", "host": API, "path": "/v1/headers?control"})
    for status in (301, 302, 303, 307, 308):
        first = {"host": API, "path": f"/v1/redirect?to=https://{EVIL}/&status={status}"}
        probe = {"kind": "chained", "first": first, "header": "location", "word": EVIL, "then": there}
        yield Attempt(9, "redirects", f"{status}", probe, back, Witness.RULE, UNNAMED)
    first = {"host": API, "path": f"/v1/redirect?to=http://{addresses.METADATA_IPV4}/latest/meta-data/"}
    literal = {"kind": "tunnel", "host": addresses.METADATA_IPV4, "port": 80}
    probe = {"kind": "chained", "first": first, "header": "location", "word": addresses.METADATA_IPV4, "then": literal}
    rules = frozenset({contract.Rule.HOST_IS_ADDRESS.value})
    yield Attempt(9, "redirects", "to the metadata service", probe, back, Witness.RULE, rules)
    probe = {
        "kind": "chained",
        "first": {"host": API, "path": "/v1/alternative"},
        "header": "alt-svc",
        "word": EVIL,
        "then": there,
    }
    yield Attempt(9, "Alt-Svc", "another host", probe, back, Witness.RULE, UNNAMED)


def _routes(stage: Stage) -> Iterator[Attempt]:
    """At a route: nothing of the client's identity arrives, nothing of the injected credential comes back."""
    yield from _dropped()
    for how in ("", "/split", "/base64", "/header"):
        probe = _get(f"/v1/credential{how}")
        rules = frozenset({contract.Rule.ROUTE_ECHO.value})
        # Echoed behind the head, the answer is cut: the status is gone by then, the key never comes.
        probe |= {"kind": "leak", "secret": stage.tokens.get(ROUTE_SECRET, NO_SECRET)}
        yield _route("an upstream that echoes the credential", how or "body", probe, Witness.FAR_END, rules)
    for status in (302, 307):
        probe = _get(f"/v1/redirect?to=https://{EVIL}/&status={status}")
        yield _route("a route does not follow redirects", f"{status}", probe, Witness.FAR_END, frozenset())
    probe = _get(BACKWARDS, "Upgrade: websocket", "Connection: Upgrade")
    yield _route("upgrade at a route", "websocket", probe | {"kind": "upgraded"}, Witness.FAR_END, frozenset())


def _dropped() -> Iterator[Attempt]:
    for header in OWN_CREDENTIALS:
        probe = _get(BACKWARDS, header) | {"kind": "leak", "secret": "of-the-client"[::-1]}
        shown = header.replace("\r\n", ", ")
        yield _route("the client's own credentials at a route", shown, probe, Witness.FAR_END, frozenset())


def _route(line: str, variant: str, probe: dict[str, Any], witness: Witness, rules: frozenset[str]) -> Attempt:
    control = Control(Where.AGENT, _get(BACKWARDS))
    return Attempt(9, line, variant, probe, control, witness, rules, records=0, needs=Needs.ROUTES)


def _get(path: str, *headers: str) -> dict[str, Any]:
    lines = [f"GET /{ROUTE}{path} HTTP/1.1", "Host: 127.0.0.1:15002", *headers, "Connection: close", "", ""]
    if any(line.lower().startswith("connection:") for line in headers):
        lines.remove("Connection: close")
    return {"kind": "head", "to": "routes", "parts": ["\r\n".join(lines)]}
