"""Request heads: what the parser lets through, refused; what is left, an authority."""

import pytest

from zaum_api import contract
from zaum_egress import hosts
from zaum_watchdog.core import heads
from zaum_watchdog.shell import llhttp

TARGET = hosts.Authority(hosts.Host("api.example.com"), 443)
MALFORMED = contract.Rule.REQUEST_MALFORMED


def connect(*lines: str, target: str = "api.example.com:443", version: str = "1.1") -> bytes:
    return "\r\n".join([f"CONNECT {target} HTTP/{version}", *lines, "", ""]).encode("latin-1")


def read(raw: bytes) -> hosts.Authority | heads.Refused:
    head = llhttp.parse(raw)
    assert head is not None
    return heads.read(head)


HOST = "Host: api.example.com:443"


@pytest.mark.parametrize(
    "raw",
    [
        connect(HOST),
        connect("Host: api.example.com"),
        connect("host: API.EXAMPLE.COM:443"),
        connect("Host: api.example.com.:443"),
        connect(HOST, target="API.example.com.:443"),
        connect(version="1.0"),
        connect(HOST, version="1.0"),
        connect(HOST, "Content-Length: 0"),
        connect(HOST, "Proxy-Authorization: Basic eDp5", "User-Agent: x", "Proxy-Connection: keep-alive"),
        connect(HOST, *[f"X-{number}: y" for number in range(99)]),
    ],
)
def test_what_clients_send_is_reduced_to_the_authority(raw: bytes) -> None:
    assert read(raw) == TARGET


AMBIGUOUS = {
    "no Host in HTTP/1.1": connect(),
    "two Hosts": connect(HOST, HOST),
    "two Hosts in HTTP/1.0": connect(HOST, HOST, version="1.0"),
    "another Host": connect("Host: evil.example.com:443"),
    "another port in Host": connect("Host: api.example.com:444"),
    "an empty Host": connect("Host:"),
    "HTTP/2.0": connect(HOST, version="2.0"),
    "HTTP/0.9": connect(HOST, version="0.9"),
    "a body": connect(HOST, "Content-Length: 5"),
    "two lengths": connect(HOST, "Content-Length: 0", "Content-Length: 5"),
    "a transfer coding": connect(HOST, "Transfer-Encoding: gzip, chunked"),
    "101 headers": connect(HOST, *[f"X-{number}: y" for number in range(100)]),
}


@pytest.mark.parametrize("raw", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_parsers_might_read_differently_is_refused(raw: bytes) -> None:
    head = llhttp.parse(raw)
    refused = heads.read(head) if head else heads.Refused(MALFORMED, "by the parser")
    assert isinstance(refused, heads.Refused)
    assert refused.rule is MALFORMED


@pytest.mark.parametrize(
    "raw",
    [
        b"CONNECT api.example.com:443 HTTP/1.1\nHost: api.example.com:443\n\n",
        b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n folded\r\n\r\n",
        b"CONNECT api.example.com:443 HTTP/1.1\r\nX: y\r\n\tfolded\r\nHost: api.example.com:443\r\n\r\n",
        b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\nX: a\0b\r\n\r\n",
        b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\nX: a\rb\r\n\r\n",
        b"CONNECT api.example.com:443 HTTP/1.1\r\nHost : api.example.com:443\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_what_is_no_clean_head_reaches_no_decision(raw: bytes) -> None:
    head = llhttp.parse(raw)
    assert head is None or isinstance(heads.read(head), heads.Refused)


@pytest.mark.parametrize("line", [b"X: a\nb", b"X: a\rb", b"X: a\0b", b"X: a\r\n b", b"X: a\r\n\tb"])
def test_the_guard_does_not_rely_on_the_parser(line: bytes) -> None:
    def parsed(line: bytes) -> heads.Head:
        raw = connect(HOST, line.decode())
        return heads.Head(b"CONNECT", b"api.example.com:443", "1.1", [(b"host", b"api.example.com:443")], raw)

    assert heads.read(parsed(b"X: a b")) == TARGET, "the control: nothing else is wrong with it"
    refused = heads.read(parsed(line))
    assert isinstance(refused, heads.Refused)
    assert refused.rule is MALFORMED


@pytest.mark.parametrize(
    "raw",
    [
        b"GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
        b"POST http://api.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\nContent-Length: 3\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:15001\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"OPTIONS * HTTP/1.0\r\n\r\n",
    ],
)
def test_i06_whatever_is_no_connect_is_plain_http(raw: bytes) -> None:
    refused = read(raw)
    assert isinstance(refused, heads.Refused)
    assert refused.rule is contract.Rule.PLAIN_HTTP


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("127.0.0.1:443", contract.Rule.HOST_IS_ADDRESS),
        ("[::1]:443", contract.Rule.HOST_IS_ADDRESS),
        ("kubernetes.default.svc:443", contract.Rule.HOST_MALFORMED),
        ("evil%00.example.com:443", contract.Rule.HOST_MALFORMED),
        ("http://api.example.com/", contract.Rule.HOST_MALFORMED),
        ("api.example.com", contract.Rule.HOST_MALFORMED),
        ("user@api.example.com:443", contract.Rule.HOST_MALFORMED),
    ],
)
def test_a_target_that_is_no_outside_name_is_refused_by_its_own_rule(target: str, rule: contract.Rule) -> None:
    raw = connect(f"Host: {target}", target=target)
    refused = heads.read(heads.Head(b"CONNECT", target.encode(), "1.1", [(b"host", target.encode())], raw))
    assert isinstance(refused, heads.Refused)
    assert refused.rule is rule
    assert refused.host == ""
