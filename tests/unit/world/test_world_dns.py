"""The world's DNS: bytes in, bytes out."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster import addresses
from tests.cluster.world import dns, names

RECORDS = {"docs.example.com": ("198.51.100.10", "2001:db8:100::10"), "four.example.com": ("198.51.100.11",)}
TXT = 16


def asked(name: str, qtype: int) -> bytes:
    answer = dns.answer(dns.query(name, qtype, ident=4711), RECORDS)
    assert answer is not None
    return answer


def counts(answer: bytes) -> tuple[int, int, int]:
    """Give the numbers of answers, authorities and additionals."""
    _, _, _, answers, authorities, additionals = struct.unpack_from("!6H", answer)
    return answers, authorities, additionals


@pytest.mark.parametrize(
    ("name", "qtype", "code", "answers"),
    [
        ("docs.example.com", dns.TYPE_A, dns.NOERROR, 1),
        ("docs.example.com", dns.TYPE_AAAA, dns.NOERROR, 1),
        ("DoCs.eXample.COM", dns.TYPE_A, dns.NOERROR, 1),
        ("four.example.com", dns.TYPE_AAAA, dns.NOERROR, 0),
        ("docs.example.com", TXT, dns.NOERROR, 0),
        ("example.com", dns.TYPE_A, dns.NOERROR, 0),  # a parent of names exists and is empty (RFC 8020)
        ("other.example.com", dns.TYPE_A, dns.NXDOMAIN, 0),
        ("xdocs.example.com", dns.TYPE_A, dns.NXDOMAIN, 0),
        ("docs.example.com.cluster.local", dns.TYPE_A, dns.NXDOMAIN, 0),
    ],
)
def test_a_name_is_answered_by_what_the_records_say(name: str, qtype: int, code: int, answers: int) -> None:
    answer = asked(name, qtype)
    assert answer[3] & 0x0F == code
    assert counts(answer) == (answers, 0 if answers else 1, 0)


@pytest.mark.parametrize(("qtype", "literal"), [(dns.TYPE_A, "198.51.100.10"), (dns.TYPE_AAAA, "2001:db8:100::10")])
def test_the_address_stands_at_the_end_of_the_answer(qtype: int, literal: str) -> None:
    assert asked("docs.example.com", qtype).endswith(ipaddress.ip_address(literal).packed)


def test_the_question_comes_back_in_the_letter_case_it_was_asked_in() -> None:
    assert b"\x04DoCs\x07eXample\x03COM\0" in asked("DoCs.eXample.COM", dns.TYPE_A)


def test_the_answer_is_authoritative_and_carries_the_question_s_identity() -> None:
    ident, flags = struct.unpack_from("!2H", asked("docs.example.com", dns.TYPE_A))
    assert ident == 4711
    assert flags & 0x8400 == 0x8400


def test_edns_is_answered_with_edns() -> None:
    option = b"\0" + struct.pack("!2HIH", dns.TYPE_OPT, 4096, 0, 0)
    question = bytearray(dns.query("docs.example.com", dns.TYPE_A, ident=1)) + option
    question[11] = 1
    answer = dns.answer(bytes(question), RECORDS)
    assert answer is not None
    assert counts(answer) == (1, 0, 1)


def test_an_answer_gets_no_answer() -> None:
    assert dns.answer(asked("docs.example.com", dns.TYPE_A), RECORDS) is None


def test_another_class_is_refused() -> None:
    question = dns.query("docs.example.com", dns.TYPE_A, ident=1)[:-2] + b"\0\x03"
    answer = dns.answer(question, RECORDS)
    assert answer is not None
    assert answer[3] & 0x0F == dns.REFUSED


def test_another_opcode_is_not_implemented() -> None:
    question = bytearray(dns.query("docs.example.com", dns.TYPE_A, ident=1))
    question[2] |= 5 << 3
    answer = dns.answer(bytes(question), RECORDS)
    assert answer is not None
    assert answer[3] & 0x0F == dns.NOTIMP


@pytest.mark.parametrize(
    "name",
    [b"\xc0\x0c", b"\x40" + b"a" * 64 + b"\0", b"\x05ab", b"\x01a" * 200],
    ids=["compressed", "label of 64", "cut off", "no end"],
)
def test_a_name_out_of_bounds_is_a_format_error(name: bytes) -> None:
    header = struct.pack("!6H", 9, 0x0100, 1, 0, 0, 0)
    answer = dns.answer(header + name, RECORDS)
    assert answer is not None
    assert answer[3] & 0x0F == dns.FORMERR


@given(st.binary(max_size=300))
def test_no_bytes_break_it_and_no_answer_is_larger_than_a_datagram(message: bytes) -> None:
    answer = dns.answer(message, RECORDS)
    assert answer is None or (answer[:2] == message[:2] and len(answer) <= 512)


def test_every_record_of_the_world_answers_in_both_families() -> None:
    for name, literals in addresses.WORLD_RECORDS.items():
        for qtype, version in ((dns.TYPE_A, 4), (dns.TYPE_AAAA, 6)):
            answer = dns.answer(dns.query(name, qtype, ident=1), addresses.WORLD_RECORDS)
            wanted = [ipaddress.ip_address(each).packed for each in literals]
            assert answer is not None
            family = [packed for packed in wanted if len(packed) == (4 if version == 4 else 16)]
            assert counts(answer)[0] == len(family)
            assert all(packed in answer for packed in family)


def test_an_alias_is_followed_to_the_addresses_at_its_end() -> None:
    aliases = {"alias.example.com": "other.example.com", "other.example.com": "docs.example.com"}
    answer = dns.answer(dns.query("alias.example.com", dns.TYPE_A, ident=1), RECORDS, aliases)
    assert answer is not None
    assert counts(answer) == (3, 0, 0)
    assert answer.index(b"\x05other") < answer.index(b"\x04docs")
    assert answer.endswith(ipaddress.ip_address("198.51.100.10").packed)


def test_an_alias_that_leads_elsewhere_or_in_circles_ends() -> None:
    aliases = {"away.example.com": "kubernetes.default.svc.cluster.local", "a.example.com": "a.example.com"}
    for name, records in (("away.example.com", 1), ("a.example.com", dns.CHAIN_MAX)):
        answer = dns.answer(dns.query(name, dns.TYPE_A, ident=1), RECORDS, aliases)
        assert answer is not None
        assert counts(answer)[0] == records


def test_a_rebinding_name_is_public_at_first_and_the_node_s_a_moment_later() -> None:
    now = [0.0]
    changing = names.Names(lambda: now[0])
    name = f"a.{addresses.REBINDING_PARENT}"
    question = dns.query(name, dns.TYPE_A, ident=1)
    assert changing.records(question)[name] == addresses.REBINDING[0]
    now[0] = addresses.REBINDING_SECONDS
    assert changing.records(question)[name] == addresses.REBINDING[0]
    now[0] += 0.1
    assert changing.records(question)[name] == addresses.REBINDING[1]
    other = f"b.{addresses.REBINDING_PARENT}"
    assert changing.records(dns.query(other, dns.TYPE_A, ident=1))[other] == addresses.REBINDING[0]


def test_names_that_do_not_rebind_are_what_the_records_say() -> None:
    changing = names.Names(lambda: 0.0)
    assert changing.records(dns.query(addresses.WEBSITE_NAME, dns.TYPE_A, ident=1)) is addresses.WORLD_RECORDS
    assert changing.records(b"no question") is addresses.WORLD_RECORDS
