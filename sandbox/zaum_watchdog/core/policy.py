"""A config document made ready to decide, and the one ordered chain by which a request is admitted."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from zaum_api import contract, documents, reading
from zaum_egress import hosts
from zaum_watchdog.core import heads, rate, refusals, requests, routes

DENIED: Final = frozenset(
    {
        contract.Rule.HOST_NOT_NAMED,
        contract.Rule.PORT_NOT_NAMED,
        contract.Rule.HOST_MALFORMED,
        contract.Rule.HOST_IS_ADDRESS,
        contract.Rule.PLAIN_HTTP,
        contract.Rule.UPSTREAM_ADDRESS,
        contract.Rule.SNI_MISSING,
        contract.Rule.SNI_MISMATCH,
        contract.Rule.SNI_MALFORMED,
        contract.Rule.REQUEST_MALFORMED,
        contract.Rule.REQUEST_TOO_LARGE,
        contract.Rule.HEAD_TOO_LARGE,
        contract.Rule.ROUTE_UNKNOWN,
        contract.Rule.ROUTE_NOT_ALLOWED,
        contract.Rule.ROUTE_HEADER,
    }
)
"""What counts for the detector of denied requests: attempts at the forbidden. Throttling and outages do not."""
WOULD_DENY: Final = frozenset(
    {
        contract.Rule.HOST_NOT_NAMED,
        contract.Rule.PORT_NOT_NAMED,
        contract.Rule.CONNECTIONS,
        contract.Rule.REQUESTS_PER_MINUTE,
        contract.Rule.TOKENS_PER_MINUTE,
        contract.Rule.TOKENS_PER_DAY,
        contract.Rule.COST_PER_DAY,
        contract.Rule.BYTES_OUT_PER_HOUR,
        contract.Rule.BYTES_IN_PER_HOUR,
        contract.Rule.LEDGER_UNAVAILABLE,
    }
)
"""What the mode Report lets pass, and counts. No other rule is touched by it."""
OUTAGES: Final = frozenset(
    {
        contract.Rule.TOKEN_MISSING,
        contract.Rule.SIGNATURE_INVALID,
        contract.Rule.REPLAYED,
        contract.Rule.POLICY_NOT_READY,
        contract.Rule.GATEWAY_UNAVAILABLE,
        contract.Rule.UPSTREAM_UNAVAILABLE,
        contract.Rule.UPSTREAM_TLS,
        contract.Rule.UPSTREAM_MALFORMED,
        contract.Rule.ROUTE_CREDENTIAL,
        contract.Rule.ROUTE_SERVICE,
        contract.Rule.EXPIRED,
        contract.Rule.LEDGER_UNAVAILABLE,
    }
)
"""What was not to be had, though nothing forbids it."""
REPORT_CONNECTIONS: Final = 256
"""How many connections the mode Report lets pass where the policy names fewer: what the watchdog has memory for."""
SPARE_CONNECTIONS: Final = 64
"""Sockets beyond the connections, for requests that are about to be refused and for clients that keep idle ones."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is enforced now. The table is never empty by accident: a document with a bad host is refused whole."""

    config: documents.WatchdogConfig
    table: hosts.HostTable
    digest: str = ""
    """Of the document as it was read, for the records."""
    routed: Mapping[str, routes.Route] = field(default_factory=dict)
    """The routes, by name."""

    @staticmethod
    def of(config: documents.WatchdogConfig, *, digest: str = "") -> "Policy":
        """Prepare a document; raise DocumentError when a host is not in canonical form, or a route cannot be."""
        table = hosts.HostTable.of(config.hosts)
        for index, malformed in table.refused:
            raise reading.DocumentError(f"hosts[{index}].host", malformed.problem)
        return Policy(config, table, digest, routes.table(config))

    @property
    def reports(self) -> bool:
        """Say whether hosts and limits are only reported."""
        return self.config.mode is documents.Mode.REPORT

    @property
    def room(self) -> int:
        """Give how many connections may be open at all."""
        most = self.config.connections
        return max(most, REPORT_CONNECTIONS) if self.reports else most

    @property
    def sockets(self) -> int:
        """Give how many sockets the agent may open at one of the listeners."""
        return self.room + SPARE_CONNECTIONS

    def allows(self, authority: hosts.Authority) -> bool:
        """Say whether a tunnel that is open may stay open."""
        return self.reports or self.table.decide(authority.host, authority.port).allowed


