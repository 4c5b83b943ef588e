"""What authorizers hold: read, merged, and how long a word counts."""

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.world import START
from zaum_api import contract, documents
from zaum_api.reading import DocumentError
from zaum_operator.core import peers, reports, usage
from zaum_operator.core.keys import Key
from zaum_operator.core.reports import Batch, Held
from zaum_operator.core.snapshot import Contact
from zaum_operator.core.usage import Usage

KEY = Key("agents", "re-searcher")
POD = "zaum-re-searcher-0-0a1b2"
AT = int(START.timestamp())
ESCAPE = documents.Escape("metadata", "169.254.169.254:80", "connected")


def report(**fields: Any) -> documents.Report:
    quiet: dict[str, Any] = {"config": "", "problem": "", "tested": 3, "escapes": (), "requests": 0, "denied": 0}
    return documents.Report(**{**quiet, "would_deny": 0, **fields})


def entry(at: int = AT, pod: str = POD, **fields: Any) -> dict[str, Any]:
    return {"at": at, "namespace": "agents", "pod": pod, "report": report(**fields).write()}


def contact(at: int = AT, rule: str = "identity.tokenMissing", pod: str = POD) -> dict[str, Any]:
    return {"uid": "u", "namespace": "agents", "pod": pod, "rule": rule, "at": at}


def body(said: dict[str, Any] | None = None, contacts: dict[str, Any] | None = None) -> bytes:
    return json.dumps({"reports": said or {}, "contacts": contacts or {}}).encode()


def batch(*args: Any) -> Batch:
    return reports.parse(body(*args))


def take(held: Held, *batches: Batch, after: float = 0) -> set[Key]:
    return held.take(batches, now=START + timedelta(seconds=after), seconds=after)


