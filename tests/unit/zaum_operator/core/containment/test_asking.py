"""What authorizers are asked and for how long their word counts; orders for the ledger."""

from datetime import UTC, datetime, timedelta

from tests.support import scenes
from tests.support.scenes import dead, made, pod, replica, true
from tests.support.world import NAMESPACE, START
from zaum_api import documents
from zaum_api.documents import orders
from zaum_operator.core.containment import asking, ordering, rule, view
from zaum_operator.core.containment.asking import Asking
from zaum_operator.core.containment.incident import Ref
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Snapshot

KEY = Key(NAMESPACE, "researcher")


def asked(there: str = "u1", *, at: float = 0.0) -> Asking:
    found = Asking(replicas=("a1", "a2"))
    assert found.put(KEY, [made()], gone=[Ref("p0", "u0"), Ref("p9")], there=[Ref("p1", there)], at=at)
    return found


def seen() -> documents.Seen:
    said = replica().seen
    assert said is not None
    return said


def test_the_same_question_is_put_once_and_another_one_is_news() -> None:
    found = asked()
    (question,) = found.pending().values()
    assert question.incidents == ((NAMESPACE, "researcher-1"),)
    assert question.pods == ("u0", "u1")
    same = {"gone": [Ref("p0", "u0")], "there": [Ref("p1", "u1")]}
    assert not found.put(KEY, [made()], **same, at=1.0)
    assert found.put(KEY, [made()], gone=[], there=[], at=1.0)
    assert not found.put(KEY, [], gone=[], there=[], at=1.0)
    assert found.pending() == {}


def test_an_answer_counts_for_its_question_and_not_for_long() -> None:
    found = asked()
    (question,) = found.pending().values()
    assert found.take(KEY, "a1", question, seen(), at=1.0)
    assert not found.take(KEY, "a1", question, seen(), at=2.0), "nothing new"
    assert [item.seen is not None for item in found.sight(KEY, at=2.0).replicas] == [True, False]
    assert found.sight(KEY, at=5.0).replicas[0].age == 3.0
    assert [item.seen for item in found.sight(KEY, at=13.0).replicas] == [None, None]
    assert found.put(KEY, [made("researcher-2")], gone=[], there=[], at=3.0)
    assert [item.seen for item in found.sight(KEY, at=3.0).replicas] == [None, None]
    found.drop(KEY)
    assert [item.seen for item in found.sight(KEY, at=3.0).replicas] == [None, None]


def test_how_long_a_pod_is_gone_is_counted_from_when_it_was_first_missed_and_anew_when_it_is_back() -> None:
    found = asked(at=10.0)
    assert found.sight(KEY, at=15.0).gone_for == {"u0": 5.0}
    found.put(KEY, [made()], gone=[], there=[Ref("p0", "u0")], at=16.0)
    found.put(KEY, [made()], gone=[Ref("p0", "u0")], there=[], at=20.0)
    assert found.sight(KEY, at=21.0).gone_for == {"u0": 1.0}
    found.drop(KEY)
    assert found.sight(KEY, at=21.0).gone_for == {}


def test_nothing_is_remembered_of_what_nobody_asks_any_more() -> None:
    fresh, found = Asking(replicas=("a1", "a2")), asked()
    (question,) = found.pending().values()
    found.take(KEY, "a1", question, seen(), at=1.0)
    found.put(KEY, [made("researcher-2")], gone=[Ref("p2", "u2")], there=[], at=2.0)
    assert found.sight(KEY, at=3.0).gone_for == {"u2": 1.0}, "what was missed under another question is of no use"
    found.put(KEY, [], gone=[Ref("p2", "u2")], there=[], at=3.0)
    assert not found.take(KEY, "a2", question, seen(), at=3.5), "this answer was under way when nobody asked any more"
    assert found == fresh


def test_a_pod_that_is_gone_is_counted_for_its_own_policy() -> None:
    found, other = asked(), Key(NAMESPACE, "other")
    found.put(other, [made("other-1")], gone=[Ref("p2", "u2")], there=[], at=1.0)
    assert found.sight(other, at=3.0).gone_for == {"u2": 2.0}
    found.drop(other)
    assert found.sight(KEY, at=3.0).gone_for == {"u0": 3.0}


def test_what_is_new_is_asked_often_and_what_stays_seldom() -> None:
    assert Asking().pause(0.0) is None
    assert (asked().pause(1.0), asked().pause(100.0)) == (asking.SOON_SECONDS, asking.LATER_SECONDS)


def test_a_question_is_cut_into_parts_and_the_least_of_the_answers_holds() -> None:
    uids = tuple(f"u{number}" for number in range(100))
    parts = asking.Question((("ns", "one"),), uids).parts()
    assert [(len(part.incidents), len(part.pods)) for part in parts] == [(1, 64), (0, 36)]
    assert len(asking.Question((), ()).parts()) == 1
    other = documents.Seen(ready=False, listed=7, degraded="no list")
    joined = asking.joined([seen(), other])
    assert (joined.ready, joined.listed, joined.degraded, len(joined.incidents)) == (False, 7, "no list", 1)


def ordered(*there: Object, incidents_: tuple[Object, ...], now: datetime = START) -> list[tuple[str, str]]:
    snapshot = Snapshot(KEY, None, (), None, None, None, None, there, None, incidents=incidents_)
    found = ordering.of(view.of(snapshot, rule.Rule(), ledger=True, now=now), now=now)
    return [(item.action.value, item.pod) for item in found]


def test_each_pod_that_lives_under_an_incident_is_ordered_to_be_killed() -> None:
    kill, release = orders.Action.KILL.value, orders.Action.RELEASE.value
    one = scenes.body()
    assert ordered(pod("u1"), dead("u2"), incidents_=(one,)) == [(kill, "u1")]
    named = scenes.body(action="Kill", pod=("zaum-researcher-0-u2", "u2"))
    assert ordered(pod("u1"), pod("u2"), incidents_=(named,)) == [(kill, "u2")]
    later = scenes.body("researcher-2", created="2026-03-01T12:01:00Z")
    assert ordered(pod("u1"), incidents_=(one, later)) == [(kill, "u1")], "a duplicate orders nothing"
    over = scenes.body(status=true("Released"), reason="Unheard", reporter="Human")
    at = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
    assert ordered(pod("u1"), incidents_=(over,), now=at) == [(release, "")]
    hours = at + timedelta(hours=23)
    assert ordered(pod("u1"), incidents_=(over,), now=hours) == [(release, "")], "the ledger may have missed it"
    assert ordered(pod("u1"), incidents_=(over,), now=at + timedelta(hours=25)) == [], "what it forgives is forgotten"
