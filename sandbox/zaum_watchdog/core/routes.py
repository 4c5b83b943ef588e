"""Decide what may be asked on routes, and write the head that goes to the upstream.

`/<route>/<path>?<query>` becomes `<base>/<path>?<query>` at the route's host, with the route's credential and without
whatever the client says of itself. An entry of `allow` names methods and a path: exactly that one, or everything below
it where it ends in `/*`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents, reading
from zaum_egress import hosts
from zaum_watchdog.core import headers, paths, refusals, requests

BODY_MAX: Final = 10 * 1024 * 1024
"""Bytes of a request's body."""
_SERVICE: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){2,}svc(?:\.[a-z0-9-]{1,63})*")
_BELOW: Final = "/*"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `allow`; `prefix` ends with a slash, and is empty where the path is exact."""

    methods: frozenset[str]
    path: str
    prefix: str

    def names(self, method: str, path: str) -> bool:
        """Say whether it allows that."""
        return method in self.methods and (path.startswith(self.prefix) if self.prefix else path == self.path)


@dataclass(frozen=True, slots=True)
class Route:
    """A route made ready to decide."""

    config: documents.Route
    authority: hosts.Authority
    entries: tuple[Entry, ...]
    host: bytes
    """The value of Host: without the port where it is the scheme's own."""
    dropped: frozenset[bytes]

    @property
    def name(self) -> str:
        """Give the name by which the agent calls it."""
        return self.config.name

    @staticmethod
    def of(config: documents.Route, place: str) -> "Route":
        """Prepare a route; raise DocumentError where the document cannot mean what it says."""
        authority = _authority(config, place)
        own = 443 if config.tls else 80
        dropped = set(headers.REQUEST_DROPPED)
        if config.credential is not None:
            dropped.add(config.credential.header.encode("ascii"))
        if _looked_into(config):
            dropped.add(b"accept-encoding")
        host = config.host if config.port == own else f"{config.host}:{config.port}"
        entries = tuple(_entry(item, f"{place}.allow[{index}]") for index, item in enumerate(config.allow))
        return Route(config, authority, entries, host.encode("ascii"), frozenset(dropped))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that its route allows."""

    route: Route
    request: requests.Request
    path: str
    """Below the route's base, in normal form."""
    would_deny: contract.Rule | None = None
    """The rule that would have refused it, in the mode Report."""


def table(config: documents.WatchdogConfig) -> Mapping[str, Route]:
    """Prepare the routes of a document by name; raise DocumentError for one that cannot be meant."""
    found: dict[str, Route] = {}
    for index, item in enumerate(config.routes):
        if item.name in found:
            raise reading.DocumentError(f"routes[{index}].name", "is there twice")
        found[item.name] = Route.of(item, f"routes[{index}]")
    return found


def decide(known: Mapping[str, Route], request: requests.Request) -> Asked | refusals.Refusal:
    """Decide route, method and path, and then the body's declared length."""
    name, slash, rest = request.target.path[1:].partition("/")
    path = slash + rest or "/"
    route = known.get(name)
    if route is None:
        names = ", ".join(sorted(known)) or "none"
        return refusals.Refusal(
            contract.Rule.ROUTE_UNKNOWN, f"the path's first segment names no route; the policy has: {names}",
            "spec.egress.routes with a route of that name",
        )  # fmt: skip
    at = route.authority
    if not any(entry.names(request.method, path) for entry in route.entries):
        return refusals.Refusal(
            contract.Rule.ROUTE_NOT_ALLOWED,
            f"route {name} does not allow {request.method} {path[:256]}",
            f"spec.egress.routes[name={name}].allow: [{{methods: [{request.method}], path: {path[:256]}}}]",
            at.host.name,
            at.port,
        )
    if request.length > BODY_MAX:
        return too_large(at)
    return Asked(route, request, path)


def stands(known: Mapping[str, Route], asked: Asked) -> bool:
    """Say whether a request that goes on may go on under other routes."""
    route, was = known.get(asked.route.name), asked.route.config
    return (
        route is not None
        and (route.authority, route.config.tls, route.config.base, route.config.credential)
        == (asked.route.authority, was.tls, was.base, was.credential)
        and any(entry.names(asked.request.method, asked.path) for entry in route.entries)
    )


def too_large(at: hosts.Authority) -> refusals.Refusal:
    """Refuse a body over the cap."""
    return refusals.Refusal(
        contract.Rule.REQUEST_TOO_LARGE, f"the body is larger than {BODY_MAX} bytes", "a smaller body",
        at.host.name, at.port,
    )  # fmt: skip


def no_credential(route: Route, problem: str) -> refusals.Refusal:
    """Refuse what cannot be asked without the route's key."""
    return refusals.Refusal(
        contract.Rule.ROUTE_CREDENTIAL, f"the credential of route {route.name} {problem}",
        f"the Secret and key that spec.egress.routes[name={route.name}].credential names",
        route.authority.host.name, route.authority.port,
    )  # fmt: skip


def head(asked: Asked, credential: bytes, *, length: int | None = None) -> bytes:
    """Write the head for the upstream, line by line anew; `credential` is empty where the route has none.

    `length`: the body's, where it is not the one that the request said.
    """
    route, request = asked.route, asked.request
    lines = headers.kept(request.headers, route.dropped, headers.REQUEST_DROPPED_PREFIXES, request.named)
    wanted = route.config.credential
    if wanted is not None:
        lines.append(b"%b: %b%b" % (wanted.header.encode("ascii"), wanted.prefix.encode("ascii"), credential))
    if _looked_into(route.config):
        lines.append(b"accept-encoding: identity")
    length = request.length if length is None else length
    if length == requests.CHUNKED:
        lines.append(b"transfer-encoding: chunked")
    elif length or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(b"content-length: %d" % length)
    path = (route.config.base + asked.path + request.target.query).encode("ascii")
    start = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (request.method.encode("ascii"), path, route.host)
    return start + b"".join([line + b"\r\n" for line in lines]) + b"\r\n"


def _looked_into(config: documents.Route) -> bool:
    """Say whether answers are asked for in plain: the credential, usage or personal data are looked for in them."""
    return config.credential is not None or config.api in documents.PRICED_APIS or config.redact is not None


def _authority(config: documents.Route, place: str) -> hosts.Authority:
    if config.service:
        if not _SERVICE.fullmatch(config.host):
            raise reading.DocumentError(f"{place}.host", "is no name of a Service (<name>.<namespace>.svc.<domain>)")
        return hosts.Authority(hosts.Host(config.host), config.port)
    host = hosts.parse_host(config.host)
    if isinstance(host, hosts.Malformed) or host.name != config.host:
        raise reading.DocumentError(f"{place}.host", "is no host name in canonical form")
    return hosts.Authority(host, config.port)


def _entry(item: documents.Allowed, place: str) -> Entry:
    path = item.path.removesuffix("*") if item.path.endswith(_BELOW) else item.path
    normal = paths.normalise(path)
    if isinstance(normal, paths.Malformed):
        raise reading.DocumentError(f"{place}.path", f"cannot be asked for: {normal.problem}")
    return Entry(frozenset(item.methods), normal, normal if path != item.path else "")
