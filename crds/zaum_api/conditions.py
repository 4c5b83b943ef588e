"""The conditions on an AgentPolicy's status, and every reason that they can carry.

Standard library only. A type is True when the good thing holds, so `Ready=False` and `Isolated=False` are the states
that somebody must look at; Degraded alone is the other way round. Reasons are stable: alerts and scripts may match
them. What each means and who must act is said in `reasons`.
"""

from enum import StrEnum


class ConditionType(StrEnum):
    """What a condition is about."""

    READY = "Ready"
    """As many agent pods as the policy asks for are running and answer their readiness probe."""
    ISOLATED = "Isolated"
    """Guard, policy NetworkPolicy and quota stand as planned in the API. That the CNI obeys them is not said here."""
    EGRESS_EXACT = "EgressExact"
    """Nothing but this policy decides what its pods reach: all its hosts are usable, no other NetworkPolicy widens."""
    ENFORCEMENT_PROVEN = "EnforcementProven"
    """The watchdogs of all pods have tried what must be out of reach, and reached none. Unknown: nothing was said."""
    IDENTITY_BOUND = "IdentityBound"
    """The agent holds no token, or exactly the one that identity.token names."""
    WITHIN_LIMITS = "WithinLimits"
    """No limit of the policy, of its routes and hosts is spent. Unknown: the ledger has not said anything lately."""
    CONTAINED = "Contained"
    """Nothing that was seen running wild is loose: no Incident is open, or every step of it is confirmed."""
    SUCCEEDED = "Succeeded"
    """Tasks only. Unknown while the task runs; True and False are final."""
    DEGRADED = "Degraded"
    """The one type that is True when something is worse than it could be, while all that is said above still holds."""


