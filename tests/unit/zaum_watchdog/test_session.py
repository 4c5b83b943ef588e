"""When a session is asked for, signed with, renewed, given up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents, reading
from zaum_watchdog.core import gateway_answer, session, session_answer
from zaum_watchdog.core.session import SECOND

Rule = contract.Rule
T0 = 1_000 * SECOND
GIVEN = documents.Session("1/m/id", b"k" * 32, 600, 5_000)
HELD = session.State().asked().given(GIVEN, T0)


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_the_first_session_is_asked_for_at_once_and_once() -> None:
    assert session.State().due(0)
    assert not session.State().asked().due(10**18)


def test_a_session_is_used_until_shortly_before_its_end() -> None:
    assert HELD.usable(T0) is HELD.session
    assert HELD.usable(T0 + 597 * SECOND) is HELD.session
    assert HELD.usable(T0 + 598 * SECOND) is None
    assert session.State().usable(T0) is None


def test_the_next_one_is_asked_for_at_two_thirds_of_its_life() -> None:
    assert not HELD.due(T0 + 399 * SECOND)
    assert HELD.due(T0 + 400 * SECOND)


def test_a_session_stays_in_use_while_the_next_is_asked_for_and_when_it_is_refused() -> None:
    later = T0 + 400 * SECOND
    for state in (HELD.asked(), HELD.asked().failed(later, None), HELD.asked().failed(later, Rule.POD_UNKNOWN)):
        assert state.usable(later) is HELD.session


def test_questions_without_an_answer_come_less_and_less_often() -> None:
    state, now, pauses = session.State(), T0, []
    for _ in range(8):
        state = state.asked().failed(now, None)
        pauses.append((state.next_at - now) / SECOND)
        now = state.next_at
    assert pauses == [0.5, 1, 2, 4, 8, 15, 15, 15]
    assert state.given(GIVEN, now).failed(now, None).next_at == now + SECOND // 2


def test_tunnels_end_with_the_session_only_where_the_next_was_refused_for_good() -> None:
    end = T0 + 600 * SECOND
    for rule in session.FINAL:
        state = HELD.asked().failed(T0, rule)
        assert state.over(end - 1) is None
        assert state.over(end) is rule
        assert state.failed(T0, None).over(end) is rule
        assert state.given(GIVEN, end).over(end) is None
    for passing in (None, Rule.GATEWAY_UNAVAILABLE, Rule.TOKEN_INVALID, Rule.SOURCE_ADDRESS):
        assert HELD.asked().failed(T0, passing).over(end) is None
    assert session.State().failed(T0, Rule.POD_UNKNOWN).over(end) is None


def test_a_session_that_the_gateway_does_not_know_is_asked_for_anew() -> None:
    lost = HELD.unknown(GIVEN.key_id, T0 + SECOND)
    assert lost.usable(T0 + SECOND) is None
    assert lost.due(T0 + SECOND)
    assert lost.session is HELD.session
    assert lost.unknown(GIVEN.key_id, T0 + 2 * SECOND) is lost
    assert lost.given(GIVEN, T0 + SECOND).usable(T0 + SECOND) is not None


def test_a_session_that_came_since_is_not_given_up_for_the_one_before() -> None:
    assert HELD.unknown("1/m/before", T0) is HELD
    assert session.State().unknown("1/m/id", T0) == session.State()


def test_heads_are_dated_by_the_authorizers_clock() -> None:
    held = HELD.session
    assert held is not None
    assert b"created=5000;" in held.headers("a.example:443", nonce="n", now=T0)
    assert b"created=5042;" in held.headers("a.example:443", nonce="n", now=T0 + 42 * SECOND + 1)


def test_an_answer_is_read_when_it_is_whole() -> None:
    raw = answer(GIVEN.dump())
    assert session_answer.read(raw) == GIVEN
    assert all(session_answer.read(raw[:cut]) is None for cut in range(len(raw)))


@pytest.mark.parametrize(
    "raw",
    [
        answer(b"{}"),
        answer(GIVEN.dump(), status="204 No Content"),
        answer(b""),
        answer(GIVEN.dump()) + b"more",
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"x" * (gateway_answer.HEAD_MAX + 1),
    ],
)
def test_an_answer_that_is_none_is_an_outage(raw: bytes) -> None:
    assert session_answer.read(raw) == gateway_answer.BROKEN


def test_a_refusal_says_its_rule() -> None:
    refused = session_answer.read(answer(b"{}", status="403 Forbidden", headers="x-zaum-rule: identity.podUnknown\r\n"))
    assert isinstance(refused, gateway_answer.Declined)
    assert refused.rule is Rule.POD_UNKNOWN


@given(st.binary(max_size=300))
def test_garbage_is_no_session(raw: bytes) -> None:
    assert not isinstance(session_answer.read(raw), documents.Session)


WHOLE = json.loads(GIVEN.dump())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": "v2"}, "version"),
        ({"keyId": ""}, "keyId"),
        ({"keyId": 'a"b'}, "keyId"),
        ({"keyId": "a\r\nb"}, "keyId"),
        ({"keyId": "x" * 1025}, "keyId"),
        ({"key": "eA=="}, "key"),
        ({"key": "!"}, "key"),
        ({"key": None}, "key"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 86_401}, "seconds"),
        ({"now": -1}, "now"),
        ({"more": 1}, "more"),
    ],
)
def test_a_session_that_is_not_understood_is_refused_and_its_key_not_repeated(
    change: dict[str, object], place: str
) -> None:
    assert documents.Session.parse(GIVEN.dump()) == GIVEN
    with pytest.raises(reading.DocumentError) as refused:
        documents.Session.parse(json.dumps(WHOLE | change).encode())
    assert refused.value.place == place
    assert WHOLE["key"] not in str(refused.value)


def test_a_session_answer_is_bounded() -> None:
    with pytest.raises(reading.DocumentError, match="larger"):
        documents.Session.parse(b" " * 5000)
