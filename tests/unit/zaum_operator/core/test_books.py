"""What the ledger says of all policies: held, handed on in steps, and how long a word counts."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_operator.core import books, budgets, peers
from zaum_operator.core.books import Held, Word
from zaum_operator.core.keys import Key

KEY = Key("agents", "researcher")
LIMIT = 1_000_000


def kept(used: int = 0, *, name: str = "researcher", pods: int = 1) -> documents.PolicyUsage:
    meter = documents.Used("policy:cost/day", used, LIMIT, 9)
    return documents.PolicyUsage("agents", name, pods, 0, (meter,), documents.Counters())


def pod(component: str = "ledger", ip: str = "10.0.0.1", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": component}
    return {"metadata": {"labels": labels} | metadata, "status": {"phase": phase, "podIP": ip}}


def test_the_ledgers_pods_that_run_are_asked_and_nobody_else() -> None:
    others = [
        pod("authorizer", "10.0.0.9"), pod(ip=""), pod(ip="10.0.0.8", phase="Pending"),
        pod(ip="10.0.0.7", deletionTimestamp="now"), pod(ip="10.0.0.6", labels={"app.kubernetes.io/name": "other"}),
        {"metadata": {}},
    ]  # fmt: skip
    assert peers.addresses([pod(ip="fd00::2"), *others, pod()], contract.COMPONENT_LEDGER) == ("10.0.0.1", "fd00::2")


def test_before_the_ledger_has_spoken_nothing_is_known() -> None:
    held = Held()
    assert (held.of(KEY), held.word, len(held)) == (None, Word.AWAITED, 0)
    assert held.take(None, seconds=0) == set()
    assert held.of(KEY) is None


def test_a_ledger_that_never_answers_is_awaited_for_forty_five_seconds() -> None:
    held = Held()
    for seconds, word in ((100, Word.AWAITED), (145, Word.AWAITED), (145.1, Word.SILENT), (200, Word.SILENT)):
        held.take(None, seconds=seconds)
        assert held.word is word


def test_what_it_says_is_handed_on_and_a_policy_it_leaves_out_has_spent_nothing() -> None:
    held = Held()
    assert held.take([kept(5)], seconds=0) == {KEY}
    assert (held.of(KEY), held.word, len(held)) == (kept(5), Word.KNOWN, 1)
    assert held.of(Key("agents", "other")) == books.nothing(Key("agents", "other"))


def test_a_small_change_is_not_handed_on_and_adds_up_to_a_step() -> None:
    held = Held()
    held.take([kept(0)], seconds=0)
    assert held.take([kept(LIMIT // 10 - 1)], seconds=100) == set()
    assert held.of(KEY) == kept(0)
    assert held.take([kept(LIMIT // 10)], seconds=200) == {KEY}
    assert held.of(KEY) == kept(LIMIT // 10)


def test_two_steps_are_fifteen_seconds_apart() -> None:
    held = Held()
    held.take([kept(0)], seconds=0)
    assert held.take([kept(LIMIT)], seconds=14.9) == set()
    assert held.take([kept(LIMIT)], seconds=15) == {KEY}


def test_kills_are_as_they_were_heard_last_although_nothing_is_handed_on() -> None:
    held = Held()
    held.take([kept(5)], seconds=0)
    for seconds, kills in ((1, 2), (2, 0)):
        assert held.take([replace(kept(6), kills=kills)], seconds=seconds) == set()
        assert held.of(KEY) == replace(kept(5), kills=kills)


def test_kills_before_a_release_are_forgiven_in_what_was_asked_after_the_ledger_had_heard_of_it() -> None:
    held = Held()
    held.take([kept()], seconds=10, asked=9)
    held.released(KEY, "one", seconds=9.5)
    assert held.forgiven(KEY) == set()
    held.take(None, seconds=15, asked=14)
    assert held.forgiven(KEY) == set(), "nobody answered"
    held.take([kept()], seconds=20, asked=19)
    assert held.forgiven(KEY) == {"one"}
    held.released(KEY, "one", seconds=30)
    assert held.forgiven(KEY) == {"one"}, "it forgives once"
    assert held.forgiven(Key("agents", "other")) == set()
    held.released(KEY, "two", seconds=30 + books.FORGIVEN_AFTER)
    held.take([kept()], seconds=32 + books.FORGIVEN_AFTER)
    assert held.forgiven(KEY) == {"two"}
    held.take(None, seconds=40 + 2 * books.FORGIVEN_AFTER)
    assert not held._released, "nobody asks for them any more"


@pytest.mark.parametrize(("before", "now"), [(1, 0), (0, 1)])
def test_pods_that_speak_no_more_and_those_that_speak_again_are_a_step(before: int, now: int) -> None:
    held = Held()
    held.take([kept(pods=before)], seconds=0)
    assert held.take([kept(pods=now)], seconds=20) == {KEY}
    assert budgets.is_a_step(kept(pods=2), kept(pods=3)) is False, "how many does not count"


def test_an_account_that_is_gone_is_handed_on() -> None:
    held = Held()
    held.take([kept(5), kept(5, name="other")], seconds=0)
    assert held.take([kept(5, name="other")], seconds=1) == {KEY}
    assert held.of(KEY) == books.nothing(KEY)


def test_a_silent_ledgers_word_counts_for_forty_five_seconds() -> None:
    held = Held()
    held.take([kept(5)], seconds=0)
    assert held.take(None, seconds=45) == set()
    assert held.of(KEY) == kept(5)
    assert held.take(None, seconds=45.1) == {KEY}
    assert (held.of(KEY), held.word) == (None, Word.SILENT)
    assert held.take(None, seconds=60) == set(), "said once"
    assert held.take([kept(6)], seconds=61) == {KEY}, "at once when it speaks again"


def test_a_silent_ledger_of_which_no_pod_runs_is_missing() -> None:
    held, words = Held(), list[Word]()
    for seconds, runs in ((0, False), (45, False), (46, False), (51, True)):
        held.take(None, seconds=seconds, runs=runs)
        words.append(held.word)
    assert words == [Word.AWAITED, Word.AWAITED, Word.MISSING, Word.SILENT], "it may yet start, and did"
    held.take([kept(5)], seconds=56)
    assert (held.of(KEY), held.word) == (kept(5), Word.KNOWN)


@given(st.lists(st.tuples(st.floats(0.1, 30), st.none() | st.integers(0, 2 * LIMIT)), max_size=30))
def test_what_is_held_is_never_more_than_a_step_from_what_was_heard_fifteen_seconds_ago(
    turns: list[tuple[float, int | None]],
) -> None:
    held, now, heard = Held(), 0.0, list[tuple[float, int]]()
    for passed, used in turns:
        now += passed
        held.take(None if used is None else [kept(used)], seconds=now)
        if used is not None:
            heard.append((now, used))
        said = held.of(KEY)
        assert (said is None) is (not heard or now - heard[-1][0] > books.UNKNOWN_AFTER)
        if said is not None and used is not None and all(at < now - 30 or each == used for at, each in heard):
            assert not budgets.is_a_step(said, kept(used))
