"""Hosts, authorities, patterns, names of Services, addresses, paths: text in, one spelling out."""

import ipaddress
import re
import socket
from typing import Final

from hypothesis import strategies as st

from tests.fuzz import target
from zaum_api import documents
from zaum_egress import addresses, hosts
from zaum_gateway.core import service_names
from zaum_watchdog.core import paths

_PLAIN: Final = re.compile(r"[a-z0-9._-]+")


def text(data: bytes) -> str:
    """Read bytes as text that keeps all of them."""
    return data.decode("utf-8", "surrogateescape")


def check_host(data: bytes) -> None:
    """Whatever is taken has one spelling, is no address to anybody, and names itself."""
    asked = text(data)
    _host(hosts.parse_host(asked))
    pattern = hosts.parse_pattern(asked)
    if isinstance(pattern, hosts.Pattern):
        assert hosts.parse_pattern(pattern.text) == pattern
        _decided(pattern)
    authority = hosts.parse_authority(asked)
    if isinstance(authority, hosts.Authority):
        _host(authority.host)
        assert 0 < authority.port < 65536
        again = hosts.parse_authority(f"{authority.host.name}:{authority.port}")
        assert again == authority
    service = service_names.parse_authority(asked, hosts.CLUSTER_DOMAIN)
    if service is not None:
        assert isinstance(authority, hosts.Malformed), "a Service's name is a name of the outside too"


def _host(host: hosts.Host | hosts.Malformed) -> None:
    if isinstance(host, hosts.Malformed):
        assert host.problem
        return
    name = host.name
    assert _PLAIN.fullmatch(name)
    assert "." in name
    assert len(name) <= hosts.NAME_MAX
    assert hosts.parse_host(name) == host
    assert hosts.parse_host(name.upper() + ".") == host
    assert not _is_address(name)
    assert not name.endswith((".svc", ".localhost", f".{hosts.CLUSTER_DOMAIN}"))


def _is_address(name: str) -> bool:
    """Ask the C library, which takes the odd spellings, and the standard library, which takes the usual ones."""
    for ask in (socket.inet_aton, ipaddress.ip_address):
        try:
            ask(name)
        except (OSError, ValueError):
            continue
        return True
    return False


def _decided(pattern: hosts.Pattern) -> None:
    rules = hosts.HostTable.of([documents.HostRule(pattern.text, (443,))])
    assert not rules.refused
    below = hosts.parse_host(f"a.{pattern.host.name}")
    if isinstance(below, hosts.Host):
        assert rules.decide(below, 443).allowed is pattern.wildcard
        assert not rules.decide(below, 444).allowed
    assert rules.decide(pattern.host, 443).allowed is not pattern.wildcard


def check_address(data: bytes) -> None:
    """Nothing inside is reachable, in no wrapping."""
    asked = text(data)
    found = addresses.classify(asked)
    if len(data) in {4, 16}:
        # The same bytes as an address itself, so that odd ones are met as often as odd spellings.
        check_packed(data)
    if not found.reachable:
        return
    address = ipaddress.ip_address(asked.partition("%")[0])
    inside = [address.is_loopback, address.is_link_local, address.is_multicast, address.is_unspecified]
    assert not any(inside), inside
    check_packed(address.packed)


def check_packed(data: bytes) -> None:
    """An IPv4 address is as reachable as what carries it."""
    address = ipaddress.ip_address(data)
    reachable = addresses.classify(str(address)).reachable
    if isinstance(address, ipaddress.IPv4Address):
        for carrier in (f"::ffff:{address}", f"64:ff9b::{address}", f"::ffff:0:{address}"):
            assert addresses.classify(carrier).reachable is reachable, carrier
    elif reachable:
        assert all(addresses.classify(str(each)).reachable for each in addresses.embedded(address))


def check_path(data: bytes) -> None:
    """Whatever is taken is its own normal form, and no decoder finds another way in it."""
    asked = data.decode("latin-1")
    found = paths.read(asked)
    if isinstance(found, paths.Malformed):
        assert found.problem
        return
    assert paths.read(found.path + found.query) == found
    low = found.path.lower()
    assert found.path.startswith("/")
    assert found.path.isascii()
    assert not any(bad in low for bad in ("//", "/../", "/./", "%2f", "%5c", "%00", "%2e", "\\", "#", "?", " "))
    assert not low.endswith(("/..", "/."))


