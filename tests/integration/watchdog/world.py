"""What stands around the watchdog: a gateway that answers CONNECT over TLS, and an echo server behind it."""

import contextlib
import queue
import secrets
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable

from zaum_api import contract, documents
from zaum_egress import signed_head

WAIT = 5.0
"""Seconds that any single step may take before the test fails."""


TAKEN = b"HTTP/1.1 200 OK\r\nx-zaum-rule: egress.allowed\r\ncontent-length: 0\r\n\r\n"


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
        self.answers: dict[bytes, bytes] = {contract.CAGE_HOST.encode(): refusal(contract.Rule.HOST_NOT_NAMED)}
        self.reports: queue.Queue[documents.Report] = queue.Queue()
        self.report_tokens: list[bytes] = []
        self.report_answer: bytes | None = TAKEN
        """None: reports are hung up on."""
        self.silent = 0
        """So many CONNECTs are hung up on, without a word."""
        self.session: Callable[[bytes], bytes] | None = None
        """Answers the question for a session by its head; None: nobody asks."""
        self.open = threading.Event()
        """Cleared: connections are taken, and their handshakes wait."""
        self.open.set()
        self.server = Server(self._serve)

    def _serve(self, accepted: socket.socket) -> None:
        self.open.wait(WAIT)
        with self._context.wrap_socket(accepted, server_side=True) as tls:
            self.server.hand_over(tls)
            head = b""
            while b"\r\n\r\n" not in head:
                received = tls.recv(65536)
                if not received:
                    return
                head += received
            if head.startswith(b"GET ") and self.session is not None:
                tls.sendall(self.session(head))
                return
            if head.startswith(b"POST "):
                self._report(head, tls)
                return
            self.heads.append(head)
            self.tunnel(head, tls)

    def _report(self, received: bytes, near: socket.socket) -> None:
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += near.recv(65536)
        assert head.startswith(b"POST /v1/report HTTP/1.1\r\n")
        self.report_tokens.append(head.partition(b"Bearer ")[2].partition(b"\r\n")[0])
        self.reports.put(documents.Report.parse(body))
        if self.report_answer is not None:
            near.sendall(self.report_answer)

    def report(self, said: Callable[[documents.Report], bool] = lambda _: True) -> documents.Report:
        """Wait for a report that says this."""
        deadline = time.monotonic() + WAIT
        seen: list[documents.Report] = []
        while True:
            try:
                seen.append(self.reports.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"no such report, only {seen}") from None
            if said(seen[-1]):
                return seen[-1]

    def tunnel(self, head: bytes, near: socket.socket) -> None:
        """Answer a CONNECT."""
        if self.silent:
            self.silent -= 1
            return
        answer = self.answers.get(head.split(b" ")[1].split(b":")[0])
        if answer is not None:
            near.sendall(answer)
            return
        with socket.create_connection(("127.0.0.1", self._echo.server.port), WAIT) as outside:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            relay(near, outside)


class Signed:
    """The gateway's other port: takes a CONNECT in the plain if its signature fits a session that was given."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.given: list[documents.Session] = []
        self.life = 600
        self.heads: list[bytes] = []
        self.tokens: list[bytes] = []
        self.refusal: contract.Rule | None = None
        """By this rule no session is given."""
        gateway.session = self.answer
        self.server = Server(self._serve)

    def answer(self, head: bytes) -> bytes:
        self.tokens.append(head.partition(b"Bearer ")[2].partition(b"\r\n")[0])
        if self.refusal is not None:
            return refusal(self.refusal)
        name = f"1/m/{len(self.given)}"
        self.given.append(documents.Session(name, secrets.token_bytes(32), self.life, int(time.time()) - 1000))
        body = self.given[-1].dump()
        return b"HTTP/1.1 200 OK\r\nx-zaum-rule: egress.allowed\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    def signer(self, head: bytes) -> documents.Session | None:
        """Give the session whose key signed a head."""
        lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name.lower(): value for name, _, value in lines}
        claim = signed_head.read(headers.get("signature-input", ""), headers.get("signature", ""))
        session = next((each for each in self.given if claim is not None and each.key_id == claim.key_id), None)
        authority = head.decode().split(" ")[1]
        if claim is None or session is None or not signed_head.verifies(claim, session.key, authority):
            return None
        return session

    def _serve(self, accepted: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = accepted.recv(65536)
            if not received:
                return
            head += received
        self.heads.append(head)
        if self.signer(head) is None:
            accepted.sendall(refusal(contract.Rule.SIGNATURE_INVALID))
        else:
            self._gateway.tunnel(head, accepted)


def refusal(rule: contract.Rule, status: int = 403) -> bytes:
    """Give an answer by which the gateway refuses."""
    body = documents.Denial(rule=rule.value, message="no", allowed_by="", policy="").dump()
    head = f"HTTP/1.1 {status} No\r\nx-zaum-rule: {rule.value}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def relay(near: socket.socket, outside: socket.socket) -> None:
    """Carry bytes both ways from one thread, because a TLS socket is not to be used from two."""
    while True:
        pending = isinstance(near, ssl.SSLSocket) and near.pending()
        ready = [near] if pending else select.select([near, outside], [], [], 60)[0]
        for source, sink in ((near, outside), (outside, near)):
            if source not in ready:
                continue
            source.setblocking(False)
            sink.settimeout(60)
            try:
                data = source.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            if not data:
                return
            sink.sendall(data)
