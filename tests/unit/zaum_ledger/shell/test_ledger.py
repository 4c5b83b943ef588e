"""What the ledger makes of a store that fails, and of accounts that it cannot read."""

import asyncio
from collections.abc import Sequence

import pytest

from zaum_api import documents
from zaum_api.documents import Refusal
from zaum_ledger.core import callers
from zaum_ledger.shell import ledger
from zaum_ledger.shell.denied import Denied
from zaum_ledger.shell.stores import port

POD = callers.Pod("agents", "researcher", 0, "uid", 0.0)
METER = documents.Meter("policy", documents.Kind.TOKENS, documents.Window.DAY, 1_000)
HOUR = 3_600_000


class Memory:
    """A store in a dict, which fails while `problem` is set; `lost`: after the commit."""

    def __init__(self) -> None:
        self.books: dict[str, bytes] = {}
        self.problem = ""
        self.lost = False

    async def transact(self, keys: Sequence[str], function: port.Function[port.T]) -> port.T:
        if self.problem:
            raise port.StorageError(self.problem)
        change = function({key: self.books.get(key) for key in keys})
        for key, value in change.values.items():
            if value is None:
                self.books.pop(key)
            else:
                self.books[key] = value
        if self.lost:
            raise port.StorageError("lost")
        return change.result

    async def scan(self, after: str, most: int) -> list[tuple[str, bytes]]:
        if self.problem:
            raise port.StorageError(self.problem)
        return sorted(item for item in self.books.items() if item[0] > after)[:most]

    async def close(self) -> None:
        """Nothing is open."""


class World:
    def __init__(self) -> None:
        self.now = 1_000 * HOUR
        self.store = Memory()
        self.ledger = ledger.Ledger(self.store, lambda: self.now)

    def sync(self, session: str, sequence: int, want: int = 0, **more: int) -> documents.Synced:
        wants = (documents.Want(METER.id, want),) if want else ()
        said = documents.Sync(
            session=session, sequence=sequence, config="c", generation=1, replicas=1, ordinal=more.get("ordinal", 0),
            meters=(METER,), wants=wants,
        )  # fmt: skip
        return asyncio.run(self.ledger.sync(POD, said))


def test_i07_a_store_that_fails_grants_nothing() -> None:
    world = World()
    session = world.sync("", 1).session
    world.store.problem = "disk full"
    with pytest.raises(Denied) as denied:
        world.sync(session, 2, want=100)
    assert denied.value.refusal is Refusal.STORAGE
    assert world.ledger.problem == "disk full"
    world.store.problem = ""
    assert world.sync(session, 2, want=1_000).leases[0].amount == 1_000, "all of it is still there"
    assert world.ledger.problem == ""


@pytest.mark.parametrize("spoken", [True, False])
def test_a_store_that_does_again_is_noticed_without_a_pod(spoken: bool) -> None:
    """One that is not ready hears no pod."""
    world = World()
    if spoken:
        world.sync("", 1)
    before = dict(world.store.books)
    world.store.problem = "disk full"
    with pytest.raises(Denied):
        world.sync("", 1)
    asyncio.run(world.ledger.try_again())
    assert world.ledger.problem == "disk full"
    world.store.problem = ""
    asyncio.run(world.ledger.try_again())
    assert world.ledger.problem == ""
    assert world.store.books == before


def test_i07_an_answer_that_was_lost_is_given_again_and_not_twice() -> None:
    world = World()
    session = world.sync("", 1).session
    world.store.lost = True
    with pytest.raises(Denied):
        world.sync(session, 2, want=600)
    world.store.lost = False
    assert world.sync(session, 2, want=600).leases[0].amount == 600
    assert world.sync(session, 3, want=600).refused[0].remaining == 400


def test_i12_another_ordinal_than_the_pods_is_refused() -> None:
    with pytest.raises(Denied) as denied:
        World().sync("", 1, ordinal=1)
    assert denied.value.refusal is Refusal.POD


def test_an_account_that_cannot_be_read_stops_its_policy_alone() -> None:
    world = World()
    world.store.books["agents/researcher"] = b"{}"
    world.store.books["b/two"] = b"nonsense"
    with pytest.raises(Denied) as denied:
        world.sync("", 1)
    assert denied.value.refusal is Refusal.STORAGE
    assert world.ledger.problem == "", "the store is well"
    assert asyncio.run(world.ledger.usage("")).policies == ()
    assert asyncio.run(world.ledger.sweep()) == 0, "and nobody deletes what cannot be read"
    assert len(world.store.books) == 2


def test_what_matters_to_nobody_is_swept() -> None:
    world = World()
    session = world.sync("", 1).session
    world.sync(session, 2, want=10)
    assert asyncio.run(world.ledger.sweep()) == 0
    world.now += 49 * HOUR
    assert asyncio.run(world.ledger.sweep()) == 1
    assert world.store.books == {}


def test_usage_comes_page_by_page() -> None:
    world = World()
    for name in ("a", "b", "c"):
        pod = callers.Pod("n", name, 0, "uid", 0.0)
        said = documents.Sync("", 1, "c", 1, 1, 0, (METER,))
        asyncio.run(world.ledger.sync(pod, said))
    first = asyncio.run(world.ledger.usage("", 2))
    assert ([one.policy for one in first.policies], first.after) == (["a", "b"], "n/b")
    last = asyncio.run(world.ledger.usage(first.after, 2))
    assert ([one.policy for one in last.policies], last.after) == (["c"], "")
