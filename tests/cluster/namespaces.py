"""Make, inspect and remove the two network namespaces."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.cluster import addresses, errors, network, processes, sealing

NAMES: Final = (addresses.NODE_NETNS, addresses.WORLD_NETNS)
FOLDER: Final = Path("/run/netns")


def exist() -> bool:
    """Tell whether both namespaces are there."""
    return all((FOLDER / name).exists() for name in NAMES)


def create() -> None:
    """Make both and prove that nothing leads out of them."""
    for command in network.make():
        processes.run(*command)
    assert_sealed()


def queue_packets() -> None:
    """Let the policy engine decide on pods' packets."""
    for command in network.queue_rules():
        processes.run(*command)


def ask_nobody() -> None:
    """Let pods' packets pass unasked, until `ask_again`."""
    for command in network.unasking_rules():
        processes.run(*command)


def ask_again() -> None:
    """Let the policy engine decide again, whatever is left of `ask_nobody`."""
    for command in network.unasking_rules():
        processes.run(*command, check=False)
    for command in network.asking_rules():
        processes.run(*command)


def remove() -> None:
    """Delete both namespaces as far as they exist."""
    for name in NAMES:
        if (FOLDER / name).exists():
            done = processes.run("ip", "netns", "delete", name, check=False)
            if done.returncode != 0:  # a run that died between making the file and mounting on it
                (FOLDER / name).unlink(missing_ok=True)


def ip_json(*arguments: str, outside: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Run `ip -json` and return its list; it prints nothing at all for an empty one."""
    text = processes.run(*outside, "ip", "-json", *arguments).stdout.strip()
    return [entry for entry in json.loads(text or "[]") if entry]


def problems(*, outside: Sequence[str] = ()) -> list[str]:
    """Return every way out of the namespaces, empty when they are sealed.

    `outside` is the command prefix that enters the machine's own namespace, empty when the caller is in it.
    """
    found: list[str] = []
    for name in NAMES:
        found += sealing.link_problems(name, ip_json("-details", "-n", name, "link", "show"))
        for family in ("-4", "-6"):
            found += sealing.route_problems(name, ip_json(family, "-n", name, "route", "show", "table", "all"))
    ids = [
        int(entry["id"])
        for entry in ip_json("netns", "list", outside=outside)
        if entry["name"] in NAMES and "id" in entry
    ]
    found += sealing.bridge_problems(ip_json("-details", "link", "show", outside=outside), ids)
    settings = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    shown = processes.run(*network.inside(addresses.WORLD_NETNS, "sysctl", "-n", *settings)).stdout.split()
    return found + sealing.forwarding_problems(dict(zip(settings, shown, strict=True)))


def assert_sealed(*, outside: Sequence[str] = ()) -> None:
    """Raise ClusterError unless no packet can leave the two namespaces; run before anything sends one."""
    if found := problems(outside=outside):
        raise errors.ClusterError("the cluster's network is not sealed:\n" + "\n".join(found))
