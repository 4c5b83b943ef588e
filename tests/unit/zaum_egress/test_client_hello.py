"""Bytes of a ClientHello in, a verdict out."""

import itertools
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract
from zaum_egress import client_hello

HOST = "api.example.com"
MALFORMED = contract.Rule.SNI_MALFORMED
MISSING = contract.Rule.SNI_MISSING
MISMATCH = contract.Rule.SNI_MISMATCH


def u16(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def sni(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, u16(b"".join(bytes([kind]) + u16(name) for name in names)))


def extension(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + u16(value)


def body(
    extensions: bytes | None = None,
    *,
    version: bytes = b"\x03\x03",
    session: bytes = b"",
    suites: bytes = b"\x13\x01\x13\x02",
    compressions: bytes = b"\x00",
) -> bytes:
    fixed = version + bytes(32) + bytes([len(session)]) + session + u16(suites)
    fixed += bytes([len(compressions)]) + compressions
    return fixed if extensions is None else fixed + u16(extensions)


def message(content: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def records(content: bytes, size: int = 2**14, version: bytes = b"\x03\x01") -> bytes:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(b"\x16" + version + u16(piece) for piece in pieces)


GOOD = records(message(body(sni(HOST.encode()) + extension(43, b"\x02\x03\x04"))))


def verdict_of(data: bytes, host: str = HOST) -> client_hello.Accepted | client_hello.Refused | None:
    return client_hello.Reader(host).feed(data)


def rule_of(data: bytes) -> contract.Rule | None:
    verdict = verdict_of(data)
    return verdict.rule if isinstance(verdict, client_hello.Refused) else None


def real_client_hello(host: str | None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    stack = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        stack.do_handshake()
    return outgoing.read()


def test_a_real_client_hello_is_accepted() -> None:
    assert verdict_of(real_client_hello(HOST)) is client_hello.ACCEPTED


def test_i06_a_real_client_hello_for_another_host_is_refused() -> None:
    assert rule_of(real_client_hello("evil.example.com")) is MISMATCH


def test_i06_a_real_client_hello_without_a_name_is_refused() -> None:
    assert rule_of(real_client_hello(None)) is MISSING


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        records(message(body(sni(HOST.upper().encode())))),
        records(message(body(sni(HOST.encode()), session=bytes(32)))),
        records(message(body(extension(0x0A0A, b"") + sni(HOST.encode()) + extension(21, bytes(900))))),
        records(message(body(sni(HOST.encode()))), version=b"\x03\x03"),
        records(message(body(sni(HOST.encode()))), size=1),
        GOOD + b"\x17\x03\x03\x00\x01x",
    ],
)
def test_what_every_stack_reads_the_same_way_is_accepted(data: bytes) -> None:
    assert verdict_of(data) is client_hello.ACCEPTED


NAME = sni(HOST.encode())

REFUSED = {
    "no extensions": (records(message(body())), MISSING),
    "empty extensions": (records(message(body(b""))), MISSING),
    "other extensions only": (records(message(body(extension(43, b"\x02\x03\x04")))), MISSING),
    "another name": (records(message(body(sni(b"evil.example.com")))), MISMATCH),
    "a suffix": (records(message(body(sni(b"example.com")))), MISMATCH),
    "a trailing dot": (records(message(body(sni(HOST.encode() + b".")))), MISMATCH),
    "a NUL": (records(message(body(sni(HOST.encode() + b"\0.evil.com")))), MISMATCH),
    "not ASCII": (records(message(body(sni(b"\xff\xfe")))), MISMATCH),
    "two names": (records(message(body(sni(HOST.encode(), b"evil.example.com")))), MALFORMED),
    "the name twice": (records(message(body(sni(HOST.encode(), HOST.encode())))), MALFORMED),
    "SNI twice": (records(message(body(NAME + NAME))), MALFORMED),
    "another extension twice": (records(message(body(NAME + extension(43, b"") * 2))), MALFORMED),
    "another kind of name": (records(message(body(sni(HOST.encode(), kind=1)))), MALFORMED),
    "an empty name": (records(message(body(sni(b"")))), MALFORMED),
    "an empty list": (records(message(body(extension(0, b"\0\0")))), MALFORMED),
    "an empty SNI": (records(message(body(extension(0, b"")))), MALFORMED),
    "bytes after the list": (records(message(body(extension(0, NAME[4:] + b"x")))), MALFORMED),
    "ECH": (records(message(body(NAME + extension(0xFE0D, b"\0")))), MALFORMED),
    "ESNI": (records(message(body(NAME + extension(0xFFCE, b"\0")))), MALFORMED),
    "an extension past the end": (records(message(body(NAME + b"\0\x2b\0\x09"))), MALFORMED),
    "half an extension": (records(message(body(NAME + b"\0\x2b"))), MALFORMED),
    "bytes after the extensions": (records(message(body(NAME) + b"x")), MALFORMED),
    "one byte of extensions": (records(message(body() + b"\0")), MALFORMED),
    "TLS 1.1": (records(message(body(NAME, version=b"\x03\x02"))), MALFORMED),
    "TLS 1.3 as version": (records(message(body(NAME, version=b"\x03\x04"))), MALFORMED),
    "a long session id": (records(message(body(NAME, session=bytes(33)))), MALFORMED),
    "nothing after the session id": (records(message(body(NAME)[:35])), MALFORMED),
    "no suites": (records(message(body(NAME, suites=b""))), MALFORMED),
    "odd suites": (records(message(body(NAME, suites=b"\x13\x01\x13"))), MALFORMED),
    "suites past the end": (records(message(body()[:35] + b"\xff\xfe\0")), MALFORMED),
    "no compression": (records(message(body(NAME, compressions=b""))), MALFORMED),
    "only real compression": (records(message(body(NAME, compressions=b"\x01"))), MALFORMED),
    "compression past the end": (records(message(body()[:-2] + b"\x09")), MALFORMED),
    "a short body": (records(message(bytes(34))), MALFORMED),
    "an empty body": (records(message(b"")), MALFORMED),
    "a ServerHello": (records(message(body(NAME), kind=2)), MALFORMED),
    "bytes after the message in its record": (records(message(body(NAME)) + b"\x01"), MALFORMED),
    "two ClientHellos in a record": (records(message(body(NAME)) + message(body(sni(b"e.vil")))), MALFORMED),
    "plain HTTP": (b"GET / HTTP/1.1\r\n", MALFORMED),
    "SSLv2": (b"\x80\x2e\x01\x03\x03", MALFORMED),
    "an alert first": (b"\x15\x03\x01\x00\x02\x01\x00" + GOOD, MALFORMED),
    "an alert between": (records(message(body(NAME))[:9]) + b"\x15\x03\x01\x00\x02\x01\x00", MALFORMED),
    "an empty record": (b"\x16\x03\x01\x00\x00" + GOOD, MALFORMED),
    "an oversize record": (b"\x16\x03\x01\x40\x01" + bytes(5), MALFORMED),
    "SSL 3.0 records": (records(message(body(NAME)), version=b"\x03\x00"), MALFORMED),
    "unknown records": (records(message(body(NAME)), version=b"\x03\x04"), MALFORMED),
    "a message over the cap": (records(b"\x01\x00\xff\xff" + bytes(100)), MALFORMED),
    "records over the cap": (records(message(body(NAME + extension(21, bytes(3000)))), size=1), MALFORMED),
}


@pytest.mark.parametrize(("data", "rule"), REFUSED.values(), ids=REFUSED)
def test_i06_what_a_stack_might_read_differently_is_refused(data: bytes, rule: contract.Rule) -> None:
    assert rule_of(data) is rule


def test_an_endless_record_header_does_not_grow_past_the_cap() -> None:
    reader = client_hello.Reader(HOST)
    fed = 0
    verdict = reader.feed(b"\x16\x03\x01\x40\x00\x01\x00\x3f\x00")
    while verdict is None:
        verdict = reader.feed(bytes(1000))
        fed += 1000
        assert fed <= client_hello.MESSAGE_MAX + 1000
    assert isinstance(verdict, client_hello.Refused)


@given(st.lists(st.integers(1, len(GOOD)), max_size=8), st.integers(1, 60))
def test_how_the_bytes_arrive_never_matters(cuts: list[int], size: int) -> None:
    data = records(message(body(sni(HOST.encode()) + extension(43, b"\x02\x03\x04"))), size=size)
    reader = client_hello.Reader(HOST)
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    verdicts = [reader.feed(data[start:end]) for start, end in itertools.pairwise(edges)]
    assert verdicts == [None] * (len(verdicts) - 1) + [client_hello.ACCEPTED]
    assert reader.raw == data


@given(st.binary(max_size=400))
def test_reading_is_total(data: bytes) -> None:
    assert verdict_of(data) is not client_hello.ACCEPTED


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_i06_no_single_changed_byte_smuggles_another_name(at: int, value: int) -> None:
    changed = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    if verdict_of(changed) is client_hello.ACCEPTED:
        assert HOST.encode() in changed.lower()


@given(st.integers(0, len(GOOD) - 1))
def test_a_cut_message_is_never_accepted(size: int) -> None:
    assert verdict_of(GOOD[:size]) is None
