"""What each reason means, on which condition it stands, who must act, and what to do: for people and for pages.

Standard library only. `EXPLAINED` has every reason of `conditions.Reason`; a test holds that.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zaum_api.conditions import ConditionType, Reason, Status

State = tuple[ConditionType, Status]


class Who(StrEnum):
    """Who has to act."""

    NOBODY = "nobody"
    AUTHOR = "the policy's author"
    OWNER = "the cluster's owner"
    RESPONDER = "whoever may release Incidents"
    ZAUM = "Zaum tries again; its owner when it stays"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One reason, explained."""

    on: tuple[State, ...]
    who: Who
    means: str
    act: str = ""


_READY: Final = (ConditionType.READY, Status.TRUE)
_NOT_READY: Final = (ConditionType.READY, Status.FALSE)
_ISOLATED: Final = (ConditionType.ISOLATED, Status.TRUE)
_NOT_ISOLATED: Final = (ConditionType.ISOLATED, Status.FALSE)
_EXACT: Final = (ConditionType.EGRESS_EXACT, Status.TRUE)
_NOT_EXACT: Final = (ConditionType.EGRESS_EXACT, Status.FALSE)
_PROVEN: Final = (ConditionType.ENFORCEMENT_PROVEN, Status.TRUE)
_NOT_PROVEN: Final = (ConditionType.ENFORCEMENT_PROVEN, Status.FALSE)
_UNPROVEN: Final = (ConditionType.ENFORCEMENT_PROVEN, Status.UNKNOWN)
_WITHIN: Final = (ConditionType.WITHIN_LIMITS, Status.TRUE)
_NOT_WITHIN: Final = (ConditionType.WITHIN_LIMITS, Status.FALSE)
_UNCOUNTED: Final = (ConditionType.WITHIN_LIMITS, Status.UNKNOWN)
_BOUND: Final = (ConditionType.IDENTITY_BOUND, Status.TRUE)
_NOT_BOUND: Final = (ConditionType.IDENTITY_BOUND, Status.FALSE)
_CONTAINED: Final = (ConditionType.CONTAINED, Status.TRUE)
_NOT_CONTAINED: Final = (ConditionType.CONTAINED, Status.FALSE)
_SUCCEEDED: Final = (ConditionType.SUCCEEDED, Status.TRUE)
_NOT_SUCCEEDED: Final = (ConditionType.SUCCEEDED, Status.FALSE)
_UNDECIDED: Final = (ConditionType.SUCCEEDED, Status.UNKNOWN)
_DEGRADED: Final = (ConditionType.DEGRADED, Status.TRUE)
_NOT_DEGRADED: Final = (ConditionType.DEGRADED, Status.FALSE)

