"""Signed CONNECT heads: what the watchdog signs is taken, and every change to it is refused by its own rule."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_egress import signed_head
from zaum_gateway.core import credentials, nonces, sessions, signed
from zaum_watchdog.core import session

Rule = contract.Rule
NOW = 1_800_000_000
SOURCE = "10.0.0.1"
AUTHORITY = "docs.example.com:443"
WHO = credentials.Identity(namespace="agents", service_account="zaum-demo", pod="zaum-demo-0-abcde", uid="uid-1")
OLD, NEW = (sessions.Master(name, NOW - age, bytes([age % 251]) * 32) for name, age in (("a", 90_000), ("b", 4_000)))
MASTERS = sessions.Masters.of(OLD, NEW)


def granted(
    *, masters: sessions.Masters = MASTERS, source: str = SOURCE, now: float = NOW, until: float = NOW + 600
) -> sessions.Issued:
    issued = sessions.issue(masters, WHO, source=source, until=until, now=now)
    assert issued is not None
    return issued


def head(issued: sessions.Issued, *, authority: str = AUTHORITY, nonce: str = "n-1", created: int = NOW) -> list[str]:
    """What a watchdog writes, as header values."""
    document = documents.Session(issued.key_id, issued.key, issued.seconds, created)
    lines = session.Session(document, 0).headers(authority, nonce=nonce, now=0).decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line]


def judge(
    values: list[str],
    *,
    authority: str = AUTHORITY,
    source: str = SOURCE,
    masters: sessions.Masters = MASTERS,
    seen: nonces.Nonces | None = None,
    now: float = NOW,
) -> credentials.Identity | credentials.Invalid:
    input_, signature = values
    return signed.identity(
        input_,
        signature,
        authority=authority,
        source=source,
        masters=masters,
        seen=nonces.Nonces() if seen is None else seen,
        now=now,
    )


def refused(found: object) -> Rule:
    assert isinstance(found, credentials.Invalid), found
    assert found.problem
    return found.rule


def test_a_head_that_the_watchdog_signed_says_which_pod_speaks() -> None:
    assert judge(head(granted())) == WHO


@pytest.mark.parametrize("source", ["::ffff:10.0.0.1", "10.0.0.1"])
def test_an_address_is_the_same_however_it_is_written(source: str) -> None:
    assert judge(head(granted(source=source)), source="10.0.0.1") == WHO
    assert judge(head(granted(source="fd00::1")), source="FD00:0::1") == WHO


def test_i04_a_signature_is_good_once() -> None:
    seen, values = nonces.Nonces(), head(granted())
    assert judge(values, seen=seen) == WHO
    assert refused(judge(values, seen=seen)) is Rule.REPLAYED
    assert judge(head(granted(), nonce="n-2"), seen=seen) == WHO


@pytest.mark.parametrize(
    ("created", "rule"),
    [(NOW - 31, Rule.SIGNATURE_INVALID), (NOW + 31, Rule.SIGNATURE_INVALID), (NOW - 30, None), (NOW + 30, None)],
)
def test_i04_a_signature_is_good_for_thirty_seconds_either_way(created: int, rule: Rule | None) -> None:
    found = judge(head(granted(), created=created))
    assert found == WHO if rule is None else refused(found) is rule


def test_i04_a_signature_is_for_one_authority() -> None:
    assert refused(judge(head(granted()), authority="other.example.com:443")) is Rule.SIGNATURE_INVALID
    assert refused(judge(head(granted()), authority="docs.example.com:8443")) is Rule.SIGNATURE_INVALID
    assert refused(judge(head(granted()), authority="d\u00f6cs.example.com:443")) is Rule.SIGNATURE_INVALID


def test_i04_a_session_is_for_one_address() -> None:
    assert refused(judge(head(granted()), source="10.0.0.2")) is Rule.SOURCE_ADDRESS


def test_i04_a_session_ends() -> None:
    short = granted(until=NOW + 20)
    assert judge(head(short, created=NOW + 19), now=NOW + 19) == WHO
    assert refused(judge(head(short, created=NOW + 20), now=NOW + 20)) is Rule.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/uid-1/", "/uid-2/"),
        ("/agents/", "/others/"),
        ("zaum-demo-0-abcde", "zaum-demo-0-fffff"),
        ("/zaum-demo/", "/zaum-else/"),
        ("/10.0.0.1", "/10.0.0.2"),
        (f"/{NOW + 600}/", f"/{NOW + 6000}/"),
        ("1/b/", "1/a/"),
        ("1/b/", "1/c/"),
        ("1/b/", "2/b/"),
        ('"n-1"', '"n-2"'),
        (f"={NOW}", f"={NOW + 1}"),
        ('"@method" "@authority"', '"@authority"'),
        ('"@method" "@authority"', '"@authority" "@method"'),
        ("zaum=", "other="),
        ("keyid=", 'alg="hmac-sha256";keyid='),
    ],
)
def test_i04_an_edited_signature_input_is_refused(old: str, new: str) -> None:
    input_, signature = head(granted())
    assert old in input_
    assert refused(judge([input_.replace(old, new), signature])) is Rule.SIGNATURE_INVALID


def test_i04_a_key_that_was_not_derived_from_our_master_is_refused() -> None:
    forged = sessions.Masters.of(replace(NEW, key=b"x" * 32))
    assert refused(judge(head(granted(masters=forged)))) is Rule.SIGNATURE_INVALID
    strange = sessions.Masters.of(sessions.Master("zz", 0, b"x" * 32))
    assert refused(judge(head(granted(masters=strange)))) is Rule.SIGNATURE_INVALID


@pytest.mark.parametrize("signature", ["", "zaum=::", "zaum=:" + "A" * 43 + "=:", "zaum=:" + "A" * 44 + ":"])
def test_i04_another_signature_is_refused(signature: str) -> None:
    input_, good = head(granted())
    assert judge([input_, good]) == WHO
    assert refused(judge([input_, signature])) is Rule.SIGNATURE_INVALID
    assert refused(judge([input_, f"{good}, {good}"])) is Rule.SIGNATURE_INVALID


@given(st.text(max_size=200), st.text(max_size=100))
def test_garbage_is_refused_and_nothing_else(input_: str, signature: str) -> None:
    assert refused(judge([input_, signature])) is Rule.SIGNATURE_INVALID


@given(st.text(max_size=120))
def test_a_key_id_that_is_garbage_grants_nothing(key_id: str) -> None:
    assert sessions.Grant.read(key_id) is None


def test_every_replica_that_knows_the_master_knows_the_key() -> None:
    issued = granted()
    assert judge(head(issued), masters=sessions.Masters.of(NEW)) == WHO
    assert refused(judge(head(issued), masters=sessions.Masters.of(OLD))) is Rule.SIGNATURE_INVALID


def test_a_new_master_key_is_used_only_when_every_replica_has_it() -> None:
    fresh = sessions.Master("c", NOW, b"c" * 32)
    both = sessions.Masters.of(fresh, NEW)
    assert both.issuing(NOW + 299) == NEW
    assert both.issuing(NOW + 300) == fresh
    assert sessions.Masters.of(fresh).issuing(NOW) == fresh
    assert sessions.Masters({}).issuing(NOW) is None


def test_rotation_of_the_master_keys_leaves_sessions_as_they_are() -> None:
    issued = granted()
    rotated = sessions.Masters.of(sessions.Master("c", NOW, b"c" * 32), NEW)
    assert judge(head(issued), masters=rotated) == WHO


def test_a_session_ends_with_its_token_and_after_ten_minutes() -> None:
    assert granted(until=NOW + 100).seconds == 100
    assert granted(until=NOW + 9000).seconds == contract.TOKEN_SECONDS
    assert sessions.issue(MASTERS, WHO, source=SOURCE, until=NOW + 0.5, now=NOW) is None
    assert sessions.issue(sessions.Masters({}), WHO, source=SOURCE, until=NOW + 600, now=NOW) is None


@pytest.mark.parametrize("name", ["", "a/b", 'a"b', "a b", "x" * 254])
def test_a_name_that_a_key_id_cannot_carry_gets_no_session(name: str) -> None:
    for change in ("namespace", "pod", "uid", "service_account"):
        who = replace(WHO, **{change: name})  # type: ignore[arg-type]
        assert sessions.issue(MASTERS, who, source=SOURCE, until=NOW + 600, now=NOW) is None
    assert sessions.issue(MASTERS, WHO, source="no address", until=NOW + 600, now=NOW) is None


@pytest.mark.parametrize("text", ["", "b", f"b 5 {'0' * 63}", f"B 5 {'0' * 64}", f"b x {'0' * 64}", f"b 5 {'0' * 65}"])
def test_a_master_key_that_is_none_is_not_read(text: str) -> None:
    assert sessions.Master.read(text) is None
    assert sessions.Master.read(f"b 5 {'01' * 32}\n") == sessions.Master("b", 5, b"\1" * 32)


def test_keys_are_not_in_what_is_printed() -> None:
    issued = granted()
    document = documents.Session(issued.key_id, issued.key, issued.seconds, NOW)
    for thing in (NEW, MASTERS, issued, document, session.Session(document, 0)):
        assert repr(issued.key) not in repr(thing)
        assert repr(NEW.key) not in repr(thing)


def test_nonces_are_remembered_as_long_as_they_could_be_used_again() -> None:
    seen = nonces.Nonces()
    assert seen.take("u", "n", NOW) is nonces.Taken.FRESH
    for later in (0, 59, 60, 61, 119):
        assert seen.take("u", "n", NOW + later) is nonces.Taken.SEEN
    assert seen.take("other", "n", NOW + 119) is nonces.Taken.FRESH
    assert seen.take("u", "n", NOW + 180) is nonces.Taken.FRESH


def test_nonces_are_forgotten_after_a_quiet_time() -> None:
    seen = nonces.Nonces()
    seen.take("u", "n", NOW)
    assert seen.take("u", "m", NOW + 500) is nonces.Taken.FRESH
    assert len(seen) == 1


def test_i04_what_cannot_be_remembered_does_not_count() -> None:
    seen = nonces.Nonces(most=2)
    values = [head(granted(), nonce=f"n-{number}") for number in range(3)]
    assert [judge(value, seen=seen) for value in values[:2]] == [WHO, WHO]
    assert refused(judge(values[2], seen=seen)) is Rule.GATEWAY_UNAVAILABLE
    assert len(seen) == 2


def test_whoever_has_no_key_fills_no_memory() -> None:
    seen = nonces.Nonces()
    input_, _ = head(granted())
    judge([input_, "zaum=:" + "A" * 43 + "=:"], seen=seen)
    assert len(seen) == 0


def test_the_signature_is_hmac_over_the_base_of_rfc_9421() -> None:
    said = signed_head.parameters(created=1, nonce="n", key_id="k")
    assert said == '("@method" "@authority");created=1;nonce="n";keyid="k"'
    # openssl dgst -sha256 -mac HMAC -macopt key:key over the three lines of the base
    assert signed_head.sign(b"key", "a.example:443", said).hex() == KNOWN


KNOWN = "ce0cd96454479a4bd395be7d0486a16e48c8d004e6d472c272cba204e55240bf"


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        ({"now": NOW + 700}, WHO.uid),
        ({"now": NOW + 40}, WHO.uid),
        ({"masters": sessions.Masters({})}, WHO.uid),
        ({"source": "10.0.0.2"}, WHO.uid),
        ({"authority": "outlaw.example.net:443"}, ""),
    ],
)
def test_what_a_watchdog_may_come_to_sign_by_itself_keeps_its_owner(change: dict[str, Any], owner: str) -> None:
    found = judge(head(granted()), **change)
    assert isinstance(found, credentials.Invalid)
    assert found.owner == owner


def test_a_replayed_head_keeps_its_owner_and_words_that_are_none_have_none() -> None:
    seen, values = nonces.Nonces(), head(granted())
    judge(values, seen=seen)
    for found, owner in ((judge(values, seen=seen), WHO.uid), (judge(["x", "y"]), "")):
        assert isinstance(found, credentials.Invalid)
        assert found.owner == owner
