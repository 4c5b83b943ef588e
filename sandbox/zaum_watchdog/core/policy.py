"""A config document made ready to decide, and the one ordered chain by which a request is admitted."""

from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents, reading
from zaum_egress import hosts
from zaum_watchdog.core import heads, rate

DENIED: Final = frozenset(
    {
        contract.Rule.HOST_NOT_NAMED,
        contract.Rule.PORT_NOT_NAMED,
        contract.Rule.HOST_MALFORMED,
        contract.Rule.HOST_IS_ADDRESS,
        contract.Rule.PLAIN_HTTP,
        contract.Rule.SNI_MISSING,
        contract.Rule.SNI_MISMATCH,
        contract.Rule.SNI_MALFORMED,
        contract.Rule.REQUEST_MALFORMED,
    }
)
"""What counts for the detector of denied requests: attempts at the forbidden. Throttling and outages do not."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is enforced now. The table is never empty by accident: a document with a bad host is refused whole."""

    config: documents.WatchdogConfig
    table: hosts.HostTable
    digest: str = ""
    """Of the document as it was read, for the records."""

    @staticmethod
    def of(config: documents.WatchdogConfig, *, digest: str = "") -> "Policy":
        """Prepare a document; raise DocumentError when a host is not in canonical form."""
        table = hosts.HostTable.of(config.hosts)
        for index, malformed in table.refused:
            raise reading.DocumentError(f"hosts[{index}].host", malformed.problem)
        return Policy(config, table, digest)

    def allows(self, authority: hosts.Authority) -> bool:
        """Say whether a tunnel that is open may stay open."""
        return self.table.decide(authority.host, authority.port).allowed


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is refused here: everything that the answer, the record and the counters need."""

    rule: contract.Rule
    message: str
    allowed_by: str = ""
    host: str = ""
    port: int = 0
    retry_after: int = 0
    """Nanoseconds until it may succeed; 0 where waiting does not help."""


def admit(
    policy: Policy, head: heads.Head, *, meter: rate.Meter, tunnels: int, latched: contract.Breach | None, now: int
) -> hosts.Authority | Refusal:
    """Decide one request: latch, head, host, connections, rate, in this order.

    The rate is asked last, because asking spends it: what is refused for another reason costs the agent none of it.
    """
    if latched is not None:
        return latched_refusal(latched)
    target = heads.read(head)
    if isinstance(target, heads.Refused):
        return Refusal(target.rule, target.problem, host=target.host, port=target.port)
    name, port = target.host.name, target.port
    decision = policy.table.decide(target.host, port)
    if not decision.allowed:
        return Refusal(decision.rule, decision.message, decision.allowed_by, name, port)
    if tunnels >= policy.config.connections:
        return _over_connections(policy, name, port)
    wait = meter.take(now)
    return _over_rate(policy, name, port, wait) if wait else target


def latched_refusal(breach: contract.Breach) -> Refusal:
    """Refuse everything after a breach."""
    return Refusal(contract.Rule.LATCHED, f"this agent is cut off: {breach.value}", "a new pod of the policy")


def _over_connections(policy: Policy, host: str, port: int) -> Refusal:
    most = policy.config.connections
    return Refusal(
        contract.Rule.CONNECTIONS,
        f"{most} connections are open, as many as the policy allows",
        "spec.limits.connections above the number of open connections",
        host,
        port,
        retry_after=1_000_000_000,
    )


def _over_rate(policy: Policy, host: str, port: int, wait: int) -> Refusal:
    rate_ = policy.config.requests
    return Refusal(
        contract.Rule.REQUESTS_PER_MINUTE,
        f"over {rate_.per_minute} requests per minute (burst {rate_.burst})",
        "waiting, or spec.limits.requests with a higher rate",
        host,
        port,
        retry_after=wait,
    )
