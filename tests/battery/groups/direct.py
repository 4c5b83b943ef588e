"""Group 1: direct dials, every proxy variable ignored."""

from collections.abc import Iterator

from tests.battery.lines import Attempt, Control, Probe, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Dial everything that an unguarded pod reaches."""
    for line, address, port in places(stage):
        yield attempt(line, f"[{address}]:{port}", {"kind": "dial", "address": address, "port": port})
    web = f"GET /?direct={{id}} HTTP/1.1\r\nHost: {addresses.WEBSITE_NAME}\r\nConnection: close\r\n\r\n"
    for line, address in (
        ("plain HTTP to an allowed address", addresses.WEBSITE_IPV4),
        ("plain HTTP to an allowed address", addresses.WEBSITE_IPV6),
        ("plain HTTP to an outlaw", addresses.OUTLAW_IPV4),
        ("metadata", addresses.METADATA_IPV4),
    ):
        yield attempt(line, f"GET from {address}", {"kind": "head", "to": [address, 80], "parts": [web], "any": True})
    for address in (addresses.WEBSITE_IPV4, addresses.WEBSITE_IPV6, addresses.LLM_IPV4, addresses.API_IPV6):
        probe: dict[str, object] = {
            "kind": "head",
            "to": [address, 443],
            "tls": {"sni": addresses.WEBSITE_NAME},
            "parts": [web],
        }
        probe["any"] = True
        yield attempt("TLS with an allowed name", address, probe)


def places(stage: Stage) -> Iterator[tuple[str, str, int]]:
    """Give what listens, by line."""
    for address in (addresses.WEBSITE_IPV4, addresses.WEBSITE_IPV6):
        yield "allowed website, by address", address, 443
        yield "allowed website, by address", address, 80
    for address in (addresses.OUTLAW_IPV4, addresses.OUTLAW_IPV6):
        for port in (25, 80, 443, 4444):
            yield "outlaw", address, port
    for address in (addresses.LLM_IPV4, addresses.LLM_IPV6, addresses.API_IPV4, addresses.API_IPV6):
        yield "other addresses of the world", address, 443
    yield "metadata", addresses.METADATA_IPV4, 80
    for address in (addresses.NODE_IPV4, addresses.NODE_IPV6):
        yield "API server, by its node", address, addresses.API_PORT
        yield "kubelet", address, 10250
    for address in stage.bridge:
        yield "the node, by the pod's own gateway", address, 10250
        yield "the node, by the pod's own gateway", address, addresses.API_PORT
    yield "API server, by its Service", addresses.API_SERVICE_IPV4, 443
    for address in stage.etcd:
        yield "etcd", address, 2379
    for address in stage.neighbour:
        yield "another pod", address, stage.neighbour_port
    yield "another pod's Service", stage.neighbour_service, stage.neighbour_port
    yield "cluster DNS by TCP", addresses.CLUSTER_DNS_IPV4, 53


def attempt(line: str, variant: str, probe: Probe) -> Attempt:
    """Build one attempt, whose control is the same from an unguarded pod."""
    return Attempt(1, line, variant, probe, Control(Where.FREE, probe), Witness.DROP)
