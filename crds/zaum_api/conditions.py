"""The conditions on an AgentPolicy's status, and every reason that they can carry.

Standard library only. A type is True when the good thing holds, so `Ready=False` and `Isolated=False` are the states
that somebody must look at. Reasons are stable: alerts and scripts may match them.
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
    """The watchdog's verdict made the kubelet kill the agent."""
    WATCHDOG_RESTARTED = "WatchdogRestarted"
    """A watchdog that restarted has lost its verdict and its counts: its pod was ended."""
    CONFIG_MAP_MISSING = "ConfigMapMissing"
    CONTAINER_CONFIG = "ContainerConfigError"
    """The kubelet cannot make the container: the message says why."""

    # Ready=False, for the cluster's administrator
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    """A quota other than the policy's own, or a smaller one left from before, refuses the pod."""
    GATEWAY_MISSING = "GatewayMissing"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    ADMISSION_REFUSED = "AdmissionRefused"
    """The API server refused one of our objects: the message names it."""
    FOREIGN_NETWORK_POLICY = "ForeignNetworkPolicy"
    """Also on EgressExact: another NetworkPolicy that carries a rule does not exclude agents' pods."""

    # Ready=False, for us
    APPLY_FAILED = "ApplyFailed"
    """The API server answered with an error that should pass; it is tried again."""

    # Isolated, EgressExact
    GUARDED = "Guarded"
    NOT_GUARDED = "NotGuarded"
    EXACT = "Exact"
