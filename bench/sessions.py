"""A gateway that gives sessions and does nothing else: what the signed hop asks over TLS, for measurements."""

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from zaum_api import documents


@contextlib.contextmanager
def given(certificate: Path) -> Iterator[int]:
    """Answer every question with a session of a day; give the port. `certificate` holds leaf and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(listening, context))
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _serve(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            accepted, _ = listening.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True) as tls:
            tls.recv(65536)
            # As long as those of the authorizer, so that heads are.
            key_id = f"1/1/{int(time.time()) + 600}/agents/zaum-researcher-0-abcde/{'0' * 36}/zaum-researcher/10.0.0.1"
            body = documents.Session(key_id, os.urandom(32), 86_400, int(time.time())).dump()
            tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
