"""ClientHellos: what is accepted, a real TLS stack reads the same way, and pieces change nothing."""

import contextlib
import functools
import ssl
from typing import Final

from hypothesis import strategies as st

from tests.fuzz import target
from zaum_egress import client_hello

HOST: Final = "api.example.com"


def check(data: bytes) -> None:
    """One verdict for any pieces; an accepted one names the host to OpenSSL too."""
    whole = client_hello.Reader(HOST)
    verdict = whole.feed(data)
    assert whole.raw == data
    in_pieces = client_hello.Reader(HOST)
    at = target.cut(data)
    early = in_pieces.feed(data[:at])
    late = early if early is not None else in_pieces.feed(data[at:])
    assert (verdict is client_hello.ACCEPTED) == (late is client_hello.ACCEPTED), at
    assert (verdict is None) == (late is None), at
    if verdict is client_hello.ACCEPTED:
        named = names(data)
        assert all(name.lower() == HOST for name in named if name is not None), named
    elif isinstance(verdict, client_hello.Refused):
        assert verdict.problem


@functools.cache
def _server() -> tuple[ssl.SSLContext, list[str | None]]:
    heard: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _sock, name, _context: heard.append(name)
    return context, heard


def names(data: bytes) -> list[str | None]:
    """Give what OpenSSL's server is told by these bytes; nothing where it does not get as far."""
    context, heard = _server()
    heard.clear()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(data)
    with contextlib.suppress(ssl.SSLError):
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    return heard.copy()


def u16(value: bytes) -> bytes:
    """Put two bytes of length before it."""
    return len(value).to_bytes(2, "big") + value


def extension(kind: int, value: bytes) -> bytes:
    """Write an extension."""
    return kind.to_bytes(2, "big") + u16(value)


def sni(*listed: bytes, kind: int = 0) -> bytes:
    """Write a server_name extension with these names."""
    return extension(0, u16(b"".join(bytes([kind]) + u16(name) for name in listed)))


def written(extensions: bytes, *, size: int = 2**14, session: bytes = b"") -> bytes:
    """Write a ClientHello in records of at most `size` bytes."""
    body = (
        b"\x03\x03" + bytes(32) + bytes([len(session)]) + session + u16(b"\x13\x01\xc0\x2f") + b"\1\0" + u16(extensions)
    )
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"".join(b"\x16\x03\x01" + u16(message[at : at + size]) for at in range(0, len(message), size))


_SUITE: Final = extension(43, b"\2\3\4") + extension(10, b"\0\2\0\x1d") + extension(13, b"\0\2\4\3")
_SHARE: Final = extension(51, u16(b"\0\x1d" + u16(bytes(range(32)))))
_NAMES: Final = (
    HOST.encode(),
    HOST.upper().encode(),
    b"evil.example.com",
    HOST.encode() + b"\0",
    b"",
    HOST.encode() + b".",
)
_EXTENSIONS: Final = st.one_of(
    st.lists(st.sampled_from(_NAMES), min_size=1, max_size=2).map(lambda drawn: sni(*drawn)),
    st.just(sni(HOST.encode())),
    st.builds(extension, st.sampled_from([0, 10, 16, 21, 43, 51, 0x0A0A, 0xFE0D, 65281]), st.binary(max_size=40)),
    st.sampled_from([_SUITE, _SHARE]),
)
TARGET: Final = target.Target(
    "client hello",
    check,
    (
        written(sni(HOST.encode()) + _SUITE + _SHARE),
        written(_SUITE + sni(HOST.encode()) + extension(21, bytes(300)), session=bytes(32)),
        written(sni(HOST.encode()) + _SUITE, size=20),
        written(sni(HOST.encode(), b"evil.example.com")),
        written(sni(b"evil.example.com") + _SUITE + _SHARE),
        written(sni(HOST.encode()) + extension(0xFE0D, bytes(40))),
    ),
    (
        b"\x16\x03\x01",
        b"\0\0",
        b"\1\0",
        b"\xff\xff",
        b"\0\x10",
        HOST.encode(),
        sni(HOST.encode()),
        sni(b"evil.example.com"),
        extension(16, b"\0\3\2h2"),
        b"\xfe\x0d\0\0",
        b"\x17\x03\x03\0\1x",
        _SUITE,
    ),
    st.builds(
        written,
        st.lists(_EXTENSIONS, max_size=5).map(b"".join),
        size=st.sampled_from([1, 7, 60, 2**14]),
        session=st.sampled_from([b"", bytes(32)]),
    ),
)
