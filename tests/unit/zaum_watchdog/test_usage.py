"""How much CPU went by between two looks at the process table."""

from hypothesis import given
from hypothesis import strategies as st

from zaum_watchdog.core import usage
from zaum_watchdog.core.usage import Process


def look(**table: tuple[int, int]) -> usage.Look:
    """Name processes by a letter; each is (own, reaped)."""
    entries = {(ord(name[0]), 0): Process(*times) for name, times in table.items()}
    return usage.Look(0, entries, len(entries))


def test_a_process_that_works_is_counted() -> None:
    assert usage.ticks_between(look(a=(10, 0)), look(a=(15, 0))) == 5


def test_a_new_process_counts_whole() -> None:
    assert usage.ticks_between(look(a=(10, 0)), look(a=(10, 0), b=(7, 0))) == 7


def test_children_that_came_and_went_are_counted_through_their_parent() -> None:
    assert usage.ticks_between(look(a=(10, 0)), look(a=(10, 30))) == 30


def test_a_child_that_was_seen_and_then_reaped_is_not_counted_twice() -> None:
    assert usage.ticks_between(look(a=(10, 0), b=(20, 0)), look(a=(10, 25))) == 5


def test_an_orphan_that_ends_takes_nothing_from_the_living() -> None:
    assert usage.ticks_between(look(a=(10, 0), b=(1000, 0)), look(a=(15, 0))) == 5


def test_a_reused_process_id_is_another_process() -> None:
    before = usage.Look(0, {(7, 100): Process(500, 0)}, 1)
    after = usage.Look(0, {(7, 200): Process(3, 0)}, 1)
    assert usage.ticks_between(before, after) == 3


TABLES = st.dictionaries(
    st.tuples(st.integers(1, 9), st.integers(0, 2)),
    st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(lambda times: Process(*times)),
)


@given(TABLES, TABLES)
def test_usage_is_never_negative(before: usage.Table, after: usage.Table) -> None:
    assert usage.ticks_between(usage.Look(0, before, 0), usage.Look(1, after, 0)) >= 0


@given(TABLES)
def test_no_change_is_no_usage(table: usage.Table) -> None:
    assert usage.ticks_between(usage.Look(0, table, 0), usage.Look(1, table, 0)) == 0


def begun(before: tuple[int, str], after: tuple[int, str]) -> int:
    """Each is (the id given last, one letter per process)."""
    tables = [{(ord(name), 0): Process(0, 0) for name in names} for _, names in (before, after)]
    looks = [
        usage.Look(0, table, len(table), newest) for table, (newest, _) in zip(tables, (before, after), strict=True)
    ]
    return usage.begun_between(looks[0], looks[1])


def test_every_id_that_was_given_is_a_process_or_thread_that_began() -> None:
    assert begun((100, "ab"), (350, "ab")) == 250
    assert begun((100, "ab"), (100, "a")) == 0


def test_after_the_last_of_all_ids_those_since_the_first_are_counted() -> None:
    assert begun((32_000, "a"), (40, "a")) == 40


def test_where_the_kernel_gives_no_id_the_new_ones_that_live_are_counted() -> None:
    assert begun((0, "ab"), (0, "bcd")) == 2
    assert begun((0, "ab"), (900, "bcd")) == 2, "the first id says nothing of what was before"
