"""What an absent field means. The schema carries none of these, so that status can tell a default from a choice."""

from typing import Final

REPLICAS: Final = 1
CPU: Final = "500m"
MEMORY: Final = "512Mi"
EPHEMERAL_STORAGE: Final = "1Gi"
WORKSPACE_SIZE: Final = "1Gi"
HOST_PORTS: Final = (443,)
REQUESTS_PER_MINUTE: Final = 60
REQUESTS_BURST: Final = 10
CONNECTIONS: Final = 32
BYTES_OUT_PER_HOUR: Final = "50Mi"
BYTES_IN_PER_HOUR: Final = "1Gi"
TOKENS_PER_MINUTE: Final = 100_000
TOKENS_PER_DAY: Final = 2_000_000
COST_PER_DAY: Final = "10.00"
CPU_ABOVE_PERCENT: Final = 90
CPU_FOR: Final = "2m"
PROCESSES_ABOVE: Final = 128
PROCESSES_FOR: Final = "5s"
"""Long enough for a build or a pipeline to start and end its children, short enough for a fork bomb."""
DENIED_ABOVE: Final = 20
DENIED_PER: Final = "1m"
MEMORY_GROWTH_PER_MINUTE: Final = "32Mi"
MEMORY_FOR: Final = "5m"
"""A leak; a build or a test run fills its memory in less, and gives it back."""
FORKS_ABOVE: Final = 20_000
FORKS_PER: Final = "1m"
"""More than shell scripts that configure a build reach on a core of their own."""
FILES_ABOVE: Final = 8192
FILES_FOR: Final = "30s"
REPEATED_SAME: Final = 30
REPEATED_PER: Final = "1m"
ERRORS_ABOVE_PERCENT: Final = 90
ERRORS_OF_AT_LEAST: Final = 30
ERRORS_PER: Final = "2m"
NO_PROGRESS_TOKENS: Final = 200_000
NO_PROGRESS_FOR: Final = "10m"
EGRESS_BYTES_ABOVE: Final = "1Gi"
EGRESS_BYTES_PER: Final = "10m"
"""Far above what the default of limits.bytes.outPerHour lets leave: it is for those who raise that."""
STARVED_LATE_BY: Final = "5s"
STARVED_FOR: Final = "1m"
"""A busy node delays the watchdog by far less: it has a share of the processor of its own."""
ON_RUNAWAY: Final = "Kill"
KILLS_BEFORE_QUARANTINE: Final = 3
ON_BUDGET: Final = "Throttle"
ON_TAMPERING: Final = "Ignore"
ON_CRASH_LOOP: Final = "Ignore"
ON_WIDENED_EGRESS: Final = "Ignore"
MODE: Final = "Enforce"
TYPE: Final = "Service"
LIVENESS_PATH: Final = "/"
LIVENESS_INITIAL_DELAY_SECONDS: Final = 0
LIVENESS_PERIOD_SECONDS: Final = 10
LIVENESS_TIMEOUT_SECONDS: Final = 1
LIVENESS_FAILURE_THRESHOLD: Final = 3
"""As the kubelet's own probes have them (core/v1 Probe)."""
IDENTITY_TOKEN_LIFETIME: Final = "10m"  # noqa: S105 - a duration
ROUTE_API: Final = "HTTP"
CREDENTIAL_HEADER: Final = "Authorization"
CREDENTIAL_PREFIX: Final = "Bearer "
"""In the header Authorization; nothing in any other."""
ANTHROPIC_HEADER: Final = "x-api-key"
"""What a route of the api Anthropic carries its key in."""
REQUIRE_PROOF: Final = False
TOLERATION_OPERATOR: Final = "Equal"


def ingress_name(port: int) -> str:
    """Name the Service's port of an ingress entry without a name; no entry can give itself such a name."""
    return f"port-{port}"
