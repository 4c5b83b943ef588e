"""Orders reach those who wait, those who come later, and nobody else."""

import asyncio

from zaum_api import documents
from zaum_ledger.shell import orders


def order(number: int) -> documents.Order:
    return documents.Order(number, documents.Action.CUT, "Manual")


def test_an_order_wakes_the_polls_of_its_policy_alone() -> None:
    async def run() -> tuple[documents.Orders, documents.Orders, bool]:
        board = orders.Board()
        mine = [asyncio.create_task(board.wait("a/one", 0, 60)) for _ in range(2)]
        other = asyncio.create_task(board.wait("a/two", 0, 60))
        await asyncio.sleep(0)
        board.post("a/one", order(1))
        found = await asyncio.gather(*mine)
        waits = not other.done()
        board.release()
        assert (await other).orders == (), "the end lets all go"
        return found[0], found[1], waits

    assert asyncio.run(run()) == (documents.Orders((order(1),)), documents.Orders((order(1),)), True)


def test_who_comes_later_is_told_what_is_new_to_it() -> None:
    async def run() -> list[int]:
        board = orders.Board()
        for number in range(1, 4):
            board.post("a/one", order(number))
        return [one.number for one in (await board.wait("a/one", 1, 60)).orders]

    assert asyncio.run(run()) == [2, 3]


def test_a_poll_ends_by_itself_and_leaves_nothing() -> None:
    async def run() -> int:
        board = orders.Board()
        assert (await board.wait("a/one", 0, 0.01)).orders == ()
        return len(board._waiting)

    assert asyncio.run(run()) == 0
