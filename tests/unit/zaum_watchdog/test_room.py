"""The memory for bodies that are held."""

from collections.abc import Callable

from zaum_watchdog.shell import room


class Guest:
    def __init__(self) -> None:
        self.inside = False

    def admitted(self) -> None:
        self.inside = True

    def soon(self, then: Callable[[], None]) -> None:
        then()


def test_nobody_gets_more_than_there_is_and_nobody_overtakes() -> None:
    held, (first, large, small) = room.Room(100), (Guest(), Guest(), Guest())
    assert held.take(first, 60)
    assert not held.take(large, 50)
    assert not held.take(small, 10), "it came later"
    held.leave(first)
    assert (large.inside, small.inside, held.taken) == (True, True, 60)


def test_whoever_gives_something_back_lets_the_next_one_in() -> None:
    held, (first, second) = room.Room(100), (Guest(), Guest())
    assert held.take(first, 100)
    assert not held.take(second, 30)
    held.shrink(first, 71)
    assert [second.inside] == [False]
    held.shrink(first, 70)
    assert [second.inside] == [True]
    held.leave(second)
    held.leave(first)
    assert held.taken == 0


def test_whoever_leaves_the_line_makes_way() -> None:
    held, (first, large, small) = room.Room(100), (Guest(), Guest(), Guest())
    assert held.take(first, 60)
    assert not held.take(large, 50)
    assert not held.take(small, 40)
    held.leave(large)
    held.leave(large)
    assert (large.inside, small.inside, held.taken) == (False, True, 100)