HOST_WORDS: Final = (
    *(b"example.com", b"api.", b"*.", b".", b"-", b"_", b"xn--", b"xn--bcher-kva", b"cluster.local", b".svc"),
    *(b"localhost", b"127.0.0.1", b"0x7f.1", b"2130706433", b"017700000001", b"[::1]", b"::ffff:127.0.0.1", b"%25"),
    *(b":443", b":0", b":65535", b":65536", b":15443", b"\0", b"@", b"/", b"\\", b"\r\n", b" ", b"a" * 63, b"a" * 64),
    *(b"B\xc3\xbccher", b"\xe3\x80\x82", b"\xe2\x91\xa0", b"\xc3\x9f", b"\xe2\x84\xaa", b"\xff", b"1", b"0x", b"e1"),
)
ADDRESS_WORDS: Final = (
    *(b"127.0.0.1", b"169.254.169.254", b"10.0.0.1", b"8.8.8.8", b"::", b"::1", b"::ffff:", b"64:ff9b::", b"2002:"),
    *(b"7f00:1", b"a9fe:a9fe", b"0:5efe:", b"2001:0:", b"fd00:ec2::254", b"fe80::1", b"%eth0", b"%", b"0x7f", b"0177"),
    *(b".", b":", b"1", b"256", b"ffff", b"\0", b" ", b"/8", b"[", b"]", b"\xd9\xa1"),
)
PATH_WORDS: Final = (
    *(b"/", b"//", b"/..", b"/.", b"/..;x", b"%2e", b"%2E%2e", b"%2f", b"%5c", b"%00", b"%252e", b"%25", b"%7e", b"%"),
    *(b"v1", b"chat", b"?", b"&a=b", b"#", b"\\", b";", b"%c3%bc", b"%c3", b"%ff", b" ", b"\0", b"\xff", b"%zz"),
    *(b"http://api.example.com/", b"*", b"%0d%0a"),
)
TARGETS: Final = (
    target.Target(
        "hosts",
        check_host,
        (
            b"api.example.com",
            b"api.example.com:443",
            b"*.eu.api.example.com",
            b"a-1.example.org:8443",
            b"xn--bcher-kva.example:1",
            b"*.example.com",
            b"xn--bcher-kva.example",
            b"db.data.svc.cluster.local:80",
            b"127.0.0.1:443",
            b"a.b.c.d.e.f.example:8443",
            b"_acme.my_host.example",
            b"[::1]:443",
        ),
        HOST_WORDS,
        st.one_of(target.joined(HOST_WORDS), st.text(max_size=40).map(lambda drawn: drawn.encode("utf-8"))),
    ),
    target.Target(
        "addresses",
        check_address,
        (
            b"8.8.8.8",
            b"203.0.113.7",
            b"::ffff:8.8.8.8",
            b"2001:4860:4860::8888",
            b"64:ff9b::808:808",
            b"2002:808:808::1",
            b"\x01\x02\x03\x04",
            b"\x20\x01\x48\x60" + bytes(12),
            b"::ffff:10.0.0.1",
            b"2001:db8::1",
            b"64:ff9b::a9fe:a9fe",
            b"fe80::1%eth0",
            b"2002:7f00:1::",
            b"\x08\x08\x08\x08",
            b"\xa9\xfe\xa9\xfe",
            b"\x20\x02\x7f\0\0\x01" + bytes(10),
            bytes(10) + b"\xff\xff\x0a\0\0\1",
        ),
        ADDRESS_WORDS,
        st.one_of(
            target.joined(ADDRESS_WORDS, most=5),
            st.ip_addresses().map(lambda drawn: drawn.packed),
            st.ip_addresses().map(lambda drawn: str(drawn).encode()),
        ),
    ),
    target.Target(
        "paths",
        check_path,
        (b"/openai/chat/completions", b"/v1/models?limit=5&after=x", b"/a/%7Euser/%c3%bc", b"/a/b;c=d/e", b"/"),
        PATH_WORDS,
        target.joined(PATH_WORDS, most=10).map(lambda drawn: b"/" + drawn),
    ),
)
