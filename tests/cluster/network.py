"""List the commands that make the two network namespaces and the packet queue between pods and everyone. Pure."""

from typing import Final

from tests.cluster import addresses, components

LINK: Final = "zaum0"
"""The name of either end of the veth pair between node and world."""

POD_LINKS: Final = "veth+"
"""How iptables spells the node's ends of the pods' links, as the ptp plugin names them."""

Command = list[str]


def inside(netns: str, *command: str) -> Command:
    """Enter only the network namespace: `ip netns exec` would also remount /sys and hide the cgroups."""
    return ["nsenter", f"--net=/run/netns/{netns}", "--", *command]


def make() -> list[Command]:
    """Return the commands that make both namespaces and the one link between them; nothing joins the machine's own."""
    node, world = addresses.NODE_NETNS, addresses.WORLD_NETNS
    commands = [["ip", "netns", "add", name] for name in (node, world)]
    for name in (node, world):
        settings = ["net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0"]
        settings += ["net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"]
        commands.append(inside(name, "sysctl", "-qw", *settings))
    commands.append(["ip", "-n", node, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", world])
    for name, ipv4, ipv6 in (
        (node, addresses.NODE_IPV4, addresses.NODE_IPV6),
        (world, addresses.WORLD_LINK_IPV4, addresses.WORLD_LINK_IPV6),
    ):
        commands.append(["ip", "-n", name, "link", "set", "lo", "up"])
        commands.append(["ip", "-n", name, "addr", "add", f"{ipv4}/{addresses.LINK_IPV4_PREFIX}", "dev", LINK])
        commands.append(["ip", "-n", name, "addr", "add", f"{ipv6}/{addresses.LINK_IPV6_PREFIX}", "dev", LINK, "nodad"])
        commands.append(["ip", "-n", name, "link", "set", LINK, "up"])
    return [*commands, *node_routes(), *world_routes()]


def node_routes() -> list[Command]:
    """Send everything unknown to the world; forward for pods; refuse spoofed sources."""
    node = addresses.NODE_NETNS
    settings = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
    settings += ["net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1"]
    return [
        inside(node, "sysctl", "-qw", *settings),
        ["ip", "-n", node, "route", "add", "default", "via", addresses.WORLD_LINK_IPV4],
        ["ip", "-n", node, "-6", "route", "add", "default", "via", addresses.WORLD_LINK_IPV6],
    ]


def world_routes() -> list[Command]:
    """Give the world its addresses and the way back to pods; it forwards nothing and has no default route."""
    world = addresses.WORLD_NETNS
    commands = [inside(world, "sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")]
    commands += [
        ["ip", "-n", world, "addr", "add", f"{address}/32", "dev", "lo"] for address in addresses.WORLD_ADDRESSES_IPV4
    ]
    commands += [
        ["ip", "-n", world, "addr", "add", f"{address}/128", "dev", "lo", "nodad"]
        for address in addresses.WORLD_ADDRESSES_IPV6
    ]
    commands.append(["ip", "-n", world, "route", "add", addresses.POD_CIDR_IPV4, "via", addresses.NODE_IPV4])
    commands.append(["ip", "-n", world, "-6", "route", "add", addresses.POD_CIDR_IPV6, "via", addresses.NODE_IPV6])
    return commands


def queue_rules() -> list[Command]:
    """Return the rules that hand pods' packets to the policy engine, for both families, in the node's namespace.

    Every packet in a connection's original direction is asked about, so a policy that changes stops live
    connections; replies pass. Without the engine the kernel drops what is queued (no --queue-bypass). What the
    kernel cannot assign to a connection would slip past the direction match, so it is dropped first. The node's
    own packets to pods (probes) are not asked about, as NetworkPolicy demands.
    """
    queue = ["-m", "conntrack", "--ctdir", "ORIGINAL", "-j", "NFQUEUE", "--queue-num", str(components.QUEUE_NUMBER)]
    commands = []
    for tool, pods in (("iptables", addresses.POD_CIDR_IPV4), ("ip6tables", addresses.POD_CIDR_IPV6)):
        rules = [
            ["FORWARD", "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-j", "DROP"],
            ["FORWARD", *queue],
            ["INPUT", "-i", POD_LINKS, "!", "-s", pods, "-m", "conntrack", "--ctstate", "NEW,INVALID", "-j", "DROP"],
            ["INPUT", "-i", POD_LINKS, "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"],
            ["INPUT", "-i", POD_LINKS, *queue],
        ]
        if tool == "ip6tables":  # what rp_filter does for IPv4
            spoofed = ["PREROUTING", "-i", POD_LINKS, "-m", "rpfilter", "--invert", "-j", "DROP"]
            commands.append(inside(addresses.NODE_NETNS, tool, "-w", "-t", "raw", "-A", *spoofed))
        commands += [inside(addresses.NODE_NETNS, tool, "-w", "-t", "mangle", "-A", *rule) for rule in rules]
    return commands


def asking_rules() -> list[Command]:
    """Return those of `queue_rules` that ask the engine. Each is the last of its chain, also when it is added again."""
    return [rule for rule in queue_rules() if "NFQUEUE" in rule]


def unasking_rules() -> list[Command]:
    """Return the commands that take the asking rules away: then nothing enforces any NetworkPolicy."""
    return [["-D" if word == "-A" else word for word in rule] for rule in asking_rules()]
