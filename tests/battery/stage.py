"""What the lines must know of the cluster that they are tried on."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.battery.lines import Needs
from tests.cluster import addresses
from zaum_api import contract

NEIGHBOUR_PORT: Final = 8080


@dataclass(frozen=True, slots=True)
class Stage:
    """Addresses are literals. `tokens`: name of a credential → what an agent would send."""

    neighbour: tuple[str, ...]
    neighbour_service: str
    gateway: tuple[str, ...]
    """Addresses of the gateway's Service."""
    gateway_pods: frozenset[str]
    tokens: Mapping[str, str] = field(default_factory=dict)
    present: frozenset[Needs] = frozenset({Needs.NOTHING})
    neighbour_port: int = NEIGHBOUR_PORT
    gateway_ports: frozenset[int] = frozenset({contract.GATEWAY_PORT, contract.GATEWAY_SIGNED_PORT})

    @property
    def bridge(self) -> tuple[str, ...]:
        """Give the node's addresses on the pods' own links."""
        ranges = (addresses.POD_CIDR_IPV4, addresses.POD_CIDR_IPV6)
        return tuple(str(ipaddress.ip_network(each)[1]) for each in ranges)

    @property
    def etcd(self) -> tuple[str, ...]:
        """Give where a node's etcd would listen: one that answers with a reset proves the packet's arrival, too."""
        return addresses.NODE_IPV4, addresses.NODE_IPV6
