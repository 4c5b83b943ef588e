"""Read DNS questions and write answers (RFC 1035, the part that an authoritative server of A and AAAA needs).

Pure: bytes in, bytes out. A message that is no question gets no answer at all (None), so that two servers can never
play ping-pong.
"""

import ipaddress
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

TYPE_A: Final = 1
TYPE_CNAME: Final = 5
TYPE_SOA: Final = 6
TYPE_AAAA: Final = 28
TYPE_OPT: Final = 41
CLASS_IN: Final = 1

NOERROR: Final = 0
FORMERR: Final = 1
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5

TTL_SECONDS: Final = 5
"""Short, so that a test which changes its mind about a name does not wait for caches."""
UDP_SIZE: Final = 1232

_HEADER: Final = struct.Struct("!6H")
_QR: Final = 0x8000
_AA: Final = 0x0400
_RD: Final = 0x0100
_OPCODE: Final = 0x7800
_POINTER_TO_QUESTION: Final = 0xC000 | _HEADER.size
_MAX_LABEL: Final = 63
_MAX_NAME: Final = 255

CHAIN_MAX: Final = 4

Records = Mapping[str, Sequence[str]]
"""Lower-case name without trailing dot → literal addresses of both families."""
Aliases = Mapping[str, str]
"""Lower-case name → the name that it is another name of (CNAME)."""


class MalformedError(ValueError):
    """A message that is no well-formed question."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `wire` is its name, type and class as they came, letter case included."""

    ident: int
    flags: int
    name: str
    qtype: int
    qclass: int
    wire: bytes
    edns: bool

    @property
    def opcode(self) -> int:
        """Give the opcode; 0 is a standard query."""
        return (self.flags & _OPCODE) >> 11


def parse(message: bytes) -> Question:
    """Read a message with exactly one question; raise MalformedError for anything else."""
    if len(message) < _HEADER.size:
        raise MalformedError("shorter than a header")
    ident, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(message)
    if flags & _QR:
        raise MalformedError("is an answer")
    if questions != 1 or answers or authorities:
        raise MalformedError("must hold one question and nothing else")
    name, end = _name(message, _HEADER.size)
    if end + 4 > len(message):
        raise MalformedError("ends inside the question")
    qtype, qclass = struct.unpack_from("!2H", message, end)
    tail = message[end + 4 :]
    return Question(
        ident=ident,
        flags=flags,
        name=name,
        qtype=qtype,
        qclass=qclass,
        wire=message[_HEADER.size : end + 4],
        edns=bool(additionals) and tail[:3] == b"\0" + struct.pack("!H", TYPE_OPT),
    )


def answer(message: bytes, records: Records, aliases: Aliases | None = None) -> bytes | None:
    """Answer one message from `records` and `aliases`; None where the sender must get nothing."""
    try:
        question = parse(message)
    except MalformedError:
        return _format_error(message)
    if question.opcode != 0:
        return _reply(question, NOTIMP)
    if question.qclass != CLASS_IN:
        return _reply(question, REFUSED)
    name = question.name.lower()
    if aliases and name in aliases:
        return _reply(question, NOERROR, _chain(name, question.qtype, records, aliases))
    if name in records:
        return _reply(question, NOERROR, _addresses(records[name], question.qtype))
    return _reply(question, NOERROR if _has_children(name, records) else NXDOMAIN)


def query(name: str, qtype: int, *, ident: int) -> bytes:
    """Write a question with recursion desired, as a stub resolver does."""
    return _HEADER.pack(ident, _RD, 1, 0, 0, 0) + _wire_name(name) + struct.pack("!2H", qtype, CLASS_IN)


def _wire_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split(".")) + b"\0"


def _name(message: bytes, start: int) -> tuple[str, int]:
    labels: list[str] = []
    at = start
    while at < len(message) and at - start < _MAX_NAME:
        length = message[at]
        at += 1
        if length == 0:
            return ".".join(labels), at
        if length > _MAX_LABEL or at + length > len(message):
            raise MalformedError("a label runs past its bounds or is compressed")
        labels.append(message[at : at + length].decode("latin-1"))
        at += length
    raise MalformedError("the name has no end")


def _addresses(literals: Sequence[str], qtype: int, *, owner: bytes = b"") -> list[bytes]:
    """Write one record for each address of the asked family; `owner` is empty where it is the question's name."""
    version = {TYPE_A: 4, TYPE_AAAA: 6}.get(qtype)
    parsed = [ipaddress.ip_address(literal) for literal in literals]
    return [_record(qtype, address.packed, owner=owner) for address in parsed if address.version == version]


def _chain(name: str, qtype: int, records: Records, aliases: Aliases) -> list[bytes]:
    """Write the aliases that lead on from a name, and the addresses at their end as far as they are known here."""
    written, owner = [], b""
    for _ in range(CHAIN_MAX):
        if name not in aliases:
            break
        target = _wire_name(aliases[name])
        written.append(_record(TYPE_CNAME, target, owner=owner))
        name, owner = aliases[name], target
    return written + ([] if qtype == TYPE_CNAME else _addresses(records.get(name, ()), qtype, owner=owner))


def _record(rtype: int, data: bytes, *, owner: bytes) -> bytes:
    head = owner or struct.pack("!H", _POINTER_TO_QUESTION)
    return head + struct.pack("!2HIH", rtype, CLASS_IN, TTL_SECONDS, len(data)) + data


def _has_children(name: str, records: Records) -> bool:
    """Tell whether a name exists only as the parent of others (RFC 8020: it is empty, not absent)."""
    return not name or any(known.endswith(f".{name}") for known in records)


def _reply(question: Question, code: int, records: Sequence[bytes] = ()) -> bytes:
    flags = _QR | _AA | (question.flags & (_OPCODE | _RD)) | code
    negative = code in (NOERROR, NXDOMAIN) and not records
    authority = _soa() if negative else b""
    option = b"\0" + struct.pack("!2HIH", TYPE_OPT, UDP_SIZE, 0, 0) if question.edns else b""
    head = _HEADER.pack(question.ident, flags, 1, len(records), int(negative), int(question.edns))
    return head + question.wire + b"".join(records) + authority + option


def _soa() -> bytes:
    """Write the start of authority that lets resolvers remember a negative answer (RFC 2308), for TTL_SECONDS."""
    data = b"\0\0" + struct.pack("!5I", 1, 60, 60, 60, TTL_SECONDS)
    return b"\0" + struct.pack("!2HIH", TYPE_SOA, CLASS_IN, TTL_SECONDS, len(data)) + data


def _format_error(message: bytes) -> bytes | None:
    if len(message) < _HEADER.size:
        return None
    ident, flags, *_ = _HEADER.unpack_from(message)
    if flags & _QR:
        return None
    return _HEADER.pack(ident, _QR | (flags & (_OPCODE | _RD)) | FORMERR, 0, 0, 0, 0)
