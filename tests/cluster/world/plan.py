"""Say who listens where: the whole world as one table."""

import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.cluster import addresses


class Service(StrEnum):
    """Who answers."""

    WEBSITE = "website"
    LLM = "llm"
    OUTLAW = "outlaw"
    DNS = "dns"
    METADATA = "metadata"
    API = "api"
    FORGE = "forge"


class Kind(StrEnum):
    """How it listens."""

    HTTP = "http"
    HTTPS = "https"
    SINK = "tcp-sink"
    ECHO = "udp-echo"
    DNS_UDP = "dns-udp"
    DNS_TCP = "dns-tcp"


DATAGRAM_KINDS: Final = frozenset({Kind.ECHO, Kind.DNS_UDP})


@dataclass(frozen=True, slots=True)
class Place:
    """One listener: the address and port that the world knows it by."""

    service: Service
    kind: Kind
    address: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        """Tell the address family."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


_TABLE: Final[tuple[tuple[Service, tuple[str, ...], tuple[tuple[Kind, int], ...]], ...]] = (
    (
        Service.WEBSITE,
        (addresses.WEBSITE_IPV4, addresses.WEBSITE_IPV6),
        ((Kind.HTTP, 80), (Kind.HTTPS, 443)),
    ),
    (
        Service.LLM,
        (addresses.LLM_IPV4, addresses.LLM_IPV6),
        ((Kind.HTTPS, 443),),
    ),
    (
        Service.OUTLAW,
        (addresses.OUTLAW_IPV4, addresses.OUTLAW_IPV6),
        (
            (Kind.HTTP, 80),
            (Kind.HTTPS, 443),
            (Kind.SINK, 25),
            (Kind.SINK, 4444),
            (Kind.ECHO, 53),
            (Kind.ECHO, 9999),
        ),
    ),
    (
        Service.DNS,
        (addresses.WORLD_DNS_IPV4, addresses.WORLD_DNS_IPV6),
        ((Kind.DNS_UDP, 53), (Kind.DNS_TCP, 53)),
    ),
    (
        Service.METADATA,
        (addresses.METADATA_IPV4, addresses.METADATA_IPV6),
        ((Kind.HTTP, 80),),
    ),
    (
        Service.API,
        (addresses.API_IPV4, addresses.API_IPV6),
        ((Kind.HTTPS, 443),),
    ),
    (
        Service.FORGE,
        (addresses.FORGE_IPV4, addresses.FORGE_IPV6),
        ((Kind.HTTPS, 443),),
    ),
)

PLACES: Final[tuple[Place, ...]] = tuple(
    Place(service=service, kind=kind, address=address, port=port)
    for service, service_addresses, listeners in _TABLE
    for address in service_addresses
    for kind, port in listeners
)

CERTIFICATE_NAMES: Final[dict[Service, tuple[str, ...]]] = {
    Service.WEBSITE: (addresses.WEBSITE_NAME, "www.example.com", f"*.{addresses.REBINDING_PARENT}"),
    Service.LLM: (addresses.LLM_NAME,),
    Service.OUTLAW: (addresses.OUTLAW_NAME,),
    Service.API: (addresses.API_NAME,),
    Service.FORGE: (addresses.PACKAGES_NAME, addresses.GIT_NAME),
}
"""The DNS names in each service's certificate; its addresses stand there too."""


def loopback_address(address: str) -> str:
    """Give the loopback address that stands for one of the world's addresses where no namespace is at hand."""
    known = sorted({place.address for place in PLACES})
    return f"127.0.0.{10 + known.index(address)}"