Refusal = refusals.Refusal


class Admitted(NamedTuple):
    """A request that may go on."""

    authority: hosts.Authority
    would_deny: contract.Rule | None = None
    """The rule that would have refused it, in the mode Report."""


def admit(
    policy: Policy,
    head: heads.Head,
    *,
    meter: rate.Meter | None,
    tunnels: int,
    latched: str | None,
    now: int,
    unproven: Refusal | None = None,
) -> Admitted | Refusal:
    """Decide one request: latch, proof, head, host, connections, rate, in this order.

    `latched`: for what the agent is cut off, None while it is not.
    `unproven` refuses for want of the proof that the policy requires. The rate is asked last, because asking spends it:
    what is refused for another reason costs the agent none of it. Without a `meter` it is asked elsewhere, after this.
    """
    if latched is not None:
        return latched_refusal(latched)
    if unproven is not None:
        return unproven
    target = heads.read(head)
    if isinstance(target, heads.Refused):
        return Refusal(target.rule, target.problem, host=target.host, port=target.port)
    name, port = target.host.name, target.port
    decision = policy.table.decide(target.host, port)
    if not decision.allowed and not policy.reports:
        return Refusal(decision.rule, decision.message, decision.allowed_by, name, port)
    if not decision.allowed:
        return _over_room(policy, target, tunnels) or Admitted(target, decision.rule)
    refused = over_limit(policy, target, meter=meter, tunnels=tunnels, now=now)
    if refused is None:
        return Admitted(target)
    return _over_room(policy, target, tunnels) or Admitted(target, refused.rule) if policy.reports else refused


def admit_routed(
    policy: Policy,
    request: requests.Request,
    *,
    unusable: Mapping[str, str],
    meter: rate.Meter | None,
    tunnels: int,
    latched: str | None,
    now: int,
    unproven: Refusal | None = None,
) -> routes.Asked | Refusal:
    """Decide one request on a route, in order: latch, proof, route, method and path, credential, connections, rate.

    `unusable` says by a route's name what is wrong with its credential; all else as for a tunnel.
    """
    if latched is not None:
        return latched_refusal(latched)
    if unproven is not None:
        return unproven
    asked = routes.decide(policy.routed, request)
    if isinstance(asked, Refusal):
        return asked
    problem = unusable.get(asked.route.name)
    if problem:
        return routes.no_credential(asked.route, problem)
    target = asked.route.authority
    refused = over_limit(policy, target, meter=meter, tunnels=tunnels, now=now)
    if refused is None or not policy.reports:
        return refused or asked
    return _over_room(policy, target, tunnels) or dataclasses.replace(asked, would_deny=refused.rule)


def over_limit(
    policy: Policy,
    target: hosts.Authority,
    *,
    meter: rate.Meter | None,
    tunnels: int,
    now: int,
) -> Refusal | None:
    """Refuse what is over the policy's connections or rate; what is not has spent one request of the rate."""
    name, port = target.host.name, target.port
    if tunnels >= policy.config.connections:
        return _over_connections(policy, name, port)
    wait = meter.take(now) if meter is not None else 0
    return _over_rate(meter.rate, name, port, wait) if meter is not None and wait else None


def latched_refusal(word: str) -> Refusal:
    """Refuse everything while the agent is cut off, for a while or for good."""
    allowed_by = "the end of the breach or of the order that cut it off; once it is killed, a new pod of the policy"
    return Refusal(contract.Rule.LATCHED, f"this agent is cut off: {word}", allowed_by)


def _over_room(policy: Policy, target: hosts.Authority, tunnels: int) -> Refusal | None:
    """Refuse what there is no memory for, in any mode."""
    return _over_connections(policy, target.host.name, target.port) if tunnels >= policy.room else None


def _over_connections(policy: Policy, host: str, port: int) -> Refusal:
    most = policy.room
    return Refusal(
        contract.Rule.CONNECTIONS,
        f"{most} connections are open, as many as the policy allows",
        "spec.limits.connections above the number of open connections",
        host,
        port,
        retry_after=1_000_000_000,
    )


def _over_rate(rate_: documents.RequestRate, host: str, port: int, wait: int) -> Refusal:
    return Refusal(
        contract.Rule.REQUESTS_PER_MINUTE,
        f"over {rate_.per_minute} requests per minute (burst {rate_.burst})",
        "waiting, or spec.limits.requests with a higher rate",
        host,
        port,
        retry_after=wait,
    )
