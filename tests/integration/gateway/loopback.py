"""Small servers on loopback: echo over TCP, echo over TLS, and a DNS server that knows the test's names."""

import contextlib
import itertools
import selectors
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Addresses = str | Callable[[], tuple[str, ...]]
"""What a name leads to: one address, or for each question anew the addresses in the order of the answer."""


class LostError(Exception):
    """Raised for addresses: the question is lost, and nothing answers."""


_KINDS = {1: socket.AF_INET, 28: socket.AF_INET6}


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _TlsServer(_Server):
    context: ssl.SSLContext

    def get_request(self) -> tuple[socket.socket, object]:
        connection, peer = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that breaks off is part of some tests."""


@contextlib.contextmanager
def echo(certificate: Path | None = None, key: Path | None = None, *, address: str = "127.0.0.1") -> Iterator[int]:
    """Echo until the block ends; give the port. With a certificate the echo is inside TLS."""
    server: _Server
    if certificate is None:
        server = _Server((address, 0), _Echo)
    else:
        server = _TlsServer((address, 0), _Echo)
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(certificate, key)
    with _serving(server):
        yield server.server_address[1]


@contextlib.contextmanager
def names(records: Mapping[str, Addresses]) -> Iterator[tuple[int, list[str]]]:
    """Answer A and AAAA queries for `records` until the block ends; give the UDP port and the list of names asked for.

    No answer may be kept: the time to live is a second.
    """
    asked: list[str] = []

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, sock = self.request
            name, end = _question(query)
            asked.append(name)
            kind = struct.unpack("!H", query[end : end + 2])[0]
            known = name in records
            try:
                found = [*_packed(records[name], kind)] if known else []
            except LostError:
                return
            flags = 0x8180 if known else 0x8183
            head = query[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0)
            answer = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, 1, len(each)) + each for each in found)
            sock.sendto(head + query[12 : end + 4] + answer, self.client_address)

    server = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    with _serving(server):
        yield server.server_address[1], asked


def _packed(addresses: Addresses, kind: int) -> Iterator[bytes]:
    """Give what there is of the asked family, in its order."""
    for each in (addresses,) if isinstance(addresses, str) else addresses():
        family = socket.AF_INET6 if ":" in each else socket.AF_INET
        if _KINDS.get(kind) is family:
            yield socket.inet_pton(family, each)


def _question(query: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    return ".".join(labels), at + 1


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Service:
    """A Service's address as kube-proxy has it: new connections go to the next of `backends`, open ones stay."""

    def __init__(self, backends: list[int]) -> None:
        self.backends = backends
        self._turn = itertools.count()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for each in [*self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            carrying = threading.Thread(target=self._carry, args=(near, self.backends))
            self._threads.append(carrying)
            carrying.start()

    def _carry(self, near: socket.socket, backends: list[int]) -> None:
        with near, contextlib.suppress(OSError):
            if not backends:
                return
            with socket.create_connection(("127.0.0.1", backends[next(self._turn) % len(backends)])) as far:
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open |= {near, far}
                try:
                    _between(near, far)
                finally:
                    self._open -= {near, far}


def _between(near: socket.socket, far: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended."""
    with selectors.DefaultSelector() as selector:
        for one, other in ((near, far), (far, near)):
            selector.register(one, selectors.EVENT_READ, other)
        while selector.get_map():
            for key, _ in selector.select():
                ready, other = key.fileobj, key.data
                assert isinstance(ready, socket.socket)
                data = ready.recv(65536)
                if data:
                    other.sendall(data)
                else:
                    selector.unregister(ready)
                    other.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def service(backends: list[int]) -> Iterator[Service]:
    """Serve until the block ends."""
    running = Service(backends)
    try:
        yield running
    finally:
        running.close()