class Status(StrEnum):
    """A condition's status."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a condition has its status. The comment says who must act."""

    # Ready=True
    ALL_READY = "AllReady"
    STOPPED = "Stopped"
    """desiredState is Stopped, or replicas is 0: nothing is meant to run."""

    # Ready=False, passing by itself
    PROGRESSING = "Progressing"
    """Pods are being made, pulled, started or replaced."""
    BACKING_OFF = "BackingOff"
    """The agent ended by itself with exit code 0; a Service is started again after a pause."""

    # Ready=False, for whoever wrote the policy
    INVALID_SPEC = "InvalidSpec"
    INVALID_HOSTS = "InvalidHosts"
    """Also on EgressExact: a host that the parser refuses gets no egress."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    AGENT_FAILED = "AgentFailed"
    """The agent ended with an error once; it is started again after a pause."""
    CRASH_LOOP = "CrashLoop"
    """The agent ended with an error several times in a row."""
    RUNAWAY = "Runaway"
    """The watchdog's verdict made the kubelet kill the agent, or a contact at the gateway made us end its pod."""
    WATCHDOG_RESTARTED = "WatchdogRestarted"
    """A watchdog that restarted has lost its verdict and its counts: its pod was ended."""
    CONFIG_MAP_MISSING = "ConfigMapMissing"
    CONTAINER_CONFIG = "ContainerConfigError"
    """The kubelet cannot make the container: the message says why."""

    CLAIM_PENDING = "ClaimPending"
    """The persistent workspace's claim is not bound, or cannot be changed as asked."""
    AGENT_UNHEALTHY = "AgentUnhealthy"
    """The agent's own health check, relayed by the watchdog, failed."""
    TASK_ENDED = "TaskEnded"
    """A Task has ended: Succeeded says how."""

    # Ready=False, for the cluster's administrator
    CEILING_EXCEEDED = "CeilingExceeded"
    """Also on EgressExact and Degraded: a ceiling does not allow what the spec asks and it cannot be lowered to fit (an
    image, a runtime class, a node selector, a host, a Service), or grants the mode Report to nobody."""
    CEILING_INVALID = "CeilingInvalid"
    """A ceiling cannot be read by this version: no pod is started under it."""
    NODE_LOST = "NodeLost"
    """The pod's node does not answer. A second pod of its ordinal would break "never more than asked"."""
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    """A quota other than the policy's own, or a smaller one left from before, refuses the pod."""
    GATEWAY_MISSING = "GatewayMissing"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    ADMISSION_REFUSED = "AdmissionRefused"
    """The API server refused one of our objects: the message names it."""
    FOREIGN_NETWORK_POLICY = "ForeignNetworkPolicy"
    """Also on EgressExact: another NetworkPolicy selects pods of the policy and opens something for them."""

    # Ready=False, for us
    APPLY_FAILED = "ApplyFailed"
    """The API server answered with an error that should pass; it is tried again."""

    # IdentityBound
    NO_TOKEN = "NoToken"  # noqa: S105 - a reason
    TOKEN_BOUND = "TokenBound"  # noqa: S105 - a reason
    AUDIENCE_REFUSED = "AudienceRefused"
    """The audience belongs to Zaum or to the API server: no token is mounted."""

    # Succeeded
    TASK_RUNNING = "TaskRunning"
    TASK_SUCCEEDED = "TaskSucceeded"
    TASK_FAILED = "TaskFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """lifetime.max ended the pod."""
    POD_LOST = "PodLost"
    """The task's pod vanished before its outcome was seen; it is not run again."""

    # Degraded
    AS_INSTALLED = "AsInstalled"
    NAMESPACE_SCOPED = "NamespaceScoped"
    """No ceilings, no admission policies, one quota for the whole namespace."""
    ACCESS_RELAXED = "AccessRelaxed"
    """Ceilings let people into agent pods (exec, attach, port-forward, ephemeral containers)."""
    SERVICE_MISSING = "ServiceMissing"
    """Also on EgressExact: a Service that a route names is not there, or none that can be reached."""
    CREDENTIAL_MISSING = "CredentialMissing"
    """A Secret or key that a route names is not there: the route answers 503, the others do not care."""
    CONFIG_REFUSED = "ConfigRefused"
    """A watchdog cannot use the document that it was given, and keeps to the one before."""
    UNKNOWN_FIELDS = "UnknownFields"
    """The CRD is newer than the operator: fields of the spec are ignored."""

    PRICE_MISSING = "PriceMissing"
    """The cost is limited and nobody says what a model of a route costs: it is denied."""
    LEDGER_MISSING = "LedgerMissing"
    """Also on WithinLimits: a limit is stated that needs the ledger, and this installation has none."""
    WATCHDOG_SILENT = "WatchdogSilent"
    """The ledger has not heard the watchdog of a running pod for long, while it heard those of others."""

    # WithinLimits
    WITHIN = "WithinLimits"
    REQUESTS_EXCEEDED = "RequestsExceeded"
    CONNECTIONS_EXCEEDED = "ConnectionsExceeded"
    BYTES_EXCEEDED = "BytesExceeded"
    TOKENS_EXCEEDED = "TokensExceeded"
    COST_EXCEEDED = "CostExceeded"
    NO_USAGE = "NoUsage"
    """The ledger has said nothing lately."""

    # Contained
    NO_INCIDENT = "NoIncident"
    CONTAINED = "Contained"
    """An Incident is open, and every step of it is confirmed."""
    CONTAINING = "Containing"
    """An Incident is open, and a step of it is not confirmed yet: the message names it."""

    # Ready=False, for whoever may release
    QUARANTINED = "Quarantined"
    """An Incident of the action Quarantine is open: no pod is started."""
    IMAGE_BLOCKED = "ImageBlocked"
    """The image is that of a quarantined policy of the namespace, and a ceiling blocks it under other names too."""

    # Isolated, EgressExact
    GUARDED = "Guarded"
    NOT_GUARDED = "NotGuarded"
    EXACT = "Exact"
    REPORT_ONLY = "ReportOnly"
    """The mode Report is in force: any host can be reached, and is only logged."""

    # EnforcementProven
    CAGE_HELD = "CageHeld"
    CAGE_LEAKS = "CageLeaks"
    """A target of the cage test was reached: the message names it."""
    NOT_ENFORCED = "NotEnforced"
    """Every target that answers was reached: nothing in the cluster enforces NetworkPolicies."""
    NOT_TESTED_YET = "NotTestedYet"
    TEST_INCONCLUSIVE = "TestInconclusive"
    """The cage test reached nothing, and its control failed or a try could not be made: it proves nothing."""
    NO_REPORT = "NoReport"
    """No watchdog has said anything lately: no pod runs, or what they say does not arrive."""
