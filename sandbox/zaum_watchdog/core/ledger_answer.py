"""Write requests to the ledger and read its answers, as they arrive.

The ledger is ours, but what it says is still held to a shape: a status, a length that is said and not too large.
"""

import re
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents

HEAD_MAX: Final = 8 * 1024
RETRY_AFTER_MAX: Final = 60
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9])(?: [^\r\n]*)?\r\n")
_NUMBER: Final = re.compile(rb"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer. `keep`: the connection may be asked again. Status 0: what came was no answer."""

    status: int
    body: bytes = b""
    retry_after: int = 0
    keep: bool = False


BROKEN: Final = Answer(0)


def sync(token: bytes, body: bytes) -> bytes:
    """Write a `Sync`; `token` is its header line."""
    head = f"POST {contract.PATH_LEDGER_SYNC} HTTP/1.1\r\nHost: {contract.LEDGER_TLS_NAME}\r\n"
    said = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return (head + said).encode("ascii") + token + b"\r\n" + body


def orders(token: bytes, session: str, after: int) -> bytes:
    """Ask for orders after a number; `token` is its header line."""
    path = f"{contract.PATH_LEDGER_ORDERS}?session={session}&after={after}"
    return f"GET {path} HTTP/1.1\r\nHost: {contract.LEDGER_TLS_NAME}\r\n".encode("ascii") + token + b"\r\n"


class Reader:
    """Reads one answer."""

    __slots__ = ("_come", "_head", "_length")

    def __init__(self) -> None:
        self._come = bytearray()
        self._head: Answer | None = None
        self._length = 0

    def feed(self, data: bytes) -> Answer | None:
        """Take a piece; give the answer when it is whole, or BROKEN."""
        self._come += data
        if self._head is None:
            end = self._come.find(b"\r\n\r\n")
            if end < 0:
                return BROKEN if len(self._come) > HEAD_MAX else None
            self._head = self._read(bytes(self._come[: end + 2]))
            del self._come[: end + 4]
        head = self._head
        if head is BROKEN or len(self._come) > self._length:
            return BROKEN
        if len(self._come) < self._length:
            return None
        return Answer(head.status, bytes(self._come), head.retry_after, head.keep)

    def _read(self, head: bytes) -> Answer:
        line = _STATUS_LINE.match(head)
        pairs = [entry.partition(b":") for entry in head.split(b"\r\n")[1:-1]]
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        length = fields.get(b"content-length", b"")
        if line is None or not _NUMBER.fullmatch(length) or int(length) > documents.SYNCED_MAX_BYTES:
            return BROKEN
        self._length = int(length)
        after = fields.get(b"retry-after", b"")
        wait = min(int(after), RETRY_AFTER_MAX) if _NUMBER.fullmatch(after) else 0
        return Answer(int(line[1]), b"", wait, fields.get(b"connection", b"").lower() != b"close")