EXPLAINED: Final[dict[Reason, Explanation]] = {
    Reason.ALL_READY: Explanation((_READY,), Who.NOBODY, "As many pods as asked for run, and all are ready."),
    Reason.STOPPED: Explanation(
        (_READY, _NOT_SUCCEEDED),
        Who.NOBODY,
        "Nothing is meant to run: desiredState is Stopped or replicas is 0. A Task that ran then has failed for good.",
    ),
    Reason.PROGRESSING: Explanation(
        (_NOT_READY, _UNDECIDED), Who.NOBODY, "Pods are being made, pulled, started, replaced or stopped."
    ),
    Reason.BACKING_OFF: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The agent of a Service ended by itself with exit code 0; a new pod follows after a pause.",
        "An agent that ends when its work is done is a Task: spec.agent.type.",
    ),
    Reason.INVALID_SPEC: Explanation(
        (_NOT_READY, _NOT_EXACT, _NOT_BOUND),
        Who.AUTHOR,
        "The spec cannot be acted on: running pods have no egress, new ones are not started.",
        "Correct the field that the message names. It happens when a policy is older than a rule of the CRD.",
    ),
    Reason.INVALID_HOSTS: Explanation(
        (_NOT_EXACT,),
        Who.AUTHOR,
        "The hosts or routes that the message names lead to no name that can be reached: no egress there.",
        "Correct or remove them in spec.egress.",
    ),
    Reason.IMAGE_PULL_FAILED: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The node cannot pull the image.",
        "Check its name, spec.agent.imagePullSecrets, and that nodes reach the registry.",
    ),
    Reason.AGENT_FAILED: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The agent ended with an error, once; a new pod follows after a pause.",
        "Look at the log of the failed pod, which is kept: kubectl logs POD -c agent.",
    ),
    Reason.CRASH_LOOP: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The agent ended with an error several times in a row; the pause doubles to 5 minutes.",
        "Look at the log of the failed pod, which is kept: kubectl logs POD -c agent.",
    ),
    Reason.RUNAWAY: Explanation(
        (_NOT_READY, _NOT_SUCCEEDED),
        Who.AUTHOR,
        "A detector tripped: the watchdog cut the agent off and the kubelet killed it. Or somebody in the pod spoke to"
        " the gateway past the watchdog (GatewayContact), and the pod was cut off and ended. The message names the"
        " breach.",
        "Find out what the agent did; only then tune the detector in spec.runaway.",
    ),
    Reason.WATCHDOG_RESTARTED: Explanation(
        (_NOT_READY, _NOT_SUCCEEDED),
        Who.ZAUM,
        "The watchdog restarted and with it lost its verdict and counts; the pod was cut off and ended.",
        "When it comes again, look at the previous log: kubectl logs POD -c watchdog --previous.",
    ),
    Reason.CONFIG_MAP_MISSING: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "A ConfigMap that spec.agent.files names does not exist.",
        "Make it, or remove the entry.",
    ),
    Reason.CONTAINER_CONFIG: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The node cannot make or start a container; the message has its words.",
        "Correct what it names: command, workingDir, files, runtimeClassName, hostUsers.",
    ),
    Reason.CLAIM_PENDING: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The claim of a persistent workspace is not bound, or cannot be made or changed as asked.",
        "Correct storageClass and size, or delete the claim and what it holds; claims never shrink.",
    ),
    Reason.AGENT_UNHEALTHY: Explanation(
        (_NOT_READY,),
        Who.AUTHOR,
        "The agent failed its own health check and was killed; a new pod follows after a pause.",
        "Look at the agent, or give it more time in spec.agent.liveness.",
    ),
    Reason.TASK_ENDED: Explanation(
        (_NOT_READY,), Who.NOBODY, "The Task has ended and is not run again: the condition Succeeded says how."
    ),
    Reason.CEILING_EXCEEDED: Explanation(
        (_NOT_READY, _NOT_EXACT, _NOT_BOUND, _DEGRADED),
        Who.AUTHOR,
        "A ceiling does not allow what the spec asks, and it cannot be lowered to fit: no pod runs (image, runtime"
        " class, node label, toleration), the host or Service is not reached, no token is given, or the mode Report is"
        " not granted and the policy is enforced.",
        "Ask for what the AgentCeiling that the message names allows, or ask the cluster's owner to change it.",
    ),
    Reason.CEILING_INVALID: Explanation(
        (_NOT_READY,),
        Who.OWNER,
        "An AgentCeiling of this namespace cannot be read whole by this version: no pod is started under it.",
        "Upgrade Zaum, or take out of the ceiling what the message names.",
    ),
    Reason.NODE_LOST: Explanation(
        (_NOT_READY,),
        Who.OWNER,
        "A pod's node does not answer, so nobody knows whether the pod still runs; a second one is not started.",
        "Bring the node back. When it is known to be off: delete the Node, or taint it with"
        " node.kubernetes.io/out-of-service=nodeshutdown:NoExecute.",
    ),
    Reason.UNSCHEDULABLE: Explanation(
        (_NOT_READY,),
        Who.OWNER,
        "No node takes the pod; the message has the scheduler's words.",
        "Add nodes, or ask for less in spec.agent.resources, nodeSelector.",
    ),
    Reason.QUOTA_EXCEEDED: Explanation(
        (_NOT_READY,),
        Who.OWNER,
        "A ResourceQuota of the namespace refuses the pod.",
        "Raise it, or lower spec.agent.replicas or resources.",
    ),
    Reason.GATEWAY_MISSING: Explanation(
        (_NOT_READY,),
        Who.OWNER,
        "The gateway's Service or CA was not found in Zaum's namespace: no pod is started.",
        "Repair the installation: helm status, pods in Zaum's namespace.",
    ),
    Reason.NAMESPACE_TERMINATING: Explanation((_NOT_READY,), Who.NOBODY, "The namespace is being deleted."),
    Reason.ADMISSION_REFUSED: Explanation(
        (_NOT_READY,),
        Who.OWNER,
        "The API server refused an object that Zaum makes; the message names it and has the API server's words.",
        "Look which admission policy or webhook refuses, and let the operator pass.",
    ),
    Reason.FOREIGN_NETWORK_POLICY: Explanation(
        (_NOT_READY, _NOT_EXACT),
        Who.OWNER,
        "Another NetworkPolicy selects pods of the policy and opens what the policy does not name, out or in; the"
        " message names it and its rule. No pod of the policy runs beside it.",
        "Give its podSelector the expression {key: zaum.dev/agent, operator: DoesNotExist}, or delete it.",
    ),
    Reason.APPLY_FAILED: Explanation(
        (_NOT_READY,),
        Who.ZAUM,
        "The API server answered with an error that should pass.",
        "When it stays: look at the API server, and at the operator's rights and log.",
    ),
    Reason.NO_TOKEN: Explanation((_BOUND,), Who.NOBODY, "The agent holds no token, as the policy asks for none."),
    Reason.TOKEN_BOUND: Explanation(
        (_BOUND,), Who.NOBODY, "The agent holds the token that identity.token names, bound to its pod."
    ),
    Reason.AUDIENCE_REFUSED: Explanation(
        (_NOT_BOUND,),
        Who.AUTHOR,
        "The audience is the API server's own: a token for it would be a way into the cluster, none is mounted.",
        "Name the service that the token is for in spec.identity.token.audience.",
    ),
    Reason.TASK_RUNNING: Explanation((_UNDECIDED,), Who.NOBODY, "The Task's pod was started and has not ended."),
    Reason.TASK_SUCCEEDED: Explanation(
        (_SUCCEEDED,),
        Who.NOBODY,
        "The agent ended with exit code 0, no detector tripped, the watchdog never restarted.",
    ),
    Reason.TASK_FAILED: Explanation(
        (_NOT_SUCCEEDED,),
        Who.AUTHOR,
        "The agent ended with an error, or failed its health check.",
        "Look at the log of the pod, which is kept; to run it again make another policy.",
    ),
    Reason.DEADLINE_EXCEEDED: Explanation(
        (_NOT_SUCCEEDED,),
        Who.AUTHOR,
        "The Task ran for spec.lifetime.max, or a ceiling's, and was ended.",
        "Give it more time in another policy, or less to do.",
    ),
    Reason.POD_LOST: Explanation(
        (_NOT_SUCCEEDED,),
        Who.AUTHOR,
        "The Task's pod vanished before its outcome was seen (a drain, a lost node); it is not run again.",
        "Check what it had done, then make another policy.",
    ),
    Reason.AS_INSTALLED: Explanation(
        (_NOT_DEGRADED,), Who.NOBODY, "Everything that this installation can guard with is in place."
    ),
    Reason.NAMESPACE_SCOPED: Explanation(
        (_DEGRADED,),
        Who.NOBODY,
        "Zaum is installed for single namespaces: no ceilings, no admission policies, one quota for the namespace.",
        "Install it for the cluster where the rights allow.",
    ),
    Reason.ACCESS_RELAXED: Explanation(
        (_DEGRADED,),
        Who.NOBODY,
        "Ceilings let people into agent pods (exec, attach, port-forward, ephemeral containers).",
        "Take spec.access out of the ceilings when it is no longer needed.",
    ),
    Reason.SERVICE_MISSING: Explanation(
        (_NOT_EXACT, _DEGRADED),
        Who.AUTHOR,
        "The Service of a route's serviceRef does not exist, has no such TCP port, or is of a kind that no"
        " NetworkPolicy can open (ExternalName, headless, without a selector): this route alone is closed.",
        "Make the Service, or correct spec.egress.routes.",
    ),
    Reason.CREDENTIAL_MISSING: Explanation(
        (_DEGRADED,),
        Who.AUTHOR,
        "The Secret or key of a route's credential does not exist or cannot be used: the route answers 503, the others"
        " are not concerned.",
        "Make the Secret that the message names; it is taken within a minute, without a restart.",
    ),
    Reason.CONFIG_REFUSED: Explanation(
        (_DEGRADED,),
        Who.ZAUM,
        "A watchdog cannot use the document that the operator wrote for it, and keeps to the one before: changes of the"
        " policy do not reach that pod.",
        "When it stays: look at the log of the pod's watchdog, and at whether operator and watchdog are of releases"
        " that follow each other.",
    ),
    Reason.UNKNOWN_FIELDS: Explanation(
        (_DEGRADED,),
        Who.OWNER,
        "The CRD is newer than the operator: the fields that the message names are ignored.",
        "Upgrade the operator.",
    ),
    Reason.PRICE_MISSING: Explanation(
        (_DEGRADED,),
        Who.AUTHOR,
        "The cost is limited, by default too, and nobody says what the models that the message names cost: requests for"
        " them are denied.",
        "Write what the provider asks for a million tokens, in US dollars, into the route's prices ({model, input,"
        " output}), or have it added to the chart's value prices.",
    ),
    Reason.LEDGER_MISSING: Explanation(
        (_DEGRADED, _UNCOUNTED),
        Who.OWNER,
        "Limits of bytes, of tokens a day or of money are stated, and the installation has no ledger to keep them by:"
        " what they limit is denied. Or it has one of which no pod runs: what they limit is denied when what pods have"
        " leased of it is spent.",
        "Install the ledger (the chart's value ledger.enabled), or remove the limits. Where it is installed, look at"
        " the events of its Deployment, its pods and its claim, which needs a StorageClass.",
    ),
    Reason.WATCHDOG_SILENT: Explanation(
        (_DEGRADED,),
        Who.ZAUM,
        "The ledger has not heard the watchdogs of the pods that the message names for more than 45 s, while it heard"
        " those of others: what such a pod has not leased yet is denied to it, and it is told of no order. Where its"
        " node calls the watchdog down as well, an Incident follows. While nobody at all is heard, silence says nothing"
        " of any one watchdog: then there is neither.",
        "When it stays: look at the log of the pod's watchdog, and at whether the pod's node reaches the gateway.",
    ),
    Reason.WITHIN: Explanation((_WITHIN,), Who.NOBODY, "No limit is spent."),
    Reason.REQUESTS_EXCEEDED: Explanation(
        (_NOT_WITHIN,),
        Who.AUTHOR,
        "As many requests were made within a minute as are allowed; more are answered 429.",
        "Nothing, when it passes; else raise limits.requests, or look what the agent does.",
    ),
    Reason.CONNECTIONS_EXCEEDED: Explanation(
        (_NOT_WITHIN,),
        Who.AUTHOR,
        "As many tunnels are open as are allowed; more are answered 429.",
        "Raise limits.connections, or look what the agent does.",
    ),
    Reason.BYTES_EXCEEDED: Explanation(
        (_NOT_WITHIN,),
        Who.AUTHOR,
        "The bytes of an hour are spent; more are answered 402.",
        "Wait, or raise limits.bytes.",
    ),
    Reason.TOKENS_EXCEEDED: Explanation(
        (_NOT_WITHIN,),
        Who.AUTHOR,
        "The tokens of a minute or of the day (UTC) are spent; more are answered 429 or 402.",
        "Wait, or raise limits.tokens.",
    ),
    Reason.COST_EXCEEDED: Explanation(
        (_NOT_WITHIN,),
        Who.AUTHOR,
        "The money of the day (UTC) is spent; calls that cost are answered 402.",
        "Wait for the next day, or raise limits.cost.",
    ),
    Reason.NO_USAGE: Explanation(
        (_UNCOUNTED,),
        Who.ZAUM,
        "The ledger has not said lately what the policy has spent: no pod has run, or the ledger does not answer."
        " Limits are kept all the same: without it pods keep to their share, and spend no more than they have leased.",
        "When pods run and it stays: look at the ledger's pods and log.",
    ),
    Reason.NO_INCIDENT: Explanation((_CONTAINED,), Who.NOBODY, "No Incident of this policy is open."),
    Reason.CONTAINED: Explanation(
        (_CONTAINED,),
        Who.NOBODY,
        "An Incident is open, and every step of its containment was seen: cut, killed, without a route, its identity"
        " dead. What to do about it is said on the condition Ready.",
    ),
    Reason.CONTAINING: Explanation(
        (_NOT_CONTAINED,),
        Who.ZAUM,
        "An Incident is open, and a step of its containment has not been seen yet; each is tried for ever.",
        "When it stays: look at the Incident's conditions, which say whose word is missing.",
    ),
    Reason.QUARANTINED: Explanation(
        (_NOT_READY, _NOT_SUCCEEDED),
        Who.RESPONDER,
        "The policy's name is quarantined by the Incident that the message names: no pod of it runs or starts.",
        "Find out what the agent did (kubectl describe incident NAME); then zaum release NAME --reason TEXT.",
    ),
    Reason.IMAGE_BLOCKED: Explanation(
        (_NOT_READY,),
        Who.RESPONDER,
        "The image is that of a quarantined policy of this namespace, and a ceiling blocks it under every name"
        " (incidents.blockImages).",
        "Release the Incident that the message names, or use another image.",
    ),
    Reason.GUARDED: Explanation(
        (_ISOLATED,), Who.NOBODY, "Guard, NetworkPolicy, quota and ServiceAccount stand as planned."
    ),
    Reason.NOT_GUARDED: Explanation(
        (_NOT_ISOLATED,),
        Who.ZAUM,
        "Not all that isolates could be applied, or the spec cannot be acted on; new pods are not started.",
        "The message says which object; look at the condition Ready too.",
    ),
    Reason.EXACT: Explanation(
        (_EXACT,), Who.NOBODY, "Exactly the hosts and routes in status.effective can be reached."
    ),
    Reason.REPORT_ONLY: Explanation(
        (_NOT_EXACT,),
        Who.AUTHOR,
        "The mode Report is in force: every host can be reached by name, and what would be denied is only counted and"
        " logged. Addresses, SNI, identity and isolation are enforced.",
        "Write the hosts that the agent needs into spec.egress (zaum suggest), then set spec.mode to Enforce.",
    ),
    Reason.CAGE_HELD: Explanation(
        (_PROVEN,), Who.NOBODY, "The watchdog of every pod tried what must be out of reach, and reached none of it."
    ),
    Reason.CAGE_LEAKS: Explanation(
        (_NOT_PROVEN,),
        Who.OWNER,
        "A pod reached what must be out of its reach; the message names the target and the pod.",
        "Look whether the network plugin enforces NetworkPolicies for that kind of traffic; cordon the node meanwhile."
        " With egress.requireProof such a pod has no egress.",
    ),
    Reason.NOT_ENFORCED: Explanation(
        (_NOT_PROVEN,),
        Who.OWNER,
        "Everything was reached that must be out of reach and surely listens (API server, DNS, authorizer): nothing"
        " enforces NetworkPolicies on the pod's node.",
        "Install a network plugin that enforces them, or repair it on that node.",
    ),
    Reason.NOT_TESTED_YET: Explanation((_UNPROVEN,), Who.NOBODY, "The first test of a pod's cage has not ended."),
    Reason.TEST_INCONCLUSIVE: Explanation(
        (_UNPROVEN,),
        Who.ZAUM,
        "The cage test of a pod reached nothing, and yet proves nothing: its control, a request that the gateway must"
        " refuse, failed, or a try could not be made. The message names it.",
        "When it stays: look at the gateway, and at the log of the pod's watchdog.",
    ),
    Reason.NO_REPORT: Explanation(
        (_UNPROVEN,),
        Who.ZAUM,
        "No watchdog has said lately what its pod can reach: no pod runs, or reports do not arrive.",
        "When pods run and it stays: look at the gateway and the authorizers, and at the log of the watchdog.",
    ),
}
"""Every reason."""
