"""See packets in one network namespace, as the kernel shows them to a packet socket: the witness below everything.

Run inside the namespace: `python -m tests.battery.capture OUT`. It writes `ready` into OUT's folder beside it, counts
each distinct flow in memory, and writes them as JSON lines to OUT when it is told to end (SIGTERM), or after
BOUND_SECONDS by itself.
"""

import argparse
import ipaddress
import json
import pathlib
import select
import signal
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

BOUND_SECONDS: Final = 1200.0
FLOWS_MAX: Final = 200_000
BUFFER_BYTES: Final = 16 * 1024 * 1024
_ALL: Final = 0x0003
_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_FIRST_FRAGMENT: Final = 0x1FFF
_PORTED: Final = frozenset({6, 17, 132, 136})
OUTGOING: Final = 4
"""The kernel's packet type (PACKET_OUTGOING) for what leaves by a link."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets that are alike. `flags` are TCP's, or the type of an ICMP message; ports are 0 where there are none."""

    link: str
    outgoing: bool
    source: str
    target: str
    protocol: int
    sport: int
    dport: int
    flags: int


def read(frame: bytes, ethertype: int, *, link: str, outgoing: bool) -> Flow | None:
    """Read a packet without its link header (a cooked packet socket's); None for what is no IP."""
    if ethertype == _IPV4 and len(frame) >= 20:
        size, protocol = (frame[0] & 15) * 4, frame[9]
        source, target = str(ipaddress.IPv4Address(frame[12:16])), str(ipaddress.IPv4Address(frame[16:20]))
        fragment = struct.unpack_from("!H", frame, 6)[0] & _FIRST_FRAGMENT
        body = b"" if fragment else frame[size:]
    elif ethertype == _IPV6 and len(frame) >= 40:
        protocol, body = frame[6], frame[40:]
        source, target = str(ipaddress.IPv6Address(frame[8:24])), str(ipaddress.IPv6Address(frame[24:40]))
    else:
        return None
    sport, dport, flags = _ports(protocol, body)
    return Flow(link, outgoing, source, target, protocol, sport, dport, flags)


def _ports(protocol: int, body: bytes) -> tuple[int, int, int]:
    if protocol in _PORTED and len(body) >= 4:
        sport, dport = struct.unpack_from("!HH", body)
        return sport, dport, body[13] if protocol == 6 and len(body) > 13 else 0
    if protocol in {1, 58} and body:
        return 0, 0, body[0]
    return 0, 0, 0


def main() -> int:
    """Capture until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path)
    out: pathlib.Path = parser.parse_args().out
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    counts: dict[Flow, int] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL)) as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        channel.setblocking(False)
        out.with_suffix(".ready").touch()
        lost = _collect(channel, counts, stopping)
    with out.open("w") as written:
        for flow, count in counts.items():
            written.write(json.dumps(asdict(flow) | {"count": count}) + "\n")
        written.write(json.dumps({"lost": lost}) + "\n")
    return 0


def _collect(channel: socket.socket, counts: dict[Flow, int], stopping: list[int]) -> int:
    """Count flows until told to stop; give how many packets the kernel could not hand over."""
    until = time.monotonic() + BOUND_SECONDS
    overflowed = 0
    while not stopping and time.monotonic() < until:
        if not select.select([channel], [], [], 0.2)[0]:
            continue
        try:
            frame, (link, ethertype, kind, *_) = channel.recvfrom(256)
        except BlockingIOError:
            continue
        flow = read(frame, ethertype, link=link, outgoing=kind == OUTGOING)
        if flow is None:
            continue
        if flow in counts or len(counts) < FLOWS_MAX:
            counts[flow] = counts.get(flow, 0) + 1
        else:
            overflowed += 1
    statistics = channel.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS
    dropped: int = struct.unpack("II", statistics)[1]
    return overflowed + dropped


def load(path: pathlib.Path) -> tuple[list[Flow], int]:
    """Read what a capture wrote: its flows, and how many packets it lost."""
    flows, lost = [], 0
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if "lost" in entry:
            lost = entry["lost"]
        else:
            entry.pop("count")
            flows.append(Flow(**entry))
    return flows, lost


if __name__ == "__main__":
    sys.exit(main())
