"""Group 6: DNS, and allowed names that lead where no gateway may go."""

import struct
import uuid
from collections.abc import Iterator
from typing import Final

from tests.battery.groups.names import CONTROL, MALFORMED, UNNAMED, connect
from tests.battery.lines import Attempt, Control, Needs, Probe, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses
from zaum_api import contract

OK: Final = addresses.WEBSITE_NAME
ADDRESS: Final = frozenset({contract.Rule.UPSTREAM_ADDRESS.value})
UPSTREAM: Final = frozenset({contract.Rule.UPSTREAM_UNAVAILABLE.value}) | ADDRESS
PORT: Final = frozenset({contract.Rule.PORT_NOT_NAMED.value})
TYPES: Final = {"A": 1, "TXT": 16, "AAAA": 28, "NULL": 10, "ANY": 255}
REBIND_WAIT: Final = 12.0
"""Longer than the time to live, the resolvers' caches and the gateway's own."""
LURES: Final = (
    "node", "mixed", "loopback", "unspecified", "metadata", "service", "resolver", "mapped", "translated",
    "sixtofour", "linklocal", "alias", "chain", "cluster",
)  # fmt: skip
SEVERAL: Final = frozenset({"mixed", "alias", "chain", "cluster"})
"""Lures that may be found to lead nowhere before an address of theirs is looked at."""
LURE_PORTS: Final = (addresses.API_PORT, 10250)
ANSWERED_AT: Final = {"metadata": (80,), "service": (443,), "cluster": (443,), "resolver": (53, 443)}
"""Where a lure's target really listens, if not at LURE_PORTS."""

