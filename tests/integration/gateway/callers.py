"""Clients of the gateway: CONNECT over HTTP/1.1 and over HTTP/2, each over TLS."""

import json
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.integration.gateway import lab
from zaum_api import contract

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """The head of an answer, its body when it refuses, and the tunnel when it does not."""

    status: int
    headers: dict[str, str]
    body: bytes
    tunnel: socket.socket

    @property
    def denial(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


def dial(
    running: lab.Lab,
    *,
    source: str = "127.0.0.1",
    alpn: str = "http/1.1",
    newest: ssl.TLSVersion | None = None,
    port: int | None = None,
) -> ssl.SSLSocket:
    """Open TLS to the gateway from a chosen loopback address, checking its name; `newest` caps the version.

    `port` is another gateway's than the first.
    """
    context = ssl.create_default_context(cafile=str(running.ca))
    context.set_alpn_protocols([alpn])
    if newest is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    address = ("127.0.0.1", port or running.gateway_port)
    plain = socket.create_connection(address, timeout=10, source_address=(source, 0))
    running.connections.append(plain)
    connection = context.wrap_socket(plain, server_hostname=contract.GATEWAY_TLS_NAME)
    running.connections.append(connection)
    return connection


def ask(
    running: lab.Lab,
    authority: str,
    *,
    token: str | None,
    source: str = "127.0.0.1",
    headers: Headers = (),
    method: str = "CONNECT",
    host: str | None = None,
    port: int | None = None,
) -> Answer:
    """Send one request head and read the answer; `host` is the Host header where it is not the authority."""
    connection = dial(running, source=source, port=port)
    lines = [f"{method} {authority} HTTP/1.1", f"Host: {host or (authority if method == 'CONNECT' else 'gateway')}"]
    if token is not None:
        lines.append(f"Proxy-Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return read(connection)


def ask_plain(
    running: lab.Lab, authority: str, proof: bytes, *, source: str = "127.0.0.1", method: str = "CONNECT"
) -> Answer:
    """Send one head to the port for signed heads, `proof` being the header lines that shall prove something."""
    address = ("127.0.0.1", running.signed_port)
    connection = socket.create_connection(address, timeout=10, source_address=(source, 0))
    running.connections.append(connection)
    host = authority if method == "CONNECT" else "gateway"
    connection.sendall(f"{method} {authority} HTTP/1.1\r\nHost: {host}\r\n".encode() + proof + b"\r\n")
    return read(connection)


def read(connection: socket.socket) -> Answer:
    """Read an answer's head, and its body as far as it has a length."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        chunk = connection.recv(65536)
        assert chunk, f"the gateway closed after {raw!r}"
        raw += chunk
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        body += connection.recv(65536)
    return Answer(int(first.split()[1]), headers, body, connection)


class Http2Tunnel:
    """One CONNECT on one HTTP/2 connection: just enough of RFC 9113, with literal header fields (RFC 7541 §6.2.2)."""

    def __init__(self, running: lab.Lab, authority: str, token: str | None, *, source: str = "127.0.0.1") -> None:
        self._connection = dial(running, source=source, alpn="h2")
        assert self._connection.selected_alpn_protocol() == "h2"
        self._buffer = b""
        fields = [(":method", "CONNECT"), (":authority", authority)]
        if token is not None:
            fields.append(("proxy-authorization", f"Bearer {token}"))
        block = b"".join(_literal(name, value) for name, value in fields)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"")
        self._connection.sendall(preface + _frame(1, 4, 1, block))
        self.status = self._status()

    def send(self, data: bytes) -> None:
        self._connection.sendall(_frame(0, 0, 1, data))

    def receive(self, length: int) -> bytes:
        got = b""
        while len(got) < length:
            kind, stream, payload = self._next()
            if kind == 0 and stream == 1:
                got += payload
        return got

    def close(self) -> None:
        self._connection.close()

    def _status(self) -> int:
        while True:
            kind, stream, payload = self._next()
            if kind == 1 and stream == 1:
                return _decode_status(payload)

    def _next(self) -> tuple[int, int, bytes]:
        head = self._take(9)
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self._take(length)
        if kind == 4 and not flags & 1:
            self._connection.sendall(_frame(4, 1, 0, b""))
        return kind, stream, payload

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            chunk = self._connection.recv(65536)
            assert chunk, "the gateway closed the connection"
            self._buffer += chunk
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + payload


def _integer(value: int) -> bytes:
    """RFC 7541 §5.1 with a prefix of seven bits."""
    if value < 127:
        return bytes([value])
    rest, out = value - 127, [127]
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


def _literal(name: str, value: str) -> bytes:
    return b"\x00" + _integer(len(name)) + name.encode() + _integer(len(value)) + value.encode()


def _decode_status(block: bytes) -> int:
    """Read `:status`, which stands first: indexed (RFC 7541 appendix A, 8 to 14) or a literal with that name."""
    while block[0] & 0xE0 == 0x20:  # dynamic table size update
        block = block[1:]
    indexed = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
    if block[0] in indexed:
        return indexed[block[0]]
    assert block[0] in {0x48, 0x08, 0x18}, block
    value = block[2 : 2 + (block[1] & 0x7F)]
    return int(_digits(value)) if block[1] & 0x80 else int(value)


def _digits(value: bytes) -> str:
    """Undo Huffman coding (RFC 7541 appendix B) of digits: 0 to 2 have five bits, 3 to 9 six."""
    bits = "".join(f"{byte:08b}" for byte in value)
    codes = {"00000": "0", "00001": "1", "00010": "2"} | {f"{0b011001 + n:06b}": str(n + 3) for n in range(7)}
    text, at = "", 0
    while len(text) < 3:
        size = 5 if bits[at : at + 5] in codes else 6
        text += codes[bits[at : at + size]]
        at += size
    return text
