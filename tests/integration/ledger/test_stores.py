"""One suite for both databases: what was answered is there after any end, and writers never see each other's half."""

import asyncio
from collections.abc import Callable

import pytest

from zaum_ledger.shell.stores import grouped, port, schema

Opened = Callable[[], port.Engine]


def added(amount: int, at: int = 1) -> port.Function[int]:
    """Add to each book's number; give the sum before."""

    def function(values: port.Values) -> port.Change[int]:
        numbers = {key: int(value or b"0") for key, value in values.items()}
        written = {key: str(number + amount).encode() for key, number in numbers.items()}
        return port.Change(sum(numbers.values()), written, at)

    return function


def read(values: port.Values) -> port.Change[dict[str, bytes | None]]:
    return port.Change(dict(values), {}, 0)


def test_what_was_written_is_there_after_opening_again(engine: port.Engine, opened: Opened) -> None:
    async def write() -> None:
        store = grouped.Grouped(engine)
        await store.transact(["a/one", "b/two"], added(5, at=77))
        await store.transact(["a/one"], added(2, at=50))
        await store.close()

    async def again() -> tuple[dict[str, bytes | None], list[tuple[str, bytes]], int]:
        later = opened()
        assert later.migrate()[0] == len(schema.SQLITE), "nothing was left to migrate"
        last = later.last()
        store = grouped.Grouped(later)
        found = await store.transact(["a/one", "c/none"], read), await store.scan("", 10), last
        await store.close()
        return found

    asyncio.run(write())
    assert asyncio.run(again()) == (
        {"a/one": b"7", "c/none": None},
        [("a/one", b"7"), ("b/two", b"5")],
        77,
    ), "the latest time stays, whatever was written since"


def test_a_book_that_is_deleted_is_gone(engine: port.Engine) -> None:
    async def run() -> list[tuple[str, bytes]]:
        store = grouped.Grouped(engine)
        await store.transact(["a/one", "b/two"], added(1))
        await store.transact(["a/one"], lambda _: port.Change(None, {"a/one": None}, 2))
        found = await store.scan("", 10)
        await store.close()
        return found

    assert asyncio.run(run()) == [("b/two", b"1")]


def test_i07_concurrent_changes_of_one_book_are_made_one_after_the_other(engine: port.Engine) -> None:
    async def run() -> tuple[list[int], list[int]]:
        sizes: list[int] = []
        store = grouped.Grouped(engine, sizes.append)
        before = await asyncio.gather(*(store.transact(["a/one"], added(1)) for _ in range(500)))
        await store.close()
        return before, sizes

    before, sizes = asyncio.run(run())
    assert before == list(range(500)), "each saw what the one before had written"
    assert sum(sizes) == 500
    assert len(sizes) < 100, "and most shared a commit"


def test_a_function_that_raises_changes_nothing_and_holds_up_nobody(engine: port.Engine) -> None:
    def broken(_: port.Values) -> port.Change[int]:
        raise LookupError("mine")

    async def run() -> tuple[list[object], dict[str, bytes | None]]:
        store = grouped.Grouped(engine)
        jobs = [
            store.transact(["a/one"], added(1)),
            store.transact(["a/one"], broken),
            store.transact(["a/one"], added(1)),
        ]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        found = await store.transact(["a/one"], read)
        await store.close()
        return list(results), found

    results, found = asyncio.run(run())
    assert [results[0], results[2]] == [0, 1]
    assert isinstance(results[1], LookupError)
    assert found == {"a/one": b"2"}


def test_books_come_in_the_order_of_their_bytes_page_by_page(engine: port.Engine) -> None:
    keys = ["a-b/c", "a/b", "a/c", "ab/a", "z9/x"]

    async def run() -> list[list[str]]:
        store = grouped.Grouped(engine)
        await store.transact(sorted(keys), added(1))
        pages, after = [], ""
        while page := [key for key, _ in await store.scan(after, 2)]:
            pages.append(page)
            after = page[-1]
        await store.close()
        return pages

    assert asyncio.run(run()) == [["a-b/c", "a/b"], ["a/c", "ab/a"], ["z9/x"]]


def test_a_later_releases_schema_is_refused(
    engine: port.Engine, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.close()
    monkeypatch.setattr(schema, "SQLITE", ())
    monkeypatch.setattr(schema, "POSTGRES", ())
    with pytest.raises(port.SchemaError, match="schema 1, this release knows 0"):
        opened().migrate()


def test_a_step_forward_is_made_once(engine: port.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    step = ("CREATE TABLE more (x INTEGER)",)
    monkeypatch.setattr(schema, "SQLITE", (*schema.SQLITE, step))
    monkeypatch.setattr(schema, "POSTGRES", (*schema.POSTGRES, step))
    assert engine.migrate() == (1, 2)
    assert engine.migrate() == (2, 2)


def test_a_snapshot_fills_another_store_once(engine: port.Engine, opened: Opened) -> None:
    async def write() -> None:
        store = grouped.Grouped(engine)
        await store.transact([f"a/{number:04}" for number in range(1200)], added(1, at=9))
        await store.close()

    asyncio.run(write())
    rows: list[tuple[str, bytes, int]] = []
    again = opened()
    again.snapshot(rows.extend)
    assert rows == [(f"a/{number:04}", b"1", 9) for number in range(1200)]
    with pytest.raises(port.StorageError, match="holds books already"):
        again.fill(rows[:1], replace=False)
    again.fill(rows[:1], replace=True)
    assert again.scan("", 5) == [("a/0000", b"1")]


def test_a_store_that_stops_takes_nothing_more(engine: port.Engine) -> None:
    async def run() -> None:
        store = grouped.Grouped(engine)
        await store.close()
        with pytest.raises(port.StorageError, match="stopping"):
            await store.transact(["a/one"], added(1))

    asyncio.run(run())
