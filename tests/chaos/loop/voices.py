"""Stand between the operator and an authorizer's answers about Incidents, change nothing, and write down each answer.

The judge asks these, and not the operator's memory, what every authorizer had said when a step was claimed.
"""

import contextlib
import http.client
import http.server
import socket
import ssl
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.loop import listening
from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_api.reading import DocumentError

SECONDS: Final = 60.0
"""Longer than an authorizer lets anybody wait for news."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One whole answer of one authorizer: what was asked, and what it said. Times are of one monotonic clock."""

    replica: str
    asked_at: float
    at: float
    asked: documents.SeenAsked
    seen: documents.Seen


@dataclass
class Ear:
    """Listens for one authorizer where its pod says that it is, and passes on what its process says at `port`."""

    replica: str
    address: str
    port: int
    heard: list[Voice]
    authority: Authority
    tls: Path
    _context: ssl.SSLContext = field(init=False)
    _server: http.server.ThreadingHTTPServer | None = field(default=None)

    def __post_init__(self) -> None:
        self._context = self.authority.client()

    def start(self) -> None:
        """Listen."""
        ear = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                ear.pass_on(self)

            def log_message(self, *_: object) -> None:
                pass

        server = listening.Server((self.address, contract.AUTHORIZER_REPORTS_PORT), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls / "tls.crt", self.tls / "tls.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        self._server = server

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def pass_on(self, caller: http.server.BaseHTTPRequestHandler) -> None:
        """Ask the process the same, and answer with its words; without any when it is away."""
        asked_at = time.monotonic()
        caller.close_connection = True
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            try:
                plain = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
                connection.sock = self._context.wrap_socket(plain, server_hostname=contract.AUTHORIZER_TLS_NAME)
                connection.request("GET", caller.path, headers={"Authorization": caller.headers["Authorization"] or ""})
                answer = connection.getresponse()
                raw = answer.read()
            except (OSError, http.client.HTTPException):
                return
        self._note(caller.path, raw, answer.status, asked_at)
        with contextlib.suppress(OSError):
            caller.send_response(answer.status)
            caller.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            caller.send_header("Content-Length", str(len(raw)))
            caller.end_headers()
            caller.wfile.write(raw)

    def _note(self, path: str, raw: bytes, status: int, asked_at: float) -> None:
        where = urllib.parse.urlsplit(path)
        if where.path != contract.PATH_SEEN or status != 200:
            return
        with contextlib.suppress(DocumentError):
            asked = documents.SeenAsked.parse(where.query)
            self.heard.append(Voice(self.replica, asked_at, time.monotonic(), asked, documents.Seen.parse(raw)))
