"""Read a TLS ClientHello as it arrives and hold it against the CONNECT's host.

Strict on purpose: what this reader accepts, every TLS stack reads the same way. So the message must be whole,
framed exactly (RFC 8446 §4.1.2, §5.1), carry no extension twice, and exactly one server name (RFC 6066 §3).
Encrypted ClientHello is refused, also the kind that only looks like it (RFC 9849 GREASE): one cannot be told from
the other, and a hidden name is not checked. TLS below 1.2 is refused.

What follows the first ClientHello (the second one after a HelloRetryRequest, renegotiation, HTTP's Host) is not
read: whoever serves the named host's address can be asked for another name inside, and that is out of scope.
"""

import struct
from dataclasses import dataclass
from typing import Final

from zaum_api import contract

MESSAGE_MAX: Final = 16 * 1024
"""Largest ClientHello in bytes, and largest number of bytes read for it; hybrid key shares make about 2 KiB."""

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_RECORD_MAX: Final = 2**14
_RECORD_VERSIONS: Final = (b"\x03\x01", b"\x03\x02", b"\x03\x03")
_HEADER: Final = struct.Struct(">HH").unpack_from
_TLS12: Final = b"\x03\x03"
_SERVER_NAME: Final = 0
# encrypted_client_hello (RFC 9849) with its drafts' code points, and encrypted_server_name before it.
_ENCRYPTED: Final = frozenset({0xFE08, 0xFE09, 0xFE0A, 0xFE0B, 0xFE0C, 0xFE0D, 0xFFCE})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The ClientHello names the expected host and nothing else."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the bytes must not go on: SNI_MISSING, SNI_MISMATCH or SNI_MALFORMED, and a problem for people."""

    rule: contract.Rule
    problem: str


ACCEPTED: Final = Accepted()


class Reader:
    """Reassemble one ClientHello from chunks of any size; `raw` is everything that was fed, to be sent on once."""

    __slots__ = ("_host", "_message", "_offset", "raw")

    def __init__(self, host: str) -> None:
        """Expect `host`, in canonical form."""
        self._host = host.encode("ascii")
        self._message = b""
        self._offset = 0
        self.raw = b""

    def feed(self, data: bytes) -> Accepted | Refused | None:
        """Take more bytes; give the verdict, or None while the message is not whole yet. Not to be fed after."""
        raw = self.raw = self.raw + data if self.raw else data
        while (record := _record(raw, self._offset)) is not None:
            if isinstance(record, Refused):
                return record
            self._message += raw[self._offset + 5 : record]
            self._offset = record
            if (verdict := self._judge()) is not None:
                return verdict
        return _malformed("is larger than 16 KiB") if len(raw) > MESSAGE_MAX else None

    def _judge(self) -> Accepted | Refused | None:
        message = self._message
        if message[0] != _CLIENT_HELLO:
            return _malformed("is another handshake message")
        if len(message) < 4:
            return None
        end = 4 + int.from_bytes(message[1:4], "big")
        if end > MESSAGE_MAX or self._offset > MESSAGE_MAX:
            return _malformed("is larger than 16 KiB")
        if len(message) < end:
            return None
        if len(message) > end:
            return _malformed("does not end with its record")
        return judge(message[4:], self._host)


def judge(body: bytes, host: bytes) -> Accepted | Refused:
    """Judge a ClientHello's body (RFC 8446 §4.1.2, without the four bytes of handshake header)."""
    extensions = _extensions(body)
    if isinstance(extensions, Refused):
        return extensions
    if not _ENCRYPTED.isdisjoint(extensions):
        return _malformed("is encrypted (ECH); the name must be readable")
    at = extensions.get(_SERVER_NAME)
    if at is None:
        return Refused(contract.Rule.SNI_MISSING, "the ClientHello names no server (SNI)")
    _, length = _HEADER(body, at)
    name = _server_name(body[at + 4 : at + 4 + length])
    if isinstance(name, Refused):
        return name
    if name.lower() != host:
        return Refused(contract.Rule.SNI_MISMATCH, "the ClientHello names another server than the CONNECT")
    return ACCEPTED


def _record(raw: bytes, start: int) -> int | Refused | None:
    """Give the end of the record at `start`, None while it is not whole; refuse what cannot become one of ours."""
    have = len(raw) - start
    if have <= 0:
        return None
    if raw[start] != _HANDSHAKE:
        return _malformed("is no TLS handshake record")
    if have < 5:
        return None
    if raw[start + 1 : start + 3] not in _RECORD_VERSIONS:
        return _malformed("has an unknown record version")
    length = raw[start + 3] << 8 | raw[start + 4]
    if not 1 <= length <= _RECORD_MAX:
        return _malformed("has a record of impossible length")
    return start + 5 + length if have >= 5 + length else None


def _extensions(body: bytes) -> dict[int, int] | Refused:
    """Walk over the fixed fields to the extensions; every length must fit exactly. Gives where each one starts."""
    size = len(body)
    if size < 35 or body[:2] != _TLS12:
        return _malformed("is not TLS 1.2 or newer")
    at = 35 + body[34]  # version 2, random 32, session id 1 + n
    if body[34] > 32 or at + 2 > size:
        return _malformed("has a broken session id")
    suites = body[at] << 8 | body[at + 1]
    at += 2 + suites
    if suites < 2 or suites % 2 or at + 1 > size:
        return _malformed("has broken cipher suites")
    compressions = body[at]
    if 0 not in body[at + 1 : at + 1 + compressions]:
        return _malformed("has broken compression methods")
    at += 1 + compressions
    if at == size:
        return {}
    if at + 2 > size or at + 2 + (body[at] << 8 | body[at + 1]) != size:
        return _malformed("has extensions of a wrong length")
    return _walk(body, at + 2)


def _walk(body: bytes, at: int) -> dict[int, int] | Refused:
    size = len(body)
    found: dict[int, int] = {}
    while at < size:
        if at + 4 > size:
            return _malformed("has a cut extension")
        kind, length = _HEADER(body, at)
        end = at + 4 + length
        if end > size:
            return _malformed("has a cut extension")
        if kind in found:
            return _malformed("has an extension twice")
        found[kind] = at
        at = end
    return found


def _server_name(value: bytes) -> bytes | Refused:
    """Give the one host name of a server_name extension: list length, type 0, name length, name, nothing else."""
    size = len(value)
    if size < 6 or value[2] != 0:
        return _malformed("has a broken server name")
    if value[0] << 8 | value[1] != size - 2 or value[3] << 8 | value[4] != size - 5:
        return _malformed("has a server name list that is not exactly one name")
    return value[5:]


def _malformed(problem: str) -> Refused:
    return Refused(contract.Rule.SNI_MALFORMED, f"the ClientHello {problem}")
