"""Commit many transactions as one: whoever waits while a commit is under way goes into the next one together.

One thread does all writing. A sync of the disk is what a commit costs, and a group shares it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from zaum_ledger.shell.stores import port

T = TypeVar("T")
GROUP_MAX: Final = 256
WAITING_MAX: Final = 20_000
"""More than that are told at once that it cannot be done: a queue nobody lives to see the end of helps nobody."""
REPEATS: Final = 3


@dataclass(slots=True)
class _Job:
    keys: Sequence[str]
    function: port.Function[Any]
    future: "asyncio.Future[Any]"
    outcome: Any = None
    problem: Exception | None = None


class Grouped:
    """A `Store` over an engine. Open and use it in one event loop. `committed` hears the size of each group."""

    def __init__(self, engine: port.Engine, committed: Callable[[int], None] = lambda _: None) -> None:
        self._engine = engine
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._readers = ThreadPoolExecutor(1, "reader")
        self._closed = False
        self._thread.start()

    async def transact(self, keys: Sequence[str], function: port.Function[T]) -> T:
        """Wait for the group in which this goes, and for its commit."""
        if self._closed:
            raise port.StorageError("the ledger is stopping")
        if self._jobs.qsize() >= WAITING_MAX:
            raise port.StorageError("too many transactions wait")
        job = _Job(keys, function, self._loop.create_future())
        self._jobs.put(job)
        return cast("T", await job.future)

    async def scan(self, after: str, most: int) -> list[tuple[str, bytes]]:
        """Read beside the writer."""
        return await self._loop.run_in_executor(self._readers, self._engine.scan, after, most)

    async def close(self) -> None:
        """Commit what waits, and let go."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await self._loop.run_in_executor(None, self._thread.join)
            self._readers.shutdown()
            self._engine.close()

    def _run(self) -> None:
        going = True
        while going:
            group, going = self._group()
            if group:
                self._commit(group)
                self._loop.call_soon_threadsafe(_tell, group)

    def _group(self) -> tuple[list[_Job], bool]:
        """Wait for one job, and take with it what else is there."""
        group: list[_Job] = []
        try:
            while len(group) < GROUP_MAX:
                job = self._jobs.get(block=not group)
                if job is None:
                    return group, False
                group.append(job)
        except queue.Empty:
            pass
        return group, True

    def _commit(self, group: Sequence[_Job]) -> None:
        for left in reversed(range(REPEATS)):
            try:
                self._once(group)
            except port.RepeatError as error:
                if left:
                    continue
                _fail(group, error)
            except port.StorageError as error:
                _fail(group, error)
            else:
                self._committed(len(group))
            return

    def _once(self, group: Sequence[_Job]) -> None:
        values = self._engine.begin(sorted({key for job in group for key in job.keys}))
        written: dict[str, bytes | None] = {}
        latest = 0
        for job in group:
            job.problem = None
            try:
                change = job.function({key: values[key] for key in job.keys})
            except Exception as error:  # noqa: BLE001 - it is the caller's own, and is raised there
                job.problem = error
                continue
            job.outcome = change.result
            values.update(change.values)
            written.update(change.values)
            latest = max(latest, change.at)
        if written:
            self._engine.commit(written, latest)
        else:
            self._engine.rollback()


def _fail(group: Sequence[_Job], error: port.StorageError) -> None:
    for job in group:
        job.problem = error


def _tell(group: Sequence[_Job]) -> None:
    for job in group:
        if job.future.done():
            continue  # the caller has gone; what was written stays
        if job.problem is not None:
            job.future.set_exception(job.problem)
        else:
            job.future.set_result(job.outcome)
