"""Group 3: sockets of every other kind."""

import socket
import struct
from collections.abc import Iterator

from tests.battery.lines import Attempt, Control, Probe, Where, Witness
from tests.battery.stage import Stage
from tests.cluster import addresses

MPTCP = 262
SCTP = 132
UDPLITE = 136
QUIC = ("c3" + "00000001" + "08" + "1122334455667788" + "00" + "00" + "449e").ljust(2400, "0")
"""The start of a QUIC version 1 Initial packet, padded to 1,200 bytes."""
PACKET = {"family": 17, "type": 3, "protocol": 0}
ECHO = b"battery".hex()


def attempts(stage: Stage) -> Iterator[Attempt]:
    """Try them all."""
    yield from _datagrams(stage)
    yield from _streams()
    yield from _kernel()


def _datagrams(stage: Stage) -> Iterator[Attempt]:
    for address in (addresses.OUTLAW_IPV4, addresses.OUTLAW_IPV6):
        for port in (53, 9999):
            yield _dropped("UDP", f"[{address}]:{port}", _udp(address, port))
        yield _dropped("QUIC", address, _udp(address, 53, QUIC))
        yield _dropped("QUIC", f"{address} at another port", _udp(address, 9999, QUIC))
        # The node's connection tracking drops it for everybody: the control says only that the kernel has it.
        has = {"kind": "socket", "family": 10 if ":" in address else 2, "type": 2, "protocol": UDPLITE}
        probe = {**_udp(address, 9999), "protocol": UDPLITE}
        yield Attempt(3, "UDP-Lite", address, probe, Control(Where.FREE, has), Witness.DROP)
        yield _dropped("ICMP echo", address, {"kind": "ping", "address": address})
    for address in (addresses.WEBSITE_IPV4, addresses.NODE_IPV4, addresses.NODE_IPV6, addresses.METADATA_IPV4):
        yield _dropped("ICMP echo", address, {"kind": "ping", "address": address})
    for address in stage.neighbour:
        yield _dropped("ICMP echo", f"another pod, {address}", {"kind": "ping", "address": address})
    for address in (*stage.bridge,):
        yield _dropped("ICMP echo", f"the pod's own gateway, {address}", {"kind": "ping", "address": address})


def _streams() -> Iterator[Attempt]:
    for address in (addresses.OUTLAW_IPV4, addresses.OUTLAW_IPV6):
        probe = {"kind": "dial", "address": address, "port": 4444}
        yield _dropped("MPTCP", address, {**probe, "protocol": MPTCP})
        yield _dropped("TCP fast open", address, {**probe, "port": 80, "fast": True})
        yield _dropped("SCTP", address, {**probe, "protocol": SCTP})
        yield _dropped("SCTP", f"{address}, one to many", {**probe, "protocol": SCTP, "type": "SOCK_SEQPACKET"})


def _kernel() -> Iterator[Attempt]:
    for family, protocol in ((socket.AF_INET, 6), (socket.AF_INET, 1), (socket.AF_INET, 255), (socket.AF_INET6, 58)):
        probe = {"kind": "socket", "family": int(family), "type": int(socket.SOCK_RAW), "protocol": protocol}
        yield _refused("raw sockets", f"family {int(family)}, protocol {protocol}", probe)
    for kind in (2, 3):
        for protocol in (0x0300, 0x0008):
            probe = {"kind": "socket", **PACKET, "type": kind, "protocol": protocol}
            yield _refused("packet sockets", f"type {kind}, protocol {protocol:#06x}", probe)
    yield _refused("io_uring", "a ring", {"kind": "ring"})
    # Made, never connected: vsock knows no network namespace.
    yield _refused("vsock", "stream", {"kind": "socket", "family": 40, "type": 1, "protocol": 0})
    yield _refused("vsock", "datagram", {"kind": "socket", "family": 40, "type": 2, "protocol": 0})
    for line, command, message in (
        ("a route", 24, _route()),
        ("a default route", 24, _route(bits=0)),
        ("a link's state", 16, struct.pack("=BBHiII", 0, 0, 0, 2, 4, 4)),
        ("an address", 20, struct.pack("=BBBBi", 2, 32, 0, 0, 2) + _attribute(2, bytes([198, 51, 100, 77]))),
        ("a neighbour", 28, _neighbour()),
        ("a rule of routing", 32, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 0, 0, 1, 0)),
    ):
        probe = {"kind": "netlink", "command": command, "message": message.hex(), "flags": 0x405}
        yield _refused("netlink", line, probe)


def _neighbour() -> bytes:
    head = struct.pack("=BBHiHBB", 2, 0, 0, 2, 0x80, 0, 0)
    return head + _attribute(1, bytes([10, 244, 0, 250])) + _attribute(2, bytes([2, 0, 0, 0, 0, 1]))


def _route(*, bits: int = 24) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, bits, 0, 0, 254, 4, 0, 1, 0)
    target = _attribute(1, bytes([198, 51, 100, 0])) if bits else b""
    return head + target + _attribute(4, struct.pack("=i", 2))


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _udp(address: str, port: int, payload: str = ECHO) -> Probe:
    return {"kind": "datagram", "address": address, "port": port, "payload": payload}


def _dropped(line: str, variant: str, probe: Probe) -> Attempt:
    return Attempt(3, line, variant, probe, Control(Where.FREE, probe), Witness.DROP)


def _refused(line: str, variant: str, probe: Probe) -> Attempt:
    return Attempt(3, line, variant, probe, Control(Where.ROOT, probe), Witness.KERNEL)
