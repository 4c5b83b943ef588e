"""Every way out of the two namespaces is named, and nothing that belongs there is."""

from typing import Any

import pytest

from tests.cluster import addresses, sealing

NODE, WORLD = addresses.NODE_NETNS, addresses.WORLD_NETNS


def link(name: str, kind: str | None = "veth", *, up: bool = True) -> dict[str, Any]:
    """Return a link as `ip -json -details link` shows it."""
    flags = ["BROADCAST", "MULTICAST", *(["UP", "LOWER_UP"] if up else [])]
    return {"ifname": name, "flags": flags, **({"linkinfo": {"info_kind": kind}} if kind else {})}


LOOPBACK = {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "link_type": "loopback"}


@pytest.mark.parametrize(
    ("netns", "links"),
    [
        (NODE, [LOOPBACK, link("zaum0")]),
        (NODE, [LOOPBACK, link("zaum0"), link("veth1a2b3c4d")]),
        (WORLD, [LOOPBACK, link("zaum0")]),
        (WORLD, [LOOPBACK, link("zaum0"), link("sit0", "sit", up=False)]),
    ],
)
def test_the_links_that_belong_there_are_no_problem(netns: str, links: list[dict[str, Any]]) -> None:
    assert sealing.link_problems(netns, links) == []


@pytest.mark.parametrize(
    ("netns", "stranger"),
    [
        (NODE, link("eth0", None)),
        (NODE, link("eth0", "veth")),
        (NODE, link("zaum0", "macvlan")),
        (NODE, link("veth1a2b3c4d", "ipvlan")),
        (NODE, link("tun0", "tun")),
        (WORLD, link("veth1a2b3c4d")),
        (WORLD, link("wg0", "wireguard")),
    ],
)
def test_any_other_link_that_is_up_is_named(netns: str, stranger: dict[str, Any]) -> None:
    found = sealing.link_problems(netns, [LOOPBACK, link("zaum0"), stranger])
    assert [stranger["ifname"] in problem for problem in found] == [True]


DEFAULT_V4 = {"dst": "default", "gateway": addresses.WORLD_LINK_IPV4, "dev": "zaum0"}
DEFAULT_V6 = {"dst": "default", "gateway": addresses.WORLD_LINK_IPV6, "dev": "zaum0"}


@pytest.mark.parametrize(
    ("netns", "route"),
    [
        (NODE, DEFAULT_V4),
        (NODE, DEFAULT_V6),
        (NODE, {"dst": "10.90.0.0/24", "dev": "zaum0"}),
        (NODE, {"dst": "10.244.0.7", "dev": "veth1"}),
        (NODE, {"dst": "fd00:10:244::7", "dev": "veth1"}),
        (NODE, {"dst": "fe80::/64", "dev": "veth1"}),
        (NODE, {"dst": "ff00::/8", "dev": "veth1", "type": "multicast"}),
        (NODE, {"dst": "10.90.0.255", "dev": "zaum0", "type": "broadcast"}),
        (NODE, {"dst": "8.8.8.8", "type": "unreachable"}),
        (WORLD, {"dst": addresses.POD_CIDR_IPV4, "gateway": addresses.NODE_IPV4, "dev": "zaum0"}),
        (WORLD, {"dst": addresses.POD_CIDR_IPV6, "gateway": addresses.NODE_IPV6, "dev": "zaum0"}),
        (WORLD, {"dst": addresses.WEBSITE_IPV6, "dev": "lo"}),
        (WORLD, {"dst": addresses.WEBSITE_IPV4, "dev": "lo", "type": "local"}),
    ],
)
def test_a_route_that_ends_inside_is_no_problem(netns: str, route: dict[str, Any]) -> None:
    assert sealing.route_problems(netns, [route]) == []


@pytest.mark.parametrize(
    ("netns", "route"),
    [
        pytest.param(WORLD, {**DEFAULT_V4, "gateway": addresses.NODE_IPV4}, id="the world has no default route"),
        pytest.param(NODE, {"dst": "default", "dev": "zaum0"}, id="a default route without the world's gateway"),
        pytest.param(NODE, {**DEFAULT_V4, "gateway": "10.90.0.1"}, id="another gateway"),
        pytest.param(NODE, {**DEFAULT_V4, "dev": "eth0"}, id="the right gateway on another link"),
        pytest.param(NODE, {"dst": "8.8.8.8", "dev": "zaum0"}, id="an address outside"),
        pytest.param(NODE, {"dst": "10.0.0.0/8", "dev": "zaum0"}, id="a range wider than ours"),
        pytest.param(NODE, {"dst": "2000::/3", "dev": "zaum0"}, id="the whole of IPv6"),
        pytest.param(NODE, {"dst": "default", "nexthops": [{"gateway": "10.90.0.254"}]}, id="several next hops"),
        pytest.param(WORLD, {"dst": "10.96.0.0/16", "gateway": addresses.NODE_IPV4, "dev": "zaum0"}, id="services"),
    ],
)
def test_a_route_that_leads_on_is_named(netns: str, route: dict[str, Any]) -> None:
    assert len(sealing.route_problems(netns, [route])) == 1


def test_a_link_of_the_machine_into_a_namespace_is_named() -> None:
    machine: list[dict[str, Any]] = [{"ifname": "lo"}, {"ifname": "eth0"}, {"ifname": "veth9", "link_netnsid": 3}]
    assert sealing.bridge_problems(machine, []) == []
    assert sealing.bridge_problems(machine, [4]) == []
    assert len(sealing.bridge_problems(machine, [3, 4])) == 1


def test_a_world_that_forwards_is_named() -> None:
    assert sealing.forwarding_problems({"net.ipv4.ip_forward": "0\n"}) == []
    assert sealing.forwarding_problems({"net.ipv4.ip_forward": "1"}) == ["zaum-world: net.ipv4.ip_forward is 1"]
