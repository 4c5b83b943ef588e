"""Bind the ports. Never with SO_REUSEPORT: a port that somebody else took must be an error, not a shared queue."""

import errno
import socket
from typing import Final

BACKLOG: Final = 1024


def loopback(port: int) -> socket.socket:
    """Listen on 127.0.0.1; raises OSError, also when another uid squats the port."""
    return _bound(socket.AF_INET, ("127.0.0.1", port))


def everywhere(port: int) -> socket.socket:
    """Listen on every address of the pod, both families; IPv4 alone where the kernel has no IPv6."""
    try:
        return _bound(socket.AF_INET6, ("::", port))
    except OSError as error:
        if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            raise
        return _bound(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104 - the kubelet asks at the pod's address


def _bound(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Only lets a restarted watchdog bind while old connections linger; two listeners stay impossible.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
