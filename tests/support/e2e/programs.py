"""What agents' programs share, as text: a program runs in a pod that has nothing of these tests."""

from typing import Final

CONNECTED: Final = r"""
import socket, ssl

def tunnel(host, timeout=10):
    "Give a TLS connection to a host through the proxy; OSError says what the proxy answered instead."
    proxy = socket.create_connection(("127.0.0.1", 15001), timeout=timeout)
    proxy.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = proxy.recv(1)
        if not got:
            raise OSError(f"closed after {head[:80]!r}")
        head += got
    if not head.startswith(b"HTTP/1.1 200"):
        raise OSError(head[:300].decode())
    return ssl.create_default_context().wrap_socket(proxy, server_hostname=host)
"""
