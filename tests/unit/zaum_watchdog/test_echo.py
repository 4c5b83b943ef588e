"""The injected credential in an answer: found in every spelling, at every place, and no byte of it let out."""

import base64

import pytest
from hypothesis import given, strategies

from tests.unit.zaum_watchdog import routed
from zaum_watchdog.core import echo

SECRETS = [routed.SECRET, b"12345678", b"aaaaaaaaaaaa", b"ab" * 40, b"eyJhbGciOiJSUzI1NiJ9." + b"x?/+-_" * 300]
SEARCHED = {secret: echo.Searched.of(secret) for secret in SECRETS}


def let_out(secret: bytes, data: bytes, cuts: list[int]) -> tuple[bytes, bool]:
    scanner = echo.Scanner(SEARCHED[secret])
    out, at = b"", 0
    for cut in [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]:
        out += scanner.feed(data[at:cut])
        at = cut
    return out + (b"" if scanner.found else scanner.end()), scanner.found


PLACES = strategies.tuples(strategies.binary(max_size=7), strategies.binary(max_size=7))
CUTS = strategies.lists(strategies.integers(0, 2_000), max_size=8)


@given(secret=strategies.sampled_from(SECRETS), around=PLACES, cuts=CUTS)
def test_the_credential_itself_is_found_and_none_of_it_is_let_out(
    secret: bytes, around: tuple[bytes, bytes], cuts: list[int]
) -> None:
    out, found = let_out(secret, around[0] + secret + around[1], cuts)
    assert found
    assert around[0].startswith(out)


@given(secret=strategies.sampled_from(SECRETS), around=PLACES, cuts=CUTS, url=strategies.booleans())
def test_its_base64_is_found_wherever_it_stands_in_a_longer_text(
    secret: bytes, around: tuple[bytes, bytes], cuts: list[int], url: bool
) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    out, found = let_out(secret, b'{"a":"' + encode(around[0] + secret + around[1]) + b'"}', cuts)
    assert found
    assert len(out) <= 6 + -(-len(around[0]) * 4 // 3)


@given(
    secret=strategies.sampled_from(SECRETS),
    data=strategies.one_of(strategies.binary(max_size=300), strategies.text("sk-tea01\n", max_size=60).map(str.encode)),
    cuts=CUTS,
)
def test_all_else_passes_unchanged(secret: bytes, data: bytes, cuts: list[int]) -> None:
    if not SEARCHED[secret].within(data):
        assert let_out(secret, data, cuts) == (data, False)


def test_an_event_is_not_held_for_the_next_one() -> None:
    scanner = echo.Scanner(SEARCHED[routed.SECRET])
    assert scanner.feed(b"data: sk-test\n\n") == b"data: sk-test\n\n"
    assert scanner.feed(b"data: sk-te") == b"data: "
    assert scanner.feed(b"nt\n\n") == b"sk-tent\n\n"


def test_nothing_is_let_out_behind_an_echo() -> None:
    scanner = echo.Scanner(SEARCHED[b"12345678"])
    assert (scanner.feed(b"a12345678b"), scanner.found) == (b"", True)
    assert (scanner.feed(b"c"), scanner.end()) == (b"", b"")


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_searched_for_shows_in_no_repr(secret: bytes) -> None:
    assert secret.decode() not in repr(SEARCHED[secret])
