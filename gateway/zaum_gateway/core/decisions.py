"""Decide one request at the gateway.

The rules stand in `decide` in the order in which they are asked; the first that objects decides. What none of them
knows is denied: the only way to ALLOWED is the last line. Contact without a token comes first, because it is a breach
whatever else the request says: a watchdog always has one, so somebody else is speaking.
"""

from dataclasses import dataclass

from zaum_api import contract
from zaum_egress import hosts
from zaum_gateway.core import credentials, records

CONNECT = "CONNECT"
Rule = contract.Rule


@dataclass(frozen=True, slots=True)
class Request:
    """What Envoy saw: `source` is the address of the TCP peer, never of a header."""

    method: str
    authority: str
    source: str


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
    if request.method != CONNECT:
        return _deny(Rule.REQUEST_MALFORMED, "the gateway answers CONNECT only", "CONNECT host:port")
    target = hosts.parse_authority(request.authority, cluster_domain=cluster_domain)
    if isinstance(target, hosts.Malformed):
        return _deny(target.rule, f"the target {target.problem}")
    if isinstance(credential, credentials.Invalid):
        return _deny(Rule.TOKEN_INVALID, credential.problem)
    if snapshot is None:
        return _deny(Rule.GATEWAY_UNAVAILABLE, "the authorizer has not read the cluster yet")
    return _decide_pod(request, credential, target, snapshot)


def _decide_pod(
    request: Request, identity: credentials.Identity, target: hosts.Authority, snapshot: records.Snapshot
) -> Decision:
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
