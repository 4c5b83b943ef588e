"""Fuzzing itself: a defect is found and told, the same seed gives the same, and its controls pass."""

import dataclasses

import pytest
from hypothesis import strategies as st

from tests.fuzz import hello, messages, run, signed, target
from zaum_egress import client_hello
from zaum_gateway import signatures
from zaum_watchdog.core import requests

BY_NAME = {fuzzed.name: fuzzed for fuzzed in run.TARGETS}


def planted(found: list[bytes]) -> target.Target:
    def check(data: bytes) -> None:
        found.append(data)
        if b"%2f" in data:
            raise ValueError("a planted defect")

    return target.Target("planted", check, (b"/a/b",), (b"%2f", b"/"), st.binary(max_size=4))


def test_a_defect_is_told_with_the_input_that_shows_it() -> None:
    count, failure = run.batch(planted([]), seed=1, number=0, count=2000)
    assert failure is not None
    assert b"%2f" in failure.data
    assert failure.data.hex() in str(failure)
    assert "a planted defect" in str(failure)
    assert count <= 2000


def test_a_defect_that_only_structure_shows_is_told_at_its_smallest() -> None:
    def check(data: bytes) -> None:
        assert not data.startswith(b"drawn")

    drawn = st.binary(max_size=9).map(lambda tail: b"drawn" + tail)
    _, failure = run.batch(target.Target("planted", check, (b"a",), (b"b",), drawn), seed=1, number=0, count=100)
    assert failure is not None
    assert failure.data == b"drawn"


def test_the_same_seed_gives_the_same_cases_and_another_one_others() -> None:
    seen: list[list[bytes]] = [[], [], []]
    for found, seed in zip(seen, (1, 1, 2), strict=True):
        run.batch(dataclasses.replace(planted(found), words=(b"a",)), seed=seed, number=3, count=200)
    assert seen[0] == seen[1] != seen[2]


def test_a_million_cases_begin_well() -> None:
    assert run.run(seed=5, cases=22_000)[1] == []


def test_exactly_as_many_cases_are_run_as_were_asked_for() -> None:
    counts, failures = run.run(seed=3, cases=2750)
    assert (sum(counts.values()), failures) == (2750, [])


@pytest.mark.parametrize("name", BY_NAME)
def test_every_seed_stands(name: str) -> None:
    for seed in BY_NAME[name].seeds:
        BY_NAME[name].check(seed)


def test_what_the_checks_look_into_is_really_reached() -> None:
    """Each check says most of what is taken, so its control is an input that is."""
    assert hello.names(BY_NAME["client hello"].seeds[0]) == [hello.HOST]
    assert client_hello.Reader(hello.HOST).feed(BY_NAME["client hello"].seeds[0]) is client_hello.ACCEPTED
    assert requests.end_of_head(BY_NAME["route heads"].seeds[0]) == len(BY_NAME["route heads"].seeds[0])
    assert not isinstance(signatures.claims(signed.TOKEN.decode(), signed.known()), signatures.UnknownKey)
    assert messages.SECRET in BY_NAME["credentials in answers"].seeds[0]


@pytest.mark.parametrize(
    ("name", "place", "attribute", "broken"),
    [
        ("paths", "zaum_watchdog.core.paths", "_DOTS", frozenset[str]()),
        ("hosts", "zaum_egress.hosts", "_in_cluster", lambda *_: None),
        ("addresses", "zaum_egress.addresses", "embedded", lambda _: ()),
        ("client hello", "zaum_egress.client_hello", "_server_name", lambda _: hello.HOST.encode()),
        ("route heads", "zaum_watchdog.core.headers", "REQUEST_DROPPED_PREFIXES", ()),
        ("credentials in answers", "zaum_watchdog.core.echo", "Searched.beginning", lambda *_: 0),
        ("signed heads", "zaum_egress.signed_head", "verifies", lambda *_: True),
    ],
)
def test_a_guard_that_is_missing_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, place: str, attribute: str, broken: object
) -> None:
    monkeypatch.setattr(f"{place}.{attribute}", broken)
    failures = [run.batch(BY_NAME[name], seed=1, number=number, count=500)[1] for number in range(6)]
    assert any(failures)