def test_an_answer_is_read_by_uid_and_its_pods_name_says_whose_it_is() -> None:
    found = batch({"u": entry(requests=7)}, {"v": contact()})
    assert (found.said["u"].key, found.said["u"].at, found.said["u"].report.requests) == (KEY, AT, 7)
    assert found.contacts["v"] == (KEY, Contact("identity.tokenMissing", AT))
    assert found.unreadable == 0


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"reports": {}}', b'{"reports": [], "contacts": {}}', b'{"reports": {}, "contacts": 1}'],
)  # fmt: skip
def test_what_is_no_answer_is_refused_whole(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        reports.parse(raw)


@pytest.mark.parametrize(
    "strange",
    [
        None, {}, entry(at=-1), entry() | {"at": 1.5}, entry() | {"namespace": ""}, entry(pod="researcher-0-0a1b2"),
        entry(pod="zaum-0-0a1b2"), entry(pod="zaum-x-y-0a1b2"), entry(pod="zaum-x-0-"), entry() | {"report": None},
        entry() | {"report": report().write() | {"version": "v9"}},
    ],
)  # fmt: skip
def test_an_entry_that_is_none_harms_no_other(strange: Any) -> None:
    found = batch({"bad": strange, "good": entry()}, {"worse": strange, "good": contact()})
    assert (set(found.said), set(found.contacts)) == ({"good"}, {"good"})
    assert found.unreadable == 2


def test_what_a_later_release_says_beside_it_is_left_alone() -> None:
    assert set(batch({"u": entry() | {"node": "n"}}, {"u": contact() | {"node": "n"}}).said) == {"u"}


def test_of_several_authorizers_the_newest_word_counts_in_any_order() -> None:
    found = [batch({"u": entry(AT + at, tested=1 + at)}) for at in (0, 2, 1)]
    for order in itertools.permutations(found):
        held = Held()
        assert take(held, *order) == {KEY}
        assert held.reports(["u"])["u"].report.tested == 3


@given(st.lists(st.tuples(st.sampled_from("uv"), st.integers(0, 3), st.integers(0, 3)), max_size=6), st.randoms())
def test_merging_does_not_depend_on_the_order_of_answers(said: list[tuple[str, int, int]], random: Any) -> None:
    found = [batch({uid: entry(AT + at, requests=count)}) for uid, at, count in said]
    mixed = list(found)
    random.shuffle(mixed)
    one, other = Held(), Held()
    assert take(one, *found) == take(other, *mixed)
    assert one.reports("uv") == other.reports("uv")


def test_an_older_word_never_replaces_a_newer_one() -> None:
    held = Held()
    take(held, batch({"u": entry(AT, escapes=(ESCAPE,))}))
    assert take(held, batch({"u": entry(AT - 5)}), after=5) == set()
    assert held.reports(["u"])["u"].report.escapes == (ESCAPE,)


def test_two_words_within_a_second_are_both_heard() -> None:
    held = Held()
    take(held, batch({"u": entry(tested=0)}))
    assert take(held, batch({"u": entry(tested=3)}), after=1) == {KEY}
    assert held.reports(["u"])["u"].report.tested == 3


def test_only_what_is_acted_on_makes_a_policy_due() -> None:
    held = Held()
    assert take(held, batch({"u": entry(tested=0)})) == {KEY}
    assert take(held, batch({"u": entry(AT + 5, tested=0)}), after=5) == set()
    assert take(held, batch({"u": entry(AT + 10, tested=3)}), after=10) == {KEY}
    assert take(held, batch({"u": entry(AT + 15, tested=4, config="other")}), after=15) == set()
    assert take(held, batch({"u": entry(AT + 20, escapes=(ESCAPE,))}), after=20) == {KEY}
    assert take(held, batch({"u": entry(AT + 25, escapes=(ESCAPE,), missing=("model",))}), after=25) == {KEY}
    assert take(held, batch({"u": entry(AT + 30, missing=("model",), problem="x")}), after=30) == {KEY}


def test_a_word_that_is_not_renewed_for_three_periods_is_unknown_and_the_policy_is_told() -> None:
    held = Held()
    said = batch({"u": entry()})
    take(held, said)
    for after in range(5, 46, 5):
        assert take(held, said, after=after) == set(), "one lost poll, or nine, change nothing"
        assert len(held) == 1
    assert take(held, said, after=50) == {KEY}
    assert held.reports(["u"]) == {}
    assert len(held) == 0
    assert take(held, said, after=55) == set()
    assert take(held, batch({"u": entry(AT + 60)}), after=60) == {KEY}
    assert set(held.reports(["u"])) == {"u"}


def test_it_grows_old_too_while_no_authorizer_answers() -> None:
    held = Held()
    take(held, batch({"u": entry()}))
    assert take(held, after=40) == set()
    assert take(held, after=46) == {KEY}


@pytest.mark.parametrize(("age", "known"), [(0, True), (75, True), (76, False), (-3600, True)])
def test_what_an_authorizer_holds_from_long_ago_is_not_new_to_a_new_operator(age: int, known: bool) -> None:
    held = Held()
    take(held, batch({"u": entry(AT - age)}))
    assert bool(held.reports(["u"])) is known


def test_an_authorizer_whose_clock_went_back_is_heard_again_once_the_old_word_counts_no_more() -> None:
    held = Held()
    take(held, batch({"u": entry(AT + 20)}))
    assert take(held, batch({"u": entry(AT)}), after=5) == set()
    take(held, batch({"u": entry(AT)}), after=60)
    assert take(held, batch({"u": entry(AT + 5)}), after=65) == {KEY}


def test_a_pod_that_is_gone_is_forgotten() -> None:
    held = Held()
    take(held, batch({"u": entry()}, {"u": contact()}))
    assert held.usage(KEY) == Usage(0, 0, 0)
    assert take(held, after=46) == {KEY}
    assert take(held, after=601) == set()
    assert (held.reports(["u"]), held.contacts(["u"]), held.usage(KEY)) == ({}, {}, None)


def test_a_contact_makes_its_policy_due_once_and_the_first_one_stays() -> None:
    held = Held()
    first = batch({}, {"u": contact()})
    assert take(held, first) == {KEY}
    assert take(held, first, batch({}, {"u": contact(AT + 9, rule="identity.tokenInvalid")}), after=5) == set()
    assert held.contacts(["u", "v"]) == {"u": Contact("identity.tokenMissing", AT)}
    assert take(held, after=10) == set()
    assert set(held.contacts(["u"])) == {"u"}, "an authorizer that is silent takes nothing back"


def test_counts_are_added_up_and_said_by_a_tenth_and_no_more_than_every_fifteen_seconds() -> None:
    held = Held()

    def count(after: int, one: int, other: int) -> Usage | None:
        both = {"u": entry(AT + after, requests=one), "v": entry(AT + after, requests=other)}
        changed = take(held, batch(both), after=after)
        said = held.usage(KEY)
        assert (changed == {KEY}) is (after == 0 or moved != said)
        return said

    moved = None
    moved = count(0, 50, 50)
    assert moved == Usage(100, 0, 0)
    assert count(5, 100, 100) == Usage(100, 0, 0), "too soon"
    moved = None
    assert count(15, 100, 100) == Usage(200, 0, 0)
    moved = held.usage(KEY)
    assert count(30, 110, 109) == Usage(200, 0, 0), "less than a tenth"
    moved = None
    assert count(31, 110, 110) == Usage(220, 0, 0)


@pytest.mark.parametrize(
    ("before", "now", "step"),
    [(0, 0, False), (0, 1, True), (1, 2, True), (10, 11, True), (100, 109, False), (100, 110, True), (100, 90, True),
     (100, 91, False), (5, 0, True)],
)  # fmt: skip
def test_a_step_is_a_tenth_either_way(before: int, now: int, step: bool) -> None:
    for place in range(3):
        one, other = [7, 7, 7], [7, 7, 7]
        one[place], other[place] = before, now
        assert usage.is_a_step(Usage(*one), Usage(*other)) is step


def pod(**over: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "authorizer"}
    made: dict[str, Any] = {"metadata": {"labels": labels}, "status": {"phase": "Running", "podIP": "10.0.0.1"}}
    return {part: made[part] | over.get(part, {}) for part in made}


@pytest.mark.parametrize(
    ("one", "asked"),
    [
        (pod(), True),
        (pod(status={"phase": "Pending"}), False),
        (pod(status={"podIP": ""}), False),
        (pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), False),
        (pod(metadata={"labels": {"app.kubernetes.io/component": "authorizer"}}), False),
        (pod(metadata={"labels": {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "gateway"}}), False),
        ({"metadata": {}}, False),
    ],
)  # fmt: skip
def test_only_authorizers_of_ours_that_run_are_asked(one: dict[str, Any], asked: bool) -> None:
    assert peers.addresses([one], contract.COMPONENT_AUTHORIZER) == (("10.0.0.1",) if asked else ())
