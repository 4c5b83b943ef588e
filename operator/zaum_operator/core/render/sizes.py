"""What containers request and may use. One place, because quota, pod and node's room must agree.

Memory and storage: requests equal limits, so that an agent is never killed for a neighbour's hunger. CPU: agents
mostly wait for answers, so they request a tenth of their limit; the limit is the spec's.
"""

from dataclasses import dataclass
from typing import Final

from zaum_api import quantities
from zaum_operator.core.effective import Effective

MIB: Final = 2**20
AGENT_CPU_SHARE: Final = 10
CPU_REQUEST_LEAST: Final = 10
WATCHDOG_CPU_REQUEST: Final = 10
WATCHDOG_CPU_LIMIT: Final = 500
"""The data path is one process on one core; half a core carries some hundred new tunnels a second."""
WATCHDOG_MEMORY: Final = 64 * MIB
"""Twice what the process holds at rest."""
TUNNEL_MEMORY: Final = 64 * 1024
"""What one idle TLS tunnel costs the watchdog, rounded up."""
WATCHDOG_EPHEMERAL: Final = 64 * MIB
"""Its log; the kubelet rotates at 5 x 10 MiB."""
TMP: Final = 256 * MIB
"""The agent's /tmp."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one container requests and may use: thousandths of a core, bytes."""

    cpu_request: int
    cpu_limit: int
    memory: int
    ephemeral: int

    def resources(self) -> dict[str, dict[str, str]]:
        """Give the container's `resources`."""
        both = {
            "memory": quantities.write_bytes(self.memory),
            "ephemeral-storage": quantities.write_bytes(self.ephemeral),
        }
        return {
            "requests": {"cpu": quantities.write_millis(self.cpu_request)} | both,
            "limits": {"cpu": quantities.write_millis(self.cpu_limit)} | both,
        }


def agent(effective: Effective) -> Share:
    """Give the agent's share."""
    sizes = effective.sizes
    request = max(sizes.cpu_millis // AGENT_CPU_SHARE, CPU_REQUEST_LEAST)
    return Share(request, sizes.cpu_millis, sizes.memory, sizes.ephemeral)


def watchdog(effective: Effective) -> Share:
    """Give the watchdog's share: its memory grows with the tunnels that the policy allows."""
    memory = WATCHDOG_MEMORY + tunnels(effective)
    return Share(WATCHDOG_CPU_REQUEST, WATCHDOG_CPU_LIMIT, memory, WATCHDOG_EPHEMERAL)


def tunnels(effective: Effective) -> int:
    """Give the memory for the tunnels that the policy allows, in whole MiB."""
    return -(-effective.connections * TUNNEL_MEMORY // MIB) * MIB
