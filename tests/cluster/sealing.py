"""Find every way out of the two namespaces, in what `ip -json` says about them. Pure.

The suite sends hostile traffic only when this list is empty.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.cluster import addresses, network

Link = Mapping[str, Any]
Route = Mapping[str, Any]

POD_LINK_PREFIX: Final = network.POD_LINKS.rstrip("+")
HARMLESS_TYPES: Final = frozenset(
    {"local", "broadcast", "multicast", "anycast", "unreachable", "blackhole", "prohibit"}
)
LINK_RANGES: Final = (
    f"{addresses.NODE_IPV4}/{addresses.LINK_IPV4_PREFIX}",
    f"{addresses.NODE_IPV6}/{addresses.LINK_IPV6_PREFIX}",
    "fe80::/10",
    "ff00::/8",
)
POD_RANGES: Final = (addresses.POD_CIDR_IPV4, addresses.POD_CIDR_IPV6)
GATEWAYS: Final = {
    addresses.NODE_NETNS: {addresses.WORLD_LINK_IPV4, addresses.WORLD_LINK_IPV6},
    addresses.WORLD_NETNS: {addresses.NODE_IPV4, addresses.NODE_IPV6},
}


def link_problems(netns: str, links: Iterable[Link]) -> list[str]:
    """Name the links of a namespace (`ip -json -details link`) that could carry a packet elsewhere."""
    problems = []
    for link in links:
        name, kind = str(link["ifname"]), link.get("linkinfo", {}).get("info_kind")
        own = name == network.LINK or (netns == addresses.NODE_NETNS and name.startswith(POD_LINK_PREFIX))
        if name == "lo" or "UP" not in link.get("flags", ()) or (own and kind == "veth"):
            continue
        problems.append(f"{netns}: link {name} ({kind or 'physical'}) is up and not ours")
    return problems


def route_problems(netns: str, routes: Iterable[Route]) -> list[str]:
    """Name the routes of a namespace (`ip -json route show table all`) that lead beyond node, pods and world."""
    return [f"{netns}: route {describe(route)} leads out" for route in routes if not is_inward(netns, route)]


def is_inward(netns: str, route: Route) -> bool:
    """Tell whether a route ends inside the two namespaces."""
    if route.get("type", "unicast") in HARMLESS_TYPES or route.get("dev") == "lo":
        return True
    if "nexthops" in route:
        return False  # nobody here makes such
    gateway, destination = route.get("gateway"), str(route["dst"])
    if gateway is not None and (gateway not in GATEWAYS[netns] or route.get("dev") != network.LINK):
        return False
    if destination == "default":
        return netns == addresses.NODE_NETNS and gateway is not None
    return within(destination, LINK_RANGES + POD_RANGES)


def within(destination: str, ranges: Iterable[str]) -> bool:
    """Tell whether an address or network lies wholly in one of the ranges."""
    inner = ipaddress.ip_network(destination, strict=False)
    for text in ranges:
        match inner, ipaddress.ip_network(text, strict=False):
            case (ipaddress.IPv4Network() as small, ipaddress.IPv4Network() as large) if small.subnet_of(large):
                return True
            case (ipaddress.IPv6Network() as small, ipaddress.IPv6Network() as large) if small.subnet_of(large):
                return True
    return False


def describe(route: Route) -> str:
    """Render a route for a message."""
    via = f" via {route['gateway']}" if "gateway" in route else ""
    return f"{route['dst']}{via} dev {route.get('dev', '?')}"


def bridge_problems(machine_links: Iterable[Link], our_ids: Iterable[int]) -> list[str]:
    """Name the machine's own links whose other end lies in one of our namespaces (`ip -json netns` gives the ids)."""
    ids = set(our_ids)
    return [
        f"the machine's link {link['ifname']} ends in a namespace of the cluster"
        for link in machine_links
        if link.get("link_netnsid") in ids
    ]


def forwarding_problems(world_forwarding: Mapping[str, str]) -> list[str]:
    """Name the settings by which the world would pass packets on; values as /proc/sys shows them."""
    return [
        f"{addresses.WORLD_NETNS}: {name} is {value}"
        for name, value in world_forwarding.items()
        if value.strip() != "0"
    ]
