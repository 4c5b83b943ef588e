"""Classify IP addresses: which ones nothing on the outside may resolve to.

An own table, because the standard library's `is_global` calls NAT64 and IPv4-compatible forms of link-local
addresses, site-local addresses and multicast global. Forms that carry an IPv4 address inside (RFC 4291 §2.5.5,
RFC 6052, RFC 3056, RFC 4380, RFC 2765, RFC 5214) are unwrapped first, and what is inside counts.

The documentation ranges (RFC 5737, RFC 3849) stay reachable: nothing routes them, and test worlds live there.
"""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(StrEnum):
    """What an address is for. Only PUBLIC may be reached by name."""

    PUBLIC = "public"
    METADATA = "metadata"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    LINK_LOCAL = "linkLocal"
    SHARED = "sharedCGNAT"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    RESERVED = "reserved"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Class:
    """The kind of an address, and the address that decided it (the embedded one where there is one)."""

    kind: Kind
    decisive: str

    @property
    def reachable(self) -> bool:
        """Say whether an allowed name may resolve to it."""
        return self.kind is Kind.PUBLIC


def _table(kind: Kind, *networks: str) -> tuple[tuple[Network, Kind], ...]:
    return tuple((ipaddress.ip_network(network), kind) for network in networks)


DENIED: Final[tuple[tuple[Network, Kind], ...]] = (
    # Metadata services stand first: some live inside wider ranges, one (Azure's) at a public address.
    *_table(Kind.METADATA, "169.254.169.254/32", "169.254.170.2/32", "168.63.129.16/32", "100.100.100.200/32"),
    *_table(Kind.METADATA, "192.0.0.192/32", "fd00:ec2::254/128", "fd20:ce::254/128"),
    *_table(Kind.UNSPECIFIED, "0.0.0.0/8", "::/128"),
    *_table(Kind.LOOPBACK, "127.0.0.0/8", "::1/128"),
    *_table(Kind.PRIVATE, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    *_table(Kind.LINK_LOCAL, "169.254.0.0/16", "fe80::/10"),
    *_table(Kind.SHARED, "100.64.0.0/10"),
    *_table(Kind.MULTICAST, "224.0.0.0/4", "ff00::/8"),
    # Protocol assignments, 6to4 relays, benchmarking, class E and broadcast; IPv6's discard, ORCHID, SRv6 SIDs and
    # local-use NAT64, whose embedded address has no fixed place (RFC 8215).
    *_table(Kind.RESERVED, "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
    *_table(Kind.RESERVED, "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:10::/28", "2001:20::/28", "5f00::/16"),
)
"""Network and kind; the first that holds an address decides."""

_GLOBAL_UNICAST: Final = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("64:ff9b::/96"))


def classify(text: str) -> Class:
    """Classify an address in its usual spelling (a zone id is dropped); anything else is MALFORMED, not reachable."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return Class(Kind.MALFORMED, "")
    for candidate in (*embedded(address), address):
        kind = _kind(candidate)
        if kind is not Kind.PUBLIC:
            return Class(kind, str(candidate))
    return Class(Kind.PUBLIC, str(address))


def embedded(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Give every IPv4 address that an IPv6 address carries; none for IPv4 and for plain IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    packed = address.packed
    if packed[:2] == b"\x20\x02":  # 6to4
        return (ipaddress.IPv4Address(packed[2:6]),)
    if packed[:4] == b"\x20\x01\x00\x00":  # Teredo: server, and client with every bit turned
        return (ipaddress.IPv4Address(packed[4:8]), ipaddress.IPv4Address(bytes(0xFF ^ bit for bit in packed[12:])))
    if packed[:12] in _LAST_32_BITS or packed[8:12] in _ISATAP:
        return (ipaddress.IPv4Address(packed[12:]),)
    return ()


_LAST_32_BITS: Final = frozenset(
    {
        bytes(12),  # IPv4-compatible (and ::, ::1, which stay denied as 0.0.0.0/8)
        bytes(10) + b"\xff\xff",  # IPv4-mapped
        bytes(8) + b"\xff\xff\x00\x00",  # IPv4-translated
        b"\x00\x64\xff\x9b" + bytes(8),  # NAT64, well-known prefix
    }
)
_ISATAP: Final = frozenset({b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe"})


def _kind(address: Address) -> Kind:
    for network, kind in DENIED:
        if network.version == address.version and address in network:
            return kind
    if isinstance(address, ipaddress.IPv6Address) and not any(address in network for network in _GLOBAL_UNICAST):
        # IPv4-mapped and the like: judged by what they carry, and a carrier alone is no public address.
        return Kind.RESERVED if not embedded(address) else Kind.PUBLIC
    return Kind.PUBLIC
