"""Which addresses an allowed name may resolve to."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_egress import addresses
from zaum_egress.addresses import Kind

TABLE = [
    ("8.8.8.8", Kind.PUBLIC),
    ("32.2.0.1", Kind.PUBLIC),  # its bytes begin like 6to4's
    ("32.1.0.0", Kind.PUBLIC),  # and like Teredo's
    ("2606:4700::1111", Kind.PUBLIC),
    ("192.0.2.1", Kind.PUBLIC),
    ("198.51.100.10", Kind.PUBLIC),
    ("203.0.113.10", Kind.PUBLIC),
    ("2001:db8::1", Kind.PUBLIC),
    ("64:ff9b::808:808", Kind.PUBLIC),
    ("::ffff:8.8.8.8", Kind.PUBLIC),
    ("2002:808:808::1", Kind.PUBLIC),
    ("172.15.255.255", Kind.PUBLIC),
    ("172.32.0.0", Kind.PUBLIC),
    ("100.63.255.255", Kind.PUBLIC),
    ("100.128.0.0", Kind.PUBLIC),
    ("198.17.255.255", Kind.PUBLIC),
    ("10.0.0.1", Kind.PRIVATE),
    ("172.16.0.1", Kind.PRIVATE),
    ("172.31.255.255", Kind.PRIVATE),
    ("192.168.1.1", Kind.PRIVATE),
    ("fd00::1", Kind.PRIVATE),
    ("fec0::1", Kind.PRIVATE),
    ("127.0.0.1", Kind.LOOPBACK),
    ("127.255.255.255", Kind.LOOPBACK),
    ("0.0.0.0", Kind.UNSPECIFIED),
    ("0.1.2.3", Kind.UNSPECIFIED),
    ("169.254.1.1", Kind.LINK_LOCAL),
    ("fe80::1", Kind.LINK_LOCAL),
    ("fe80::1%eth0", Kind.LINK_LOCAL),
    ("169.254.169.254", Kind.METADATA),
    ("169.254.170.2", Kind.METADATA),
    ("168.63.129.16", Kind.METADATA),
    ("100.100.100.200", Kind.METADATA),
    ("fd00:ec2::254", Kind.METADATA),
    ("100.64.0.1", Kind.SHARED),
    ("224.0.0.1", Kind.MULTICAST),
    ("ff02::1", Kind.MULTICAST),
    ("255.255.255.255", Kind.RESERVED),
    ("240.0.0.1", Kind.RESERVED),
    ("198.18.0.1", Kind.RESERVED),
    ("192.88.99.1", Kind.RESERVED),
    ("100::1", Kind.RESERVED),
    ("5f00::1", Kind.RESERVED),
    ("4000::1", Kind.RESERVED),
    ("64:ff9b:1::a9fe:a9fe", Kind.RESERVED),
    # what hides inside IPv6
    ("::", Kind.UNSPECIFIED),
    ("::1", Kind.UNSPECIFIED),
    ("::169.254.169.254", Kind.METADATA),
    ("::ffff:169.254.169.254", Kind.METADATA),
    ("::ffff:0:169.254.169.254", Kind.METADATA),
    ("64:ff9b::a9fe:a9fe", Kind.METADATA),
    ("2002:a9fe:a9fe::", Kind.METADATA),
    ("2002:7f00:1::", Kind.LOOPBACK),
    ("2001:0:a9fe:a9fe::", Kind.METADATA),
    ("2001:0:808:808::f5ff:fffe", Kind.PRIVATE),
    ("2606:4700::5efe:10.0.0.1", Kind.PRIVATE),
    ("2606:4700::200:5efe:10.0.0.1", Kind.PRIVATE),
    # no addresses
    ("", Kind.MALFORMED),
    ("example.com", Kind.MALFORMED),
    ("0x7f.1", Kind.MALFORMED),
    ("0177.0.0.1", Kind.MALFORMED),
    ("[::1]", Kind.MALFORMED),
]


@pytest.mark.parametrize(("text", "kind"), TABLE)
def test_i05_an_address_has_one_kind(text: str, kind: Kind) -> None:
    found = addresses.classify(text)
    assert found.kind is kind
    assert found.reachable is (kind is Kind.PUBLIC)


IPV4 = st.ip_addresses(v=4).map(str)
CARRIERS = ["::", "::ffff:", "::ffff:0:", "64:ff9b::"]


@given(IPV4, st.sampled_from(CARRIERS))
def test_i05_wrapping_an_address_never_makes_it_reachable(inner: str, carrier: str) -> None:
    if not addresses.classify(inner).reachable:
        assert not addresses.classify(carrier + inner).reachable


@given(st.ip_addresses(v=4), st.integers(0, 2**80 - 1))
def test_i05_6to4_counts_as_what_it_carries(inner: ipaddress.IPv4Address, rest: int) -> None:
    wrapped = ipaddress.IPv6Address(b"\x20\x02" + inner.packed + rest.to_bytes(10, "big"))
    if not addresses.classify(str(inner)).reachable:
        assert not addresses.classify(str(wrapped)).reachable


@given(st.ip_addresses())
def test_what_is_reachable_here_is_global_or_documentation_to_the_standard_library(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    documentation = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"]
    known = address.is_global or any(address in ipaddress.ip_network(network) for network in documentation)
    carries = addresses.embedded(address)
    if addresses.classify(str(address)).reachable and not carries and not str(address).startswith("2001:"):
        assert known


@given(st.text())
def test_classifying_is_total(text: str) -> None:
    assert addresses.classify(text).kind in set(Kind)
