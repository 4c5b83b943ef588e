"""Both ends of one tunnel in bulk: `python -m bench.bulk serve`, `python -m bench.bulk take PORT HELLO SECONDS`.

`serve` is the next hop: it answers one CONNECT after another with 200, waits for the ClientHello and then sends without
end, from memory by sendfile(2); it prints its port. `take` opens a tunnel through the proxy at PORT, sends HELLO (a
file), and discards what comes inside the kernel (tcp(7), MSG_TRUNC), so that both ends cost little on their core; it
prints the bytes per second.
"""

import contextlib
import os
import socket
import sys
import time
from pathlib import Path
from typing import Final

CHUNK: Final = 4 * 1024 * 1024
WARM_SECONDS: Final = 0.3
AUTHORITY: Final = "api.example.com:443"


def serve() -> None:
    """Answer for ever, one tunnel at a time."""
    memory = os.memfd_create("bulk")
    os.write(memory, b"x" * CHUNK)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        accepted, _ = listening.accept()
        with accepted, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += _some(accepted)
            accepted.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            _some(accepted)
            while True:
                os.sendfile(accepted.fileno(), memory, 0, CHUNK)


def take(port: int, hello: Path, seconds: float) -> float:
    """Give the bytes per second of one tunnel."""
    with socket.create_connection(("127.0.0.1", port), 5) as dialled:
        dialled.sendall(f"CONNECT {AUTHORITY} HTTP/1.1\r\nHost: {AUTHORITY}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = dialled.recv(1)
            if not got:
                raise SystemExit("hung up")
            head += got
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"refused: {head!r}")
        dialled.sendall(hello.read_bytes())
        _discard(dialled, WARM_SECONDS)
        began = time.monotonic()
        total = _discard(dialled, seconds)
        return total / (time.monotonic() - began)


def _discard(dialled: socket.socket, seconds: float) -> int:
    end, total, buffer = time.monotonic() + seconds, 0, bytearray(CHUNK)
    while time.monotonic() < end:
        taken = dialled.recv_into(buffer, CHUNK, socket.MSG_TRUNC)
        if not taken:
            raise SystemExit("hung up")
        total += taken
    return total


def _some(accepted: socket.socket) -> bytes:
    data = accepted.recv(65536)
    if not data:
        raise ConnectionError("hung up")
    return data


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    print(take(int(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])), flush=True)
