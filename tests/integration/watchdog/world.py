"""What stands around the watchdog: a gateway that answers CONNECT over TLS, and an echo server behind it."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

WAIT = 5.0
"""Seconds that any single step may take before the test fails."""


class Server:
    """Accepts on loopback, one thread per connection; `close` ends all of them."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listening.accept()
                accepted.settimeout(60)
                with self._lock:
                    self._open.add(accepted)
                thread = threading.Thread(target=self._run, args=(accepted,))
                self._threads.append(thread)
                thread.start()

    def _run(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._serve(accepted)
        with self._lock:
            self._open.discard(accepted)
        accepted.close()

    def hand_over(self, wrapped: ssl.SSLSocket) -> None:
        """Take a TLS socket that detached one of ours, so that `close` ends it too."""
        with self._lock:
            self._open.add(wrapped)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            for accepted in self._open:
                with contextlib.suppress(OSError):
                    accepted.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT)
            assert not thread.is_alive()


class Echo:
    """The outside: a TLS echo server that also counts every raw byte it ever saw."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.received = 0
        self.connected = 0
        self.server = Server(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        self.connected += 1
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        shaken = False
        while raw := accepted.recv(65536):
            self.received += len(raw)
            incoming.write(raw)
            with contextlib.suppress(ssl.SSLWantReadError):
                if not shaken:
                    tls.do_handshake()
                    shaken = True
                while data := tls.read(65536):
                    tls.write(data)
            if outgoing.pending:
                accepted.sendall(outgoing.read())


class Gateway:
    """Answers each CONNECT by its host: `answers` gives raw bytes, all else is tunnelled to the echo server."""

    def __init__(self, context: ssl.SSLContext, echo: Echo) -> None:
        self._context = context
        self._echo = echo
        self.heads: list[bytes] = []
        self.answers: dict[bytes, bytes] = {}
        self.server = Server(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        with self._context.wrap_socket(accepted, server_side=True) as tls:
            self.server.hand_over(tls)
            head = b""
            while b"\r\n\r\n" not in head:
                received = tls.recv(65536)
                if not received:
                    return
                head += received
            self.heads.append(head)
            answer = self.answers.get(head.split(b" ")[1].split(b":")[0])
            if answer is not None:
                tls.sendall(answer)
                return
            with socket.create_connection(("127.0.0.1", self._echo.server.port), WAIT) as outside:
                tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                _relay(tls, outside)


def _relay(tls: ssl.SSLSocket, outside: socket.socket) -> None:
    """Carry bytes both ways from one thread, because a TLS socket is not to be used from two."""
    tls.settimeout(0.02)
    outside.settimeout(0.02)
    while True:
        try:
            data = tls.recv(65536)
            if not data:
                return
            outside.settimeout(WAIT)
            outside.sendall(data)
            outside.settimeout(0.02)
        except TimeoutError:
            pass
        try:
            data = outside.recv(65536)
            if not data:
                return
            tls.settimeout(WAIT)
            tls.sendall(data)
            tls.settimeout(0.02)
        except TimeoutError:
            pass
