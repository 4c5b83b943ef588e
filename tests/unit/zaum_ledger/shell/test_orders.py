"""Orders reach those who wait, those who come later, and nobody else."""

import asyncio

from tests.unit.zaum_ledger.shell import test_ledger
from zaum_api import documents
from zaum_ledger.core.standing import Standing
from zaum_ledger.shell import orders, serving

CUT = documents.Action.CUT


class Nobody:
    """Reports nothing."""

    def wake(self, *_: object, **__: object) -> None:
        """Let it lie."""


def standing(number: int, pod: str = "") -> Standing:
    return Standing(number, CUT, f"incident-{number}", "Manual", pod)


def told(*numbers: int) -> documents.Orders:
    return documents.Orders(tuple(documents.Order(number, CUT, "Manual") for number in numbers))


def test_an_order_wakes_the_polls_of_its_policy_alone() -> None:
    async def run() -> tuple[documents.Orders, documents.Orders, bool]:
        board = orders.Board()
        mine = [asyncio.create_task(board.wait("a/one", "pod", 0, 60)) for _ in range(2)]
        other = asyncio.create_task(board.wait("a/two", "pod", 0, 60))
        await asyncio.sleep(0)
        board.show("a/one", (standing(1),))
        found = await asyncio.gather(*mine)
        waits = not other.done()
        board.release()
        assert (await other).orders == (), "the end lets all go"
        return found[0], found[1], waits

    assert asyncio.run(run()) == (told(1), told(1), True)


def test_an_order_for_one_pod_lets_the_others_wait_on() -> None:
    async def run() -> documents.Orders:
        board = orders.Board()
        mine, other = (asyncio.create_task(board.wait("a/one", pod, 0, 60)) for pod in ("mine", "other"))
        await asyncio.sleep(0)
        board.show("a/one", (standing(1, "mine"),))
        assert await mine == told(1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not other.done()
        board.show("a/one", (standing(1, "mine"), standing(2)))
        return await other

    assert asyncio.run(run()) == told(2)


def test_who_comes_later_is_told_what_is_new_to_it() -> None:
    async def run() -> documents.Orders:
        board = orders.Board()
        board.show("a/one", tuple(standing(number) for number in range(1, 4)))
        return await board.wait("a/one", "pod", 1, 60)

    assert asyncio.run(run()) == told(2, 3)


def test_what_was_looked_up_beside_the_writer_takes_nothing_newer_away() -> None:
    async def run() -> None:
        board = orders.Board()
        board.show("a/one", (standing(5),), looked=True)
        board.show("a/one", (standing(4),), looked=True)
        board.show("a/one", (), looked=True)
        assert board.after("a/one", "pod", 0) == told(5)
        board.show("a/one", (standing(5), standing(6)), looked=True)
        assert board.after("a/one", "pod", 0) == told(5, 6)
        board.show("a/one", ())
        assert board.after("a/one", "pod", 0) == told()
        assert not board._orders

    asyncio.run(run())


def test_a_look_takes_down_what_is_for_policies_without_an_account_and_nothing_that_came_meanwhile() -> None:
    board = orders.Board()
    for key in ("a/gone", "a/anew", "a/known"):
        board.show(key, (standing(5),))
    stood = board.shown()
    board.show("a/anew", (standing(6),))
    board.show("a/fresh", (standing(1),))
    board.forget(stood, {"a/known"})
    assert set(board.shown()) == {"a/anew", "a/known", "a/fresh"}


def test_the_ledgers_look_forgets_the_orders_of_accounts_that_are_gone_and_none_that_it_cannot_read() -> None:
    world = test_ledger.World()
    board = orders.Board()

    async def run() -> None:
        world.ledger.heard = lambda key, conduct: board.show(key, conduct.orders)
        for name in ("gone", "stays", "odd"):
            await world.ledger.order(documents.Posted("agents", name, documents.Action.KILL, "one", "Manual", "u1"))
        assert len(board.shown()) == 3
        del world.store.books["agents/gone"]
        world.store.books["agents/odd"] = b'{"conduct": "of another version"}'
        look = asyncio.create_task(serving._look(world.ledger, board, Nobody()))  # type: ignore[arg-type]
        for _ in range(5):
            await asyncio.sleep(0)
        look.cancel()

    asyncio.run(run())
    assert set(board.shown()) == {"agents/odd", "agents/stays"}


def test_a_poll_ends_by_itself_and_leaves_nothing() -> None:
    async def run() -> int:
        board = orders.Board()
        assert (await board.wait("a/one", "pod", 0, 0.01)).orders == ()
        return len(board._waiting)

    assert asyncio.run(run()) == 0
