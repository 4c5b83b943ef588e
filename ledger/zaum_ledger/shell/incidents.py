"""Make Incidents at the API server for what is due in the accounts, for as long as that takes.

What is due is durable before anybody is answered, and is taken off only after the API server has the object. So a
ledger that dies in between makes it again, and finds the name taken.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from zaum_ledger.core import reporting
from zaum_ledger.core.conduct import Conduct, Due, Who
from zaum_ledger.core.windows import DAY, SECOND
from zaum_ledger.shell import cluster, metrics
from zaum_ledger.shell.denied import Denied

log = logging.getLogger("zaum.ledger.incidents")

FIRST_DELAY: Final = 0.2
LAST_DELAY: Final = 15.0
AT_ONCE: Final = 4
"""Half of what the API server is asked at a time: reviews of tokens go on beside it."""


class Server(Protocol):
    """The part of the API server that is needed here."""

    async def create(self, namespace: str, incident: Mapping[str, Any]) -> cluster.Created:
        """Make an Incident; raise Unreachable for whatever may go well another time."""


class Books(Protocol):
    """The part of the ledger that is needed here."""

    async def made(self, who: Who, *, ours: bool) -> None:
        """Note that an Incident is there; raise Denied."""


class Reporter:
    """One task for each Incident that is due. `now`: the ledger's time; `ahead`: its seconds before the wall clock."""

    def __init__(
        self,
        server: Server,
        books: Books,
        *,
        now: Callable[[], int],
        ahead: Callable[[], float],
        figures: metrics.Metrics,
    ) -> None:
        self._server, self._books = server, books
        self._now, self._ahead = now, ahead
        self._figures = figures
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def wake(self, key: str, conduct: Conduct, *, since: int = 0) -> None:
        """Begin what is due of a policy, and is due for at least `since`, in milliseconds."""
        namespace, _, policy = key.partition("/")
        for uid, due in conduct.due.items():
            if uid not in self._tasks and self._now() - due.at >= since:
                task = asyncio.create_task(self._report(Who(namespace, policy, due.pod, uid), due))
                self._tasks[uid] = task
                task.add_done_callback(lambda done, uid=uid: self._ended(uid, done))  # type: ignore[misc]

    async def run(self) -> None:
        """Hold the tasks until this one ends, and end them with it."""
        try:
            await asyncio.Event().wait()
        finally:
            for task in self._tasks.values():
                task.cancel()

    def __len__(self) -> int:
        """Give how many are under way."""
        return len(self._tasks)

    def _ended(self, uid: str, done: asyncio.Task[None]) -> None:
        self._tasks.pop(uid, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("fault", extra={"fields": {"uid": uid, "error": repr(error)}})

    async def _report(self, who: Who, due: Due) -> None:
        fields = {"namespace": who.namespace, "incident": who.incident, "policy": who.policy, "pod": due.pod}
        body = reporting.body(who, due, due.at / 1e3 - self._ahead())
        created: cluster.Created | None = None
        delay, said = FIRST_DELAY, ""
        while True:
            try:
                if created is None:
                    created = await self._create(who, due, body, fields)
                await self._books.made(who, ours=created is cluster.Created.MADE)
            except (cluster.Unreachable, Denied) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("incident-delayed", extra={"fields": {**fields, "problem": said}})
                self._figures.delayed()
                await asyncio.sleep(delay)
                delay = min(delay * 2, LAST_DELAY)
            else:
                break
        self._figures.reported(due.action.value)
        seconds = (self._now() - due.at) / SECOND
        more = {"action": due.action.value, "reason": due.reason, "made": created.name, "seconds": seconds}
        log.warning("incident", extra={"fields": {**fields, **more}})

    async def _create(self, who: Who, due: Due, body: Mapping[str, Any], fields: Mapping[str, str]) -> cluster.Created:
        """Make it. One whose namespace has not been there for a day is let go: no pod of it can be there either."""
        try:
            async with self._turn:
                return await self._server.create(who.namespace, body)
        except cluster.NotThere:
            if self._now() - due.at < DAY:
                raise
            log.error("incident-forgotten", extra={"fields": fields})
            return cluster.Created.THERE
