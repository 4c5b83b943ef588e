"""The queue's machine: who is taken when, what waits how long, what runs alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_operator.core import queue as queue_rules
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


def test_changes_go_before_the_backlog_which_still_gets_every_ninth_turn() -> None:
    queue = Queue()
    old = [Key("old", str(number)) for number in range(3)]
    new = [Key("new", str(number)) for number in range(20)]
    for key in old:
        queue.add(key, now=0, backlog=True)
    for key in new:
        queue.add(key, now=1)
    order = taken(queue, now=1)
    assert order[:8] == new[:8]
    assert [order.index(key) for key in old] == [8, 17, 22]


def test_a_key_of_the_backlog_that_changes_goes_before_it_and_keeps_its_age() -> None:
    queue = Queue()
    queue.add(A1, now=0, backlog=True)
    queue.add(B1, now=0, backlog=True)
    queue.add(B1, now=5)
    assert queue.depth() == 2
    assert queue.oldest_age(now=6) == 6
    assert taken(queue, now=6) == [B1, A1]


def test_what_came_as_backlog_while_it_was_worked_on_stays_backlog() -> None:
    queue = Queue()
    queue.add(A1, now=0)
    queue.take(now=0)
    queue.add(A1, now=0, backlog=True)
    queue.done(A1, now=0)
    queue.add(B1, now=0)
    assert taken(queue) == [B1, A1]


def test_a_hundred_changes_a_second_are_a_handful_of_looks_and_the_last_one_counts() -> None:
    queue, looks = Queue(), []
    for tick in range(1000):
        now = tick / 100
        queue.add(A1, now=now)
        if (key := queue.take(now=now)) is not None:
            looks.append(now)
            queue.done(key, now=now)
    assert 5 * 10 <= len(looks) <= 6 * 10
    late = queue.next_time()
    assert late is not None
    assert queue.take(now=late) == A1, "the change that came last is looked at"


def test_a_busy_key_slows_nobody_else_down() -> None:
    queue = Queue()
    for _ in range(9):
        queue.add(A1, now=0)
        if (key := queue.take(now=0)) is not None:
            queue.done(key, now=0)
    queue.add(A2, now=0)
    queue.add(B1, now=0)
    assert taken(queue) == [A2, B1]


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5))
def test_no_namespace_waits_longer_than_one_turn_of_all(sizes: list[int]) -> None:
    queue = Queue()
    for space, count in enumerate(sizes):
        for number in range(count):
            queue.add(Key(str(space), str(number)), now=0)
    order = [key.namespace for key in taken(queue)]
    for turn in range(max(sizes)):
        served = [str(space) for space, count in enumerate(sizes) if count > turn]
        assert sorted(order[: len(served)]) == sorted(served)
        order = order[len(served) :]


def test_a_step_costs_the_same_with_ten_and_with_a_hundred_times_as_many_keys() -> None:
    """Counted, not timed: how many keys are compared while one is taken."""
    counted = []
    for size in (100, 10_000):
        queue = Queue()
        for number in range(size):
            queue.add(Counting(str(number % 50), str(number)), now=0)
        Counting.asked = 0
        key = queue.take(now=0)
        assert key is not None
        queue.oldest_age(now=1)
        queue.next_time()
        queue.done(key, now=1)
        counted.append(Counting.asked)
    assert counted[1] <= counted[0] + 5


class Counting(Key):
    """A key that counts how often anybody asks for its hash."""

    asked = 0

    def __hash__(self) -> int:
        type(self).asked += 1
        return hash((self.namespace, self.name))


def test_a_key_that_somebody_waits_for_is_taken_more_often_and_not_without_end() -> None:
    count: dict[bool, int] = {}
    for brisk in (False, True):
        queue = Queue()
        count[brisk] = 0
        for number in range(100):
            now = number / 100
            queue.add(A1, now=now, brisk=brisk)
            if queue.take(now=now) is not None:
                count[brisk] += 1
                queue.add(A1, now=now, brisk=brisk)  # it came while it was worked on
                queue.done(A1, now=now, brisk=brisk)
    assert count == {False: queue_rules.PER_SECOND, True: queue_rules.BRISK_PER_SECOND}