GRANTED_ROUTE: Final = "granted"
GRANTED_PORT: Final = addresses.API_PORT
"""The policy names it for lures; at the website's address nothing listens there."""
ASKING: Final = f"GET /{GRANTED_ROUTE}/ HTTP/1.1\r\nHost: 127.0.0.1:15002\r\nConnection: close\r\n\r\n"
GRANTED: Final = Control(Where.HOLDER, {"kind": "head", "to": "routes", "parts": [ASKING], "tries": 40})
"""The Service is there, and the gateway's pods may reach it: by the route of another policy, soon."""


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Ask resolvers, hide data in questions, and follow names that lie."""
    yield from _questions()
    for variant, label in (("a label", "{id}-c2VjcmV0"), ("a long label", "{id}" + "a" * 50)):
        probe = connect(f"{label}.{OK}:443")
        yield Attempt(6, "data in a name, by CONNECT", variant, probe, CONTROL, Witness.RULE, UNNAMED)
    probe = connect(f"{'.'.join(['{id}'] * 8)}.{OK}:443")
    yield Attempt(6, "data in a name, by CONNECT", "many labels", probe, CONTROL, Witness.RULE, UNNAMED | MALFORMED)
    yield from _secure()
    yield from _lures()
    yield from _granted()
    yield from _rebinding(stage)


def _questions() -> Iterator[Attempt]:
    for name in (OK, addresses.OUTLAW_NAME, f"{{id}}.{OK}", "kubernetes.default.svc.cluster.local"):
        control = Control(Where.FREE, {"kind": "resolve", "name": OK, "seconds": 15})
        yield Attempt(6, "the pod's own resolver", name, {"kind": "resolve", "name": name}, control, Witness.DROP)
    for address in (addresses.WORLD_DNS_IPV4, addresses.WORLD_DNS_IPV6, addresses.CLUSTER_DNS_IPV4):
        for kind, number in TYPES.items():
            probe = datagram(address, OK, number)
            control = Control(Where.FREE, datagram(address, OK, 1))
            line = "a public resolver" if address != addresses.CLUSTER_DNS_IPV4 else "the cluster's resolver"
            yield Attempt(6, line, f"{address}, {kind}", probe, control, Witness.DROP)
        tcp: Probe = {"kind": "dial", "address": address, "port": 53}
        yield Attempt(6, "resolvers by TCP", address, tcp, Control(Where.FREE, tcp), Witness.DROP)
    for name in (f"c2VjcmV0.{OK}", "c2VjcmV0." + "a" * 60 + f".{OK}"):
        probe = datagram(addresses.WORLD_DNS_IPV4, name, TYPES["TXT"])
        control = Control(Where.FREE, datagram(addresses.WORLD_DNS_IPV4, OK, TYPES["TXT"]))
        yield Attempt(6, "data in a name, by TXT", name[:40], probe, control, Witness.DROP)
    # Names that answer by asking everybody on the link: mDNS and LLMNR.
    for address, port in (("224.0.0.251", 5353), ("224.0.0.252", 5355)):
        probe = {**datagram(address, OK, 1), "port": port}
        control = Control(Where.FREE, datagram(addresses.WORLD_DNS_IPV4, OK, 1))
        yield Attempt(6, "multicast", f"{address}:{port}", probe, control, Witness.DROP)


def _secure() -> Iterator[Attempt]:
    for address in (addresses.WORLD_DNS_IPV4, addresses.WORLD_DNS_IPV6):
        for line, port in (("DNS over TLS, directly", 853), ("DNS over HTTPS, directly", 443)):
            probe: Probe = {"kind": "dial", "address": address, "port": port}
            yield Attempt(6, line, address, probe, Control(Where.FREE, probe), Witness.DROP)
    for name in ("dns.example.org", "resolver.example.net"):
        for port, line in ((443, "DNS over HTTPS, by the proxy"), (853, "DNS over TLS, by the proxy")):
            rules = UNNAMED if port == 443 else PORT
            yield Attempt(6, line, name, connect(f"{name}:{port}"), CONTROL, Witness.RULE, rules)
    for port in (53, 853):
        yield Attempt(
            6, "an allowed name at DNS's port", f"{port}", connect(f"{OK}:{port}"), CONTROL, Witness.RULE, PORT
        )


def _lures() -> Iterator[Attempt]:
    """The policy names them; the gateway must not go where they point."""
    for lure in LURES:
        ports = ANSWERED_AT.get(lure, LURE_PORTS)
        for port in ports:
            target = f"{lure}.{addresses.LURE_PARENT}:{port}"
            line = {"mixed": "mixed answers", "alias": "CNAME to private", "chain": "CNAME to private"}.get(
                lure, "a name that points inward"
            )
            probe = connect(target) | {"seconds": 14}
            rules = PORT if port == 53 else UPSTREAM if lure in SEVERAL else ADDRESS
            yield Attempt(6, line, target, probe, CONTROL, Witness.RULE, rules)


def _granted() -> Iterator[Attempt]:
    """The gateway's pods may reach a Service; a name is no way to it, wherever its address stands in the answer."""
    for lure, rules in (("granted", ADDRESS), ("dead-granted", UPSTREAM), ("granted-dead", UPSTREAM)):
        target = f"{lure}.{addresses.LURE_PARENT}:{GRANTED_PORT}"
        for number in range(3):
            yield Attempt(
                6, "a granted Service behind a name", f"{target} ({number})", connect(target) | {"seconds": 14},
                GRANTED, Witness.RULE, rules, needs=Needs.ROUTES,
            )  # fmt: skip


def _rebinding(stage: Stage) -> Iterator[Attempt]:
    del stage
    for number, port in enumerate((addresses.API_PORT, 10250)):
        # Asked for by nobody before: the world remembers names over runs.
        host = f"{{id}}-{uuid.uuid4().hex[:8]}.{addresses.REBINDING_PARENT}"
        first = {"kind": "tunnel", "host": host, "path": "/?first={id}", "patience": 10.0}
        then = connect(f"{host}:{port}") | {"seconds": 14}
        probe = {"kind": "twice", "first": first, "wait": REBIND_WAIT, "then": then}
        variant = f"public, then the node's port {port} ({number})"
        yield Attempt(6, "rebinding", variant, probe, CONTROL, Witness.RULE, UPSTREAM)


def datagram(address: str, name: str, qtype: int) -> dict[str, object]:
    """Ask one question by UDP."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", qtype, 1)
    return {"kind": "datagram", "address": address, "port": 53, "payload": question.hex()}
