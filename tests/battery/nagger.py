"""Ask for what is allowed and for what is not, again and again: `python3 nagger.py ADDRESS OUTLAW ALLOWED SECONDS`.

Standard library only: it comes into pods by a ConfigMap. One JSON line for each round: `at` (seconds since the epoch),
and what got through: `direct` (a connection past the proxy), `outlaw` (a host that is not named), `allowed`.
"""

import json
import socket
import ssl
import sys
import time

PATIENCE_SECONDS = 1.5
PAUSE_SECONDS = 0.2
PROXY = ("127.0.0.1", 15001)


def direct(address: str) -> bool:
    """Connect past the proxy."""
    try:
        with socket.create_connection((address, 443), timeout=PATIENCE_SECONDS):
            return True
    except ConnectionRefusedError:
        return True  # somebody answered
    except OSError:
        return False


def tunnel(host: str) -> bool:
    """Go through the proxy and hear a byte of the far end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(PROXY, timeout=PATIENCE_SECONDS) as proxy:
            proxy.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
            if not proxy.recv(4096).startswith(b"HTTP/1.1 200"):
                return False
            with context.wrap_socket(proxy, server_hostname=host) as channel:
                channel.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                return bool(channel.recv(1))
    except OSError:
        return False


def main() -> None:
    """Nag until the time is over."""
    address, outlaw, allowed, seconds = sys.argv[1:]
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        line = {"at": time.time(), "direct": direct(address), "outlaw": tunnel(outlaw), "allowed": tunnel(allowed)}
        print(json.dumps(line), flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
