"""Who began a moment of weakness, and how long the operator had to end it."""

from tests.chaos import judge
from tests.chaos.calm import Impediment
from tests.chaos.history import Change, Place
from tests.chaos.isolation import Rule
from tests.chaos.judge import Hand, Judge, Sentence
from tests.unit.chaos.test_isolation import GUARD, NAMESPACE, POLICY, QUOTA, RELEASE, sound


def court(*changes: Change) -> Judge:
    """Give a judge who saw a sound namespace come about, guard first and pods last, and then these changes."""
    made = Judge(RELEASE, frozenset({NAMESPACE}))
    for revision, (place, obj) in enumerate(sorted(sound().items(), key=order), start=1):
        made.take(Change(revision, 0.0, place, obj))
    assert made.moments() == []
    for change in changes:
        made.take(change)
    return made


def order(item: tuple[Place, object]) -> bool:
    return item[0][0] == "pods"


def removed(at: float) -> Change:
    return Change(100, at, GUARD, None)


def restored(at: float) -> Change:
    return Change(101, at, GUARD, sound()[GUARD])


def tried(*changes: Change, hand: Hand, busy: tuple[Impediment, ...] = ()) -> Sentence:
    (sentence,) = judge.sentences(court(*changes).moments(), hand=hand, impediments=busy, end=60.0)
    return sentence


OURS = Hand(removals=((GUARD, 9.9),))


def test_what_our_hand_began_and_the_operator_ended_in_time_is_excused() -> None:
    sentence = tried(removed(10), restored(12), hand=OURS)
    assert (sentence.ours, sentence.calm_seconds, sentence.guilty) == (True, 2.0, False)
    assert sentence.moment.weakness.rule is Rule.GUARDED


def test_what_nobody_of_ours_began_is_guilty_however_short() -> None:
    assert tried(removed(10), restored(10.001), hand=Hand()).guilty


def test_what_the_operator_ended_too_late_is_guilty() -> None:
    assert tried(removed(10), restored(15.5), hand=OURS).guilty


def test_what_is_never_ended_is_guilty() -> None:
    sentence = tried(removed(10), hand=OURS)
    assert (sentence.moment.until, sentence.calm_seconds, sentence.guilty) == (None, 50.0, True)


def test_the_deadline_starts_anew_when_a_leader_is_back() -> None:
    away = (Impediment("no leader", 11, 30),)
    assert not tried(removed(10), restored(34), hand=OURS, busy=away).guilty
    assert tried(removed(10), restored(36), hand=OURS, busy=away).guilty


def test_a_removal_is_ours_only_where_and_when_we_asked_for_it() -> None:
    elsewhere = Hand(removals=((("networkpolicies", "other", GUARD[2]), 9.9),))
    later = Hand(removals=((GUARD, 20.0),))
    whole = Hand(removals=((("namespaces", "", NAMESPACE), 9.0),))
    assert tried(removed(10), restored(12), hand=elsewhere).guilty
    assert tried(removed(10), restored(12), hand=later).guilty
    assert not tried(removed(10), restored(12), hand=whole).guilty


def test_an_edit_is_ours_by_its_revision() -> None:
    opened = Change(100, 10.0, GUARD, sound()[GUARD] | {"spec": {}})
    assert not tried(opened, restored(12), hand=Hand(revisions={100})).guilty
    assert tried(opened, restored(12), hand=Hand(revisions={99})).guilty


def narrowed(at: float) -> Change:
    policy = sound()[POLICY]
    return Change(100, at, POLICY, policy | {"spec": policy["spec"] | {"agent": {"image": "x", "replicas": 1}}})


def quota(at: float, pods: str) -> Change:
    stored = sound()[QUOTA]
    stored["spec"]["hard"]["pods"] = pods
    return Change(101, at, QUOTA, stored)


def verdicts(*changes: Change) -> dict[Rule, bool]:
    """Say of each rule that was broken whether the operator is guilty of it, where ours was the change of the spec."""
    found = judge.sentences(court(*changes).moments(), hand=Hand(revisions={100}), impediments=(), end=13.0)
    return {sentence.moment.weakness.rule: sentence.guilty for sentence in found}


def test_a_write_that_was_on_its_way_when_the_spec_changed_is_excused_for_a_while() -> None:
    first, *_ = (place for place in sorted(sound()) if place[0] == "pods")
    gone = [Change(98, 9.0, first, None), quota(9.0, "1")]
    assert verdicts(*gone, narrowed(10), quota(10.1, "2")) == {Rule.QUOTA: False}
    assert verdicts(*gone, narrowed(10), quota(10.1, "3")) == {Rule.QUOTA: True}
    assert verdicts(*gone, narrowed(1), quota(10.1, "2")) == {Rule.QUOTA: True}


def test_each_weakness_is_a_moment_of_its_own() -> None:
    stored = sound()
    first, second = (place for place in sorted(stored) if place[0] == "pods")
    bare = {place: stored[place] | {"metadata": {"name": place[2]}} for place in (first, second)}
    seen = court(Change(100, 10, first, bare[first]), Change(101, 11, second, bare[second]))
    subjects = {moment.weakness.subject for moment, _ in seen.moments() if moment.weakness.rule is Rule.SELECTED}
    assert subjects == {first[2], second[2]}
