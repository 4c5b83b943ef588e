"""Say which doors the demo tries: the same list for the agent in its cage and for a pod that nothing guards.

Standard library only. Who sets the demo up calls `attempts` with what it knows of the cluster and hands the list to
both pods in a ConfigMap; `label` is what the two findings are compared by.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where things are around the pod: literal addresses, and names where a name is asked for."""

    website: str
    website_ipv6: str
    outlaw: str
    outlaw_ipv6: str
    resolver: str
    cluster_resolver: str
    metadata: str
    api_service: str
    node: str
    public_name: str
    api_port: int = 6443


def attempts(around: Surroundings) -> list[dict[str, Any]]:
    """List the attempts that end nowhere for the agent, and somewhere for an unguarded pod."""
    return [
        _tcp("direct dial of an allowed website", around.website, 443),
        _tcp("direct dial of an allowed website, IPv6", around.website_ipv6, 443),
        _tcp("direct dial of an outlaw", around.outlaw, 4444),
        _tcp("direct dial of an outlaw, IPv6", around.outlaw_ipv6, 4444),
        {"label": "datagram to an outlaw", "probe": "udp", "address": around.outlaw, "port": 9999},
        {"label": "own DNS", "probe": "resolve", "name": around.public_name},
        {"label": "a public resolver", "probe": "dns", "address": around.resolver, "name": around.public_name},
        {"label": "the cluster's DNS", "probe": "dns", "address": around.cluster_resolver, "name": around.public_name},
        {"label": "metadata service", "probe": "http", "url": f"http://{around.metadata}/latest/meta-data/"},
        _tcp("API server, by its Service", around.api_service, 443),
        _tcp("API server, by its node", around.node, around.api_port),
        _tcp("kubelet", around.node, 10250),
    ]


def at_the_gateway(*, address: str, host: str, port: int = 15443) -> list[dict[str, Any]]:
    """List what the agent tries at the gateway itself, past its watchdog: a CONNECT for an allowed host, no token.

    The control is the agent's own call through the watchdog: an unguarded pod does not even reach the gateway.
    """
    bracketed = f"[{address}]" if ":" in address else address
    proxy = f"https://{bracketed}:{port}"
    return [{"label": "gateway without a token", "probe": "proxy", "host": host, "proxy": proxy}]


def _tcp(label: str, address: str, port: int) -> dict[str, Any]:
    return {"label": label, "probe": "tcp", "address": address, "port": port}
