"""Write ClientHellos that a browser would never send. Standard library only: it goes into pods beside the prober.

`shape(name, host, other)` gives the parts to be sent, one after the other. `honest` is the control: a server answers
it like any other.
"""

import os
import struct

GROUPS = b"\x00\x1d\x00\x17"
SUITES = b"\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f"
SIGNATURES = b"\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01"
ECH = 0xFE0D


def extension(kind: int, body: bytes) -> bytes:
    """Frame one extension."""
    return struct.pack("!HH", kind, len(body)) + body


def names(*hosts: bytes, kind: int = 0) -> bytes:
    """Write the server_name extension with these names."""
    entries = b"".join(struct.pack("!BH", kind, len(host)) + host for host in hosts)
    return extension(0, struct.pack("!H", len(entries)) + entries)


def ordinary() -> list[bytes]:
    """Give the extensions that a TLS 1.3 server needs, beside the name."""
    point = os.urandom(32)
    return [
        extension(10, struct.pack("!H", len(GROUPS)) + GROUPS),
        extension(13, struct.pack("!H", len(SIGNATURES)) + SIGNATURES),
        extension(43, b"\x04\x03\x04\x03\x03"),
        extension(51, struct.pack("!HHH", 36, 0x1D, 32) + point),
    ]


def message(extensions: list[bytes]) -> bytes:
    """Write the handshake message."""
    joined = b"".join(extensions)
    body = b"\x03\x03" + os.urandom(32) + b"\x20" + os.urandom(32)
    body += struct.pack("!H", len(SUITES)) + SUITES + b"\x01\x00" + struct.pack("!H", len(joined)) + joined
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(content: bytes, size: int = 16384, *, version: bytes = b"\x03\x01", kind: int = 22) -> list[bytes]:
    """Cut a message into records of at most `size` bytes."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return [bytes([kind]) + version + struct.pack("!H", len(piece)) + piece for piece in pieces]


def shape(name: str, host: str, other: str) -> list[bytes]:  # noqa: PLR0912 - a table
    """Give the parts of one shape for a tunnel to `host`."""
    mine, theirs = host.encode(), other.encode()
    plain = ordinary()
    whole = message([names(mine), *plain])
    match name:
        case "honest":
            return [b"".join(records(whole))]
        case "honest in many records":
            return [b"".join(records(whole, 7))]
        case "honest byte by byte":
            return [bytes([byte]) for byte in b"".join(records(whole))]
        case "no name":
            return [b"".join(records(message(plain)))]
        case "empty name":
            return [b"".join(records(message([names(b""), *plain])))]
        case "empty list":
            return [b"".join(records(message([extension(0, b"\0\0"), *plain])))]
        case "empty extension":
            return [b"".join(records(message([extension(0, b""), *plain])))]
        case "other name":
            return [b"".join(records(message([names(theirs), *plain])))]
        case "other name in many records":
            return [b"".join(records(message([names(theirs), *plain]), 5))]
        case "other name byte by byte":
            return [bytes([byte]) for byte in b"".join(records(message([names(theirs), *plain])))]
        case "two names in one list":
            return [b"".join(records(message([names(mine, theirs), *plain])))]
        case "two names, the other first":
            return [b"".join(records(message([names(theirs, mine), *plain])))]
        case "two extensions":
            return [b"".join(records(message([names(mine), *plain, names(theirs)])))]
        case "two extensions, the other first":
            return [b"".join(records(message([names(theirs), *plain, names(mine)])))]
        case "the same name twice":
            return [b"".join(records(message([names(mine), *plain, names(mine)])))]
        case "name of an unknown kind":
            return [b"".join(records(message([names(theirs, kind=1), *plain])))]
        case "name with a NUL":
            return [b"".join(records(message([names(mine + b"\0." + theirs), *plain])))]
        case "name with a dot at its end":
            return [b"".join(records(message([names(theirs + b"."), *plain])))]
        case "name that is an address":
            return [b"".join(records(message([names(b"198.51.100.66"), *plain])))]
        case "name one label below":
            return [b"".join(records(message([names(b"x." + mine), *plain])))]
        case "name without its first label":
            return [b"".join(records(message([names(mine.partition(b".")[2]), *plain])))]
        case "list longer than the extension":
            broken = extension(0, struct.pack("!HBH", 400, 0, len(mine)) + mine)
            return [b"".join(records(message([broken, *plain])))]
        case "encrypted":
            outer = extension(ECH, b"\x00\x00\x01\x00\x01\x07\x00\x20" + os.urandom(32) + b"\x00\x90" + os.urandom(144))
            return [b"".join(records(message([names(mine), *plain, outer])))]
        case "encrypted, old draft":
            return [b"".join(records(message([names(mine), *plain, extension(0xFFCE, os.urandom(128))])))]
        case "padded beyond reason":
            return records(message([names(mine), *[extension(21, bytes(65000 // 2))] * 2, *plain]))
        case "name behind much padding":
            return records(message([extension(21, bytes(40000)), names(theirs), *plain]))
        case "no hello but data":
            return records(b"GET / HTTP/1.1\r\nHost: " + theirs + b"\r\n\r\n", kind=23)
        case "alert first":
            return [b"\x15\x03\x01\x00\x02\x01\x00" + b"".join(records(message([names(theirs), *plain])))]
        case "ccs first":
            return [b"\x14\x03\x01\x00\x01\x01" + b"".join(records(message([names(theirs), *plain])))]
        case "empty record first":
            return [b"\x16\x03\x01\x00\x00" + b"".join(records(message([names(theirs), *plain])))]
        case "old record version":
            return [b"".join(records(message([names(theirs), *plain]), version=b"\x03\x00"))]
        case "SSLv2":
            body = b"\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x2f" + os.urandom(16)
            return [struct.pack("!H", 0x8000 | len(body)) + body]
        case "honest, then the other's in the same flight":
            return [b"".join(records(message([names(theirs), *plain])) + records(whole))]
        case "cut short":
            return [b"".join(records(whole))[:60]]
        case "length of 16 MiB":
            return [b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03" + bytes(16000)]
        case _:
            raise ValueError(name)


REFUSED = (
    "no name", "empty name", "empty list", "empty extension", "other name", "other name in many records",
    "other name byte by byte", "two names in one list", "two names, the other first", "two extensions",
    "two extensions, the other first", "the same name twice", "name of an unknown kind", "name with a NUL",
    "name with a dot at its end", "name that is an address", "name one label below", "name without its first label",
    "list longer than the extension", "encrypted", "encrypted, old draft", "padded beyond reason",
    "name behind much padding", "no hello but data", "alert first", "ccs first", "empty record first",
    "old record version", "SSLv2", "honest, then the other's in the same flight", "cut short", "length of 16 MiB",
)  # fmt: skip
HONEST = ("honest", "honest in many records", "honest byte by byte")
