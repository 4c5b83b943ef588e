import base64

import pytest

from zaum_watchdog.core.redaction import checks


@pytest.mark.parametrize(
    "digits", [b"4111111111111111", b"5555555555554444", b"378282246310005", b"6011111111111117", b"30569309025904"]
)
def test_the_numbers_that_issuers_publish_for_tests_are_cards(digits: bytes) -> None:
    assert checks.card(digits)


@pytest.mark.parametrize(
    "digits", [b"4111111111111112", b"0000000000000000", b"9111111111111111", b"41111111111111111"]
)
def test_a_wrong_sum_issuer_or_length_makes_no_card(digits: bytes) -> None:
    assert not checks.card(digits)


@pytest.mark.parametrize(
    "value",
    [b"DE89370400440532013000", b"GB29NWBK60161331926819", b"NO9386011117947", b"MT84MALT011000012345MTLCAST001S"],
)
def test_the_ibans_of_the_registry_are_ibans(value: bytes) -> None:
    assert checks.iban(value)


@pytest.mark.parametrize(
    "value", [b"DE89370400440532013001", b"DE8937040044053201300", b"ZZ89370400440532013000", b"\xff\xfe"]
)
def test_a_wrong_sum_length_or_country_makes_no_iban(value: bytes) -> None:
    assert not checks.iban(value)


@pytest.mark.parametrize(
    ("digits", "called"),
    [
        (b"491701234567", True),
        (b"12125550123", True),
        (b"37212345678", True),
        (b"1212555012", False),
        (b"10125550123", False),
        (b"12120550123", False),
        (b"4917012", False),
        (b"4917012345678901", False),
        (b"2101234567", False),
    ],
)
def test_a_number_begins_with_the_code_of_a_country_and_has_its_digits(digits: bytes, called: bool) -> None:
    assert checks.called(digits) is called


def _part(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text).rstrip(b"=")


@pytest.mark.parametrize(
    ("head", "signed"),
    [
        (b'{"alg":"RS256"}', True),
        (b'{"typ":"JWT"}', False),
        (b"[1]", False),
        (b"{", False),
        (b"[" * 3000, False),
        (b"\xff", False),
    ],
)
def test_a_token_has_a_head_that_says_how_it_is_signed(head: bytes, signed: bool) -> None:
    assert checks.signed_token(_part(head) + b".e30.c2ln") is signed


def test_what_is_no_base64_is_no_token() -> None:
    assert not checks.signed_token(b"eyJhb.e30.c2ln")


def test_an_example_repeats_itself() -> None:
    assert not checks.drawn(b"AKIAXXXXXXXXXXXXXXXX")
    assert checks.drawn(b"AKIAQ2W3E4R5T6Y7U2I3")
