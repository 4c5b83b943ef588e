"""An API behind the gateway: TLS, keep-alive, and whatever a test makes it answer."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from tests.integration.watchdog import world

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Asked:
    """One request as it arrived, and the way to answer it in pieces."""

    def __init__(self, head: bytes, body: bytes, send: Callable[[bytes], None], receive: Callable[[], bytes]) -> None:
        self.head = head
        self.body = body
        self.send = send
        self.receive = receive

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n")[0].decode()

    def header(self, name: str) -> list[str]:
        lines = [line.partition(b": ") for line in self.head.split(b"\r\n")[1:]]
        return [value.decode() for found, _, value in lines if found.decode().lower() == name.lower()]


class Upstream:
    """Answers each request by `answer`, which may raise EOFError to hang up."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self.answer: Callable[[Asked], None] = lambda asked: asked.send(OK)
        self.reads_bodies = True
        self.asked: list[Asked] = []
        self.received = b""
        self.connections = 0
        self.resumed = 0
        self.arrived = threading.Event()
        self.server = world.Server(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        self.connections += 1
        if self._context is None:
            self._talk(accepted)
            return
        with self._context.wrap_socket(accepted, server_side=True) as tls:
            self.server.hand_over(tls)
            self.resumed += bool(tls.session_reused)
            with contextlib.suppress(ssl.SSLError):
                self._talk(tls)
                tls.unwrap()

    def _talk(self, connected: socket.socket) -> None:
        self._rest = b""
        rest = b""

        def receive() -> bytes:
            data = connected.recv(65536)
            if not data:
                raise EOFError
            self.received += data
            self.arrived.set()
            return data

        with contextlib.suppress(EOFError):
            while True:
                while b"\r\n\r\n" not in rest:
                    rest += receive()
                head, _, rest = rest.partition(b"\r\n\r\n")
                body, rest = _body(head, rest, receive) if self.reads_bodies else (b"", rest)
                asked = Asked(head, body, connected.sendall, receive)
                self.asked.append(asked)
                self.answer(asked)


def _body(head: bytes, rest: bytes, receive: Callable[[], bytes]) -> tuple[bytes, bytes]:
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        body = b""
        while True:
            while b"\r\n" not in rest:
                rest += receive()
            size, _, rest = rest.partition(b"\r\n")
            wanted = int(size, 16)
            while len(rest) < wanted + 2:
                rest += receive()
            body, rest = body + rest[:wanted], rest[wanted + 2 :]
            if not wanted:
                return body, rest
    length = next((int(line.split(b":")[1]) for line in lower.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(rest) < length:
        rest += receive()
    return rest[:length], rest[length:]
