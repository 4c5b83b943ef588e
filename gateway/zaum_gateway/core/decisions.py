"""Decide one request at the gateway.

The rules stand in `decide` in the order in which they are asked; the first that objects decides. What none of them
knows is denied: the only way to ALLOWED is the last line. Contact without a token comes first, because it is a breach
whatever else the request says: a watchdog always has one, so somebody else is speaking.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_gateway.core import contacts, credentials, records, service_names

CONNECT: Final = "CONNECT"
LEDGER: Final = f"{contract.LEDGER_TLS_NAME}:{contract.LEDGER_PORT}"
"""The one authority at one of our own ports that is let through, in exactly this spelling: Envoy maps it."""
GET: Final = "GET"
POST: Final = "POST"
Rule = contract.Rule
_NOT_READY: Final = "the policy has no status.effective that this version can read"
_RELEASE: Final = {True: "a release of that Incident", False: "a new pod of the policy"}
"""What would allow it, by whether the whole policy is held."""
_UNREAD: Final = "the authorizer has not read the cluster yet"


@dataclass(frozen=True, slots=True)
class Request:
    """What Envoy saw: `source` is the address of the TCP peer, never of a header. `path` is empty for a CONNECT."""

    method: str
    authority: str
    source: str
    path: str = ""
    listener: contract.Listener = contract.Listener.TLS
    body: bytes = field(default=b"", repr=False)
    """Of a report alone."""

    @property
    def for_session(self) -> bool:
        """Say whether a session is asked for: over TLS alone, because the key is in the answer."""
        return self._over_tls(GET, contract.PATH_SESSION)

    @property
    def for_report(self) -> bool:
        """Say whether a watchdog reports: over TLS alone, because only a token proves whose report it is."""
        return self._over_tls(POST, contract.PATH_REPORT)

    def _over_tls(self, method: str, path: str) -> bool:
        return (self.method, self.path) == (method, path) and self.listener is contract.Listener.TLS


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
    would_deny: contract.Rule | None = None
    """Allowed by `mode: Report` alone: the rule that would have decided otherwise."""

    @property
    def allowed(self) -> bool:
        """Say whether the tunnel may be made."""
        return self.rule is Rule.ALLOWED


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, the session that was granted with it, and the pods that are latched by it from now on."""

    decision: Decision
    session: documents.Session | None = None
    touched: tuple[contacts.Contact, ...] = ()


def latched(pod: records.Pod) -> Decision:
    """Refuse on behalf of a pod from which somebody spoke without its credential."""
    problem = "somebody in the pod has spoken to the gateway without the watchdog's credential"
    return _about(pod, Rule.LATCHED, problem, "a new pod of the policy")


def decide(
    request: Request,
    credential: credentials.Credential,
    snapshot: records.Snapshot | None,
    *,
    cluster_domain: str = hosts.CLUSTER_DOMAIN,
    own_namespace: str = "",
) -> Decision:
    """Decide `request`; `snapshot` is None until the cluster has been read once.

    `own_namespace` is the release's: no Service in it is ever reached.
    """
    if isinstance(credential, credentials.Missing):
        return _deny(Rule.TOKEN_MISSING, "the gateway speaks only to watchdogs, which present a token")
    if request.for_session or request.for_report:
        return _decide_own(request, credential, snapshot)
    if request.method != CONNECT:
        return _deny(Rule.REQUEST_MALFORMED, "the gateway answers CONNECT only", "CONNECT host:port")
    service = service_names.parse_authority(request.authority, cluster_domain)
    target = hosts.parse_authority(request.authority, cluster_domain=cluster_domain)
    to_ledger = request.authority == LEDGER
    if isinstance(target, hosts.Malformed) and service is None and not to_ledger:
        return _deny(target.rule, f"the target {target.problem}")
    if isinstance(credential, credentials.Invalid):
        return _deny(credential.rule, credential.problem)
    if snapshot is None:
        return _deny(Rule.GATEWAY_UNAVAILABLE, _UNREAD)
    found = _agent(request, credential, snapshot)
    if isinstance(found, Decision):
        return found
    if to_ledger:
        # For every live watchdog, whatever its policy names: who asks for what is the ledger's to decide, by a token.
        return _about(found[0], Rule.ALLOWED, "the ledger")
    if isinstance(target, hosts.Malformed):
        assert service is not None  # Else it has been refused above.
        return _decide_service(*found, service, own_namespace) or _about(
            found[0], target.rule, f"the target {target.problem}"
        )
    return _decide_host(*found, target)


