"""Judge captured packets: which of them prove that something of an agent's arrived where it must not. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.battery.capture import Flow
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

TCP: Final = 6
UDP: Final = 17
ICMP: Final = 1
ICMP6: Final = 58
ECHO_REPLIES: Final = {ICMP: frozenset({0}), ICMP6: frozenset({129})}
ERRORS: Final = {ICMP: frozenset({3, 5, 11, 12}), ICMP6: frozenset({1, 2, 3, 4})}
NEIGHBOURS: Final = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})
"""ICMPv6 of one link: neighbour discovery, multicast listeners."""
SERVERS: Final = frozenset({443, 2379, addresses.API_PORT, 10250})
"""Of the node."""
PROBED: Final = frozenset({contract.PROBE_PORT})
"""Where the kubelet calls agents' pods."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One packet that must not have been: whose, where from, where to, and how it is known."""

    agent: str
    peer: str
    port: int
    how: str


def arrived_in_world(flows: Iterable[Flow], agents: Mapping[str, str]) -> list[Proof]:
    """Give everything of an agent's address in the world; `agents`: address → name."""
    return [
        Proof(agents[flow.source], flow.target, flow.dport, "arrived in the world")
        for flow in flows
        if flow.source in agents and not flow.outgoing
    ]


def passed_the_node(flows: Iterable[Flow], agents: Mapping[str, str], stage: Stage) -> list[Proof]:
    """Give what the node forwarded for an agent, and what anybody but the gateway and the kubelet sent to one."""
    found = []
    for flow in flows:
        if not flow.outgoing or (flow.protocol == ICMP6 and flow.flags in NEIGHBOURS):
            continue
        if flow.source in agents and not _to_gateway(flow, stage):
            found.append(Proof(agents[flow.source], flow.target, flow.dport, f"forwarded to {flow.link}"))
        elif flow.target in agents and _answers(flow, stage):
            found.append(Proof(agents[flow.target], flow.source, flow.sport, "answered"))
    return found


def led_inward(flows: Iterable[Flow], stage: Stage) -> list[Proof]:
    """Give what the node's own servers answered to the gateway: names that point inward lead there."""
    inward = {addresses.NODE_IPV4, addresses.NODE_IPV6, addresses.API_SERVICE_IPV4, *stage.bridge}
    return [
        Proof("gateway", flow.source, flow.sport, "answered the gateway")
        for flow in flows
        if flow.outgoing and flow.target in stage.gateway_pods and flow.source in inward
        and flow.protocol == TCP and flow.sport in SERVERS
    ]  # fmt: skip


def _to_gateway(flow: Flow, stage: Stage) -> bool:
    return flow.target in stage.gateway_pods and flow.protocol == TCP and flow.dport in stage.gateway_ports


def _answers(flow: Flow, stage: Stage) -> bool:
    """Tell whether a packet to an agent answers something of its own."""
    if flow.source in {*stage.gateway_pods, *stage.gateway} and flow.sport in stage.gateway_ports:
        return False
    if flow.protocol in ECHO_REPLIES:
        return flow.flags in ECHO_REPLIES[flow.protocol]
    return not (flow.protocol == TCP and flow.dport in PROBED)
