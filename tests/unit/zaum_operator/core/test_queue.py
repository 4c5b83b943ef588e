"""The queue's machine: who is taken when, what waits how long, what runs alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_operator.core.keys import Key
from zaum_operator.core.queue import Queue

A1, A2, B1 = Key("a", "1"), Key("a", "2"), Key("b", "1")
WHOLE = Key("a")


def taken(queue: Queue, *, now: float = 0) -> list[Key]:
    """Take and finish everything that is due."""
    found = []
    while (key := queue.take(now=now)) is not None:
        found.append(key)
        queue.done(key, now=now)
    return found


def test_a_key_stands_in_it_once() -> None:
    queue = Queue()
    for _ in range(5):
        queue.add(A1, now=0)
    assert queue.depth() == 1
    assert taken(queue) == [A1]


def test_namespaces_take_turns() -> None:
    queue = Queue()
    for key in (A1, A2, Key("a", "3"), B1):
        queue.add(key, now=0)
    assert taken(queue) == [A1, B1, A2, Key("a", "3")]


def test_a_key_in_work_is_not_taken_twice_and_comes_again_when_it_was_noticed_meanwhile() -> None:
    queue = Queue()
    queue.add(A1, now=0)
    assert queue.take(now=0) == A1
    queue.add(A1, now=1)
    assert queue.take(now=1) is None
    queue.done(A1, now=2)
    assert queue.take(now=2) == A1


@pytest.mark.parametrize(("failures", "pause"), [(1, 0.5), (2, 1.0), (3, 2.0), (10, 256.0), (11, 300.0), (99, 300.0)])
def test_failures_in_a_row_wait_longer(failures: int, pause: float) -> None:
    queue = Queue(per_second=1000)
    now = 0.0
    for _ in range(failures):
        queue.add(A1, now=now)
        queue.take(now=now)
        queue.done(A1, now=now, failed=True)
    assert queue.next_time() == now + pause
    assert queue.take(now=now + pause - 0.01) is None
    assert queue.take(now=now + pause) == A1


def test_a_success_forgets_the_failures() -> None:
    queue = Queue()
    for failed in (True, True, False, True):
        queue.add(A1, now=0)
        queue.take(now=0)
        queue.done(A1, now=0, failed=failed)
    assert queue.pause(A1) == 0.5


def test_an_event_while_failing_does_not_skip_the_pause() -> None:
    queue = Queue()
    queue.add(A1, now=0)
    queue.take(now=0)
    queue.add(A1, now=0)
    queue.done(A1, now=0, failed=True)
    assert queue.take(now=0) is None
    assert queue.take(now=0.5) == A1


def test_a_later_look_comes_at_its_time_and_an_event_brings_it_forward() -> None:
    queue = Queue()
    queue.add(A1, now=0)
    queue.take(now=0)
    queue.done(A1, now=0, again_at=40.0)
    assert queue.take(now=39) is None
    queue.add(A1, now=39)
    assert taken(queue, now=39) == [A1]
    assert taken(queue, now=41) == [], "the later look was replaced by the earlier one"


def test_of_two_later_looks_the_earlier_counts() -> None:
    queue = Queue()
    queue.add_at(A1, 50)
    queue.add_at(A1, 20)
    queue.add_at(A1, 30)
    assert queue.next_time() == 20
    assert taken(queue, now=20) == [A1]
    assert taken(queue, now=60) == []


def test_i02_a_whole_namespace_runs_alone_in_it() -> None:
    queue = Queue()
    queue.add(A1, now=0)
    assert queue.take(now=0) == A1
    queue.add(WHOLE, now=0)
    queue.add(A2, now=0)
    queue.add(B1, now=0)
    assert queue.take(now=0) == B1, "other namespaces go on"
    assert queue.take(now=0) is None, "and nothing of this one starts before the sweep's turn"
    queue.done(A1, now=1)
    assert queue.take(now=1) == WHOLE
    assert queue.take(now=1) is None
    queue.done(WHOLE, now=2)
    assert queue.take(now=2) == A2


def test_age_is_that_of_the_oldest_due_key() -> None:
    queue = Queue()
    assert queue.oldest_age(now=9) == 0.0
    queue.add(A1, now=1)
    queue.add(B1, now=5)
    assert queue.oldest_age(now=9) == 8.0


KEYS = st.sampled_from([A1, A2, B1, WHOLE, Key("b")])
STEPS = st.lists(st.tuples(st.sampled_from(["add", "take", "done", "fail", "later"]), KEYS), max_size=60)


@given(STEPS)
def test_nothing_is_lost_and_nothing_is_worked_on_by_two(steps: list[tuple[str, Key]]) -> None:
    queue, working, owed = Queue(), set[Key](), set[Key]()
    now = 0.0
    for step, key in steps:
        now += 1
        match step:
            case "add":
                queue.add(key, now=now)
                owed.add(key)
            case "later":
                queue.add_at(key, now + 5)
                owed.add(key)
            case "take":
                got = queue.take(now=now)
                if got is not None:
                    assert got not in working
                    assert not any(w.namespace == got.namespace and w.whole_namespace for w in working)
                    assert not (got.whole_namespace and any(w.namespace == got.namespace for w in working))
                    working.add(got)
                    owed.discard(got)
            case _ if key in working:
                working.discard(key)
                queue.done(key, now=now, failed=step == "fail")
                if step == "fail":
                    owed.add(key)
            case _:
                pass
    for key in working:
        queue.done(key, now=now)
    assert owed <= set(taken(queue, now=now + 1000))