def _decide_own(
    request: Request, credential: credentials.Invalid | credentials.Identity, snapshot: records.Snapshot | None
) -> Decision:
    """Decide what goes no further than to us: it is for whoever might be granted a tunnel to some host."""
    if isinstance(credential, credentials.Invalid):
        return _deny(credential.rule, credential.problem)
    if snapshot is None:
        return _deny(Rule.GATEWAY_UNAVAILABLE, _UNREAD)
    found = _agent(request, credential, snapshot)
    said = "a session" if request.for_session else "a report"
    return found if isinstance(found, Decision) else _about(found[0], Rule.ALLOWED, said)


def _agent(
    request: Request, identity: credentials.Identity, snapshot: records.Snapshot
) -> tuple[records.Pod, records.Policy] | Decision:
    """Find the live pod that speaks and its policy in force, or refuse.

    A report goes no further than to us: what the watchdog of a contained pod says is evidence, and is taken.
    """
    pod = snapshot.pods.get(identity.uid)
    if pod is None or not _same(pod, identity):
        return _deny(Rule.POD_UNKNOWN, "the token's pod is no live agent pod")
    if records.address(request.source) not in pod.addresses:
        return _about(pod, Rule.SOURCE_ADDRESS, "the token was used from another address than its pod's")
    held = snapshot.held(pod)
    if held is not None and not request.for_report:
        # Before the policy: what is contained stays so whether or not its policy is there.
        what = "policy is quarantined" if held.whole else "pod is contained"
        return _about(pod, Rule.QUARANTINED, f"the {what} by Incident {held.incident}", _RELEASE[held.whole])
    policy = snapshot.policies.get((pod.namespace, pod.policy))
    if policy is None or policy.deleting:
        return _about(pod, Rule.POLICY_GONE, "the pod's policy has been deleted")
    if (pod.quarantined or policy.quarantined) and not request.for_report:
        return _about(pod, Rule.QUARANTINED, "the policy is quarantined")
    return pod, policy


def _decide_host(pod: records.Pod, policy: records.Policy, target: hosts.Authority) -> Decision:
    if target.host.name == contract.CAGE_HOST:
        # Asked for to see that we refuse: no policy, route or mode opens it.
        return _about(pod, Rule.HOST_NOT_NAMED, f"{contract.CAGE_HOST} is never reached")
    if policy.table is None:
        return _about(pod, Rule.POLICY_NOT_READY, _NOT_READY)
    verdict = policy.table.decide(target.host, target.port)
    if verdict.allowed:
        return _about(pod, Rule.ALLOWED, verdict.message)
    if (target.host.name, target.port) in policy.routes:
        return _about(pod, Rule.ALLOWED, "a route leads there")
    match policy.mode:
        case documents.Mode.REPORT:
            return dataclasses.replace(_about(pod, Rule.ALLOWED, verdict.message), would_deny=verdict.rule)
        case documents.Mode.ENFORCE:
            return _about(pod, verdict.rule, verdict.message, verdict.allowed_by)


def _decide_service(
    pod: records.Pod, policy: records.Policy, target: tuple[service_names.Service, int], own_namespace: str
) -> Decision | None:
    """Decide a Service's name: a route leads there, or None; `mode: Report` opens no way into the cluster."""
    if policy.table is None:
        return _about(pod, Rule.POLICY_NOT_READY, _NOT_READY)
    if target not in policy.services:
        return None
    if target[0].reserved(own_namespace):
        return _about(pod, Rule.ROUTE_SERVICE, "no route leads to this Service, whatever a policy says")
    return _about(pod, Rule.ALLOWED, "a route leads there")


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
