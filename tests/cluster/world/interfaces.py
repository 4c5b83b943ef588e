"""Refuse to play the internet where the real one could be: the namespace may hold loopback and one veth only."""

import array
import fcntl
import socket
import struct
from collections.abc import Mapping
from typing import Final

LOOPBACK: Final = "lo"
VETH: Final = "veth"

_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_GDRVINFO: Final = 3
_DRIVER_INFO: Final = struct.Struct("I32s160x")


def refusal(drivers: Mapping[str, str]) -> str | None:
    """Say why the world must not start beside these interfaces (name → driver); None when it may."""
    others = {name: driver for name, driver in drivers.items() if name != LOOPBACK}
    if any(driver != VETH for driver in others.values()):
        names = ", ".join(sorted(name for name, driver in others.items() if driver != VETH))
        return f"this network namespace holds interfaces that are no veth: {names}"
    if len(others) > 1:
        return f"this network namespace holds more than one veth: {', '.join(sorted(others))}"
    return None


def present() -> dict[str, str]:
    """List the interfaces of this network namespace with their drivers ("" where a driver has no name)."""
    return {name: _driver(name) for _, name in socket.if_nameindex()}


def _driver(name: str) -> str:
    """Ask the kernel by ethtool's request: /sys may show another namespace's interfaces."""
    buffer = array.array("B", _DRIVER_INFO.pack(_ETHTOOL_GDRVINFO, b""))
    pointer, _ = buffer.buffer_info()
    request = struct.pack("16sP16x", name.encode(), pointer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        try:
            fcntl.ioctl(channel, _SIOCETHTOOL, request)
        except OSError:
            return ""  # loopback and some tunnels have no driver information
    driver: bytes = _DRIVER_INFO.unpack(buffer.tobytes())[1]
    return driver.rstrip(b"\0").decode()
