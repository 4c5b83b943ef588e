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
CPU_ABOVE_PERCENT: Final = 90
CPU_FOR: Final = "2m"
PROCESSES_ABOVE: Final = 128
PROCESSES_FOR: Final = "5s"
"""Long enough for a build or a pipeline to start and end its children, short enough for a fork bomb."""
DENIED_ABOVE: Final = 20
DENIED_PER: Final = "1m"
