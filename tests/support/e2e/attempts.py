"""Spell the attempts that `examples/demo/probe.py` makes from inside a pod, and read their outcomes."""

from tests.cluster import addresses
from tests.support.e2e.api import Object


def dial(address: str, port: int) -> Object:
    """Open a TCP connection to a literal address, with every proxy variable ignored."""
    return {"probe": "tcp", "address": address, "port": port}


def ask(server: str, name: str) -> Object:
    """Ask a DNS server by UDP."""
    return {"probe": "dns", "address": server, "name": name}


def fetch(address: str, path: str = "/") -> Object:
    """Send a plain HTTP request straight to an address."""
    return {"probe": "http", "url": f"http://{address}{path}"}


def tunnel(host: str, *, port: int = 443, sni: str | None = "") -> Object:
    """Go through the proxy of the environment: CONNECT, TLS with this SNI (None: without), one GET."""
    attempt: Object = {"probe": "proxy", "host": host, "port": port, "path": "/"}
    return attempt if sni == "" else attempt | {"sni": sni}


def everywhere() -> list[Object]:
    """Every direct way out that an unguarded pod has on the local cluster, in both families."""
    return [
        dial(addresses.WEBSITE_IPV4, 443),
        dial(addresses.WEBSITE_IPV6, 443),
        dial(addresses.OUTLAW_IPV4, 4444),
        dial(addresses.OUTLAW_IPV6, 25),
        dial(addresses.NODE_IPV4, addresses.API_PORT),
        dial(addresses.NODE_IPV6, addresses.API_PORT),
        dial(addresses.NODE_IPV4, 10250),
        dial(addresses.API_SERVICE_IPV4, 443),
        fetch(addresses.METADATA_IPV4, "/latest/meta-data/"),
        ask(addresses.WORLD_DNS_IPV4, addresses.WEBSITE_NAME),
        ask(addresses.WORLD_DNS_IPV6, addresses.WEBSITE_NAME),
        ask(addresses.CLUSTER_DNS_IPV4, addresses.WEBSITE_NAME),
    ]


def passed(outcome: Object) -> bool:
    """Tell whether an attempt got through: a connection, any HTTP answer, or an answer inside the tunnel."""
    if outcome["probe"] == "proxy":
        return bool(outcome.get("inner", "").isdigit())
    return bool(outcome["outcome"] == "open" or outcome["outcome"].isdigit())
