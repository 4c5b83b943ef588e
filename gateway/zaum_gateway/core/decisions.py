"""Decide one request at the gateway.

The rules stand in `decide` in the order in which they are asked; the first that objects decides. What none of them
knows is denied: the only way to ALLOWED is the last line. Contact without a token comes first, because it is a breach
whatever else the request says: a watchdog always has one, so somebody else is speaking.
"""

from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_egress import hosts
from zaum_gateway.core import credentials, records

CONNECT = "CONNECT"
GET = "GET"
Rule = contract.Rule
_UNREAD: Final = "the authorizer has not read the cluster yet"


@dataclass(frozen=True, slots=True)
class Request:
    """What Envoy saw: `source` is the address of the TCP peer, never of a header. `path` is empty for a CONNECT."""

    method: str
    authority: str
    source: str
    path: str = ""
    listener: contract.Listener = contract.Listener.TLS

    @property
    def for_session(self) -> bool:
        """Say whether a session is asked for: over TLS alone, because the key is in the answer."""
        asked = (self.method, self.path) == (GET, contract.PATH_SESSION)
        return asked and self.listener is contract.Listener.TLS


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that decided, why in words, what would have allowed it, and on whose behalf (empty when unproven)."""

    rule: contract.Rule
    message: str
    allowed_by: str = ""
    namespace: str = ""
    policy: str = ""
    pod: str = ""
    uid: str = ""

    @property
    def allowed(self) -> bool:
        """Say whether the tunnel may be made."""
        return self.rule is Rule.ALLOWED


def decide(
    request: Request,
    credential: credentials.Credential,
    snapshot: records.Snapshot | None,
    *,
    cluster_domain: str = hosts.CLUSTER_DOMAIN,
) -> Decision:
    """Decide `request`; `snapshot` is None until the cluster has been read once."""
    if isinstance(credential, credentials.Missing):
        return _deny(Rule.TOKEN_MISSING, "the gateway speaks only to watchdogs, which present a token")
    if request.for_session:
        return _decide_session(request, credential, snapshot)
    if request.method != CONNECT:
        return _deny(Rule.REQUEST_MALFORMED, "the gateway answers CONNECT only", "CONNECT host:port")
    target = hosts.parse_authority(request.authority, cluster_domain=cluster_domain)
    if isinstance(target, hosts.Malformed):
        return _deny(target.rule, f"the target {target.problem}")
    if isinstance(credential, credentials.Invalid):
        return _deny(credential.rule, credential.problem)
    if snapshot is None:
        return _deny(Rule.GATEWAY_UNAVAILABLE, _UNREAD)
    found = _agent(request, credential, snapshot)
    return found if isinstance(found, Decision) else _decide_host(*found, target)


def _decide_session(
    request: Request, credential: credentials.Invalid | credentials.Identity, snapshot: records.Snapshot | None
) -> Decision:
    """A session is for whoever might be granted a tunnel to some host."""
    if isinstance(credential, credentials.Invalid):
        return _deny(credential.rule, credential.problem)
    if snapshot is None:
        return _deny(Rule.GATEWAY_UNAVAILABLE, _UNREAD)
    found = _agent(request, credential, snapshot)
    return found if isinstance(found, Decision) else _about(found[0], Rule.ALLOWED, "a session")


def _agent(
    request: Request, identity: credentials.Identity, snapshot: records.Snapshot
) -> tuple[records.Pod, records.Policy] | Decision:
    """Find the live pod that speaks and its policy in force, or refuse."""
    pod = snapshot.pods.get(identity.uid)
    if pod is None or not _same(pod, identity):
        return _deny(Rule.POD_UNKNOWN, "the token's pod is no live agent pod")
    if records.address(request.source) not in pod.addresses:
        return _about(pod, Rule.SOURCE_ADDRESS, "the token was used from another address than its pod's")
    policy = snapshot.policies.get((pod.namespace, pod.policy))
    if policy is None or policy.deleting:
        return _about(pod, Rule.POLICY_GONE, "the pod's policy has been deleted")
    if pod.quarantined or policy.quarantined:
        return _about(pod, Rule.QUARANTINED, "the policy is quarantined")
    return pod, policy


def _decide_host(pod: records.Pod, policy: records.Policy, target: hosts.Authority) -> Decision:
    if policy.table is None:
        return _about(pod, Rule.POLICY_NOT_READY, "the policy has no status.effective that this version can read")
    verdict = policy.table.decide(target.host, target.port)
    if not verdict.allowed:
        return _about(pod, verdict.rule, verdict.message, verdict.allowed_by)
    return _about(pod, Rule.ALLOWED, verdict.message)


def _same(pod: records.Pod, identity: credentials.Identity) -> bool:
    """Say whether the token's every claim fits the live pod, and the pod's ServiceAccount its policy."""
    return (
        pod.live
        and bool(pod.policy)
        and (pod.uid, pod.namespace, pod.name) == (identity.uid, identity.namespace, identity.pod)
        and pod.service_account == identity.service_account == contract.child_name(pod.policy)
    )


def _deny(rule: contract.Rule, message: str, allowed_by: str = "") -> Decision:
    return Decision(rule=rule, message=message, allowed_by=allowed_by)


def _about(pod: records.Pod, rule: contract.Rule, message: str, allowed_by: str = "") -> Decision:
    return Decision(
        rule=rule,
        message=message,
        allowed_by=allowed_by,
        namespace=pod.namespace,
        policy=pod.policy,
        pod=pod.name,
        uid=pod.uid,
    )
