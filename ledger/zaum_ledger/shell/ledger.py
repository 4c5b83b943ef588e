"""The ledger: hears watchdogs, keeps their accounts in the store, and tells what was used.

An answer leaves only after its account is durable. What is refused, or fails, has granted nothing.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Final

from zaum_api import documents, reading
from zaum_api.documents import Refusal
from zaum_ledger.core import accounts, callers, containing, standing, stored, windows
from zaum_ledger.core.conduct import Conduct, Who
from zaum_ledger.shell.denied import Denied
from zaum_ledger.shell.stores import port

log = logging.getLogger("zaum.ledger")

CONTAINS: Final = b'"conduct"'
"""Stands in the bytes of an account of which something is to be contained: the others need not be read for that."""
Heard = Callable[[str, Conduct], None]
KEPT: Final = 4096
"""Accounts that are held as values beside their bytes, so that a policy that speaks every second is not read anew."""


class Ledger:
    """All accounts. `now` is the ledger's time in milliseconds.

    `heard` is told a policy's conduct, by the key of its account, whenever that was written.
    """

    def __init__(self, store: port.Store, now: Callable[[], int], heard: Heard = lambda *_: None) -> None:
        self.heard = heard
        self._store = store
        self._now = now
        self._kept: dict[str, tuple[bytes, accounts.Account]] = {}
        self._serving = now()
        self._failed = False
        self.problem = ""
        """Why the store did not do the last thing; empty while it does."""

    async def sync(self, pod: callers.Pod, said: documents.Sync) -> documents.Synced:
        """Hear one watchdog; raise Denied."""
        if said.ordinal != pod.ordinal:
            raise Denied(Refusal.POD, f"the token's pod has ordinal {pod.ordinal}, not {said.ordinal}")
        key, serving = pod.key, self._serving

        def function(values: port.Values) -> port.Change[tuple[documents.Synced, Conduct] | accounts.Refused]:
            raw, now = values[key], self._now()
            request = accounts.Request(
                pod.uid, said, serving, name=pod.name, namespace=pod.namespace, policy=pod.policy
            )
            account, answer = containing.sync(self._account(key, raw), request, now)
            if isinstance(answer, accounts.Refused):
                return port.Change(answer, {}, now)
            return self._change(key, account, (answer, account.conduct))

        found = await self._transact(key, function)
        if isinstance(found, accounts.Refused):
            raise Denied(found.refusal, found.message)
        answer, conduct = found
        self.heard(key, conduct)
        return answer

    async def order(self, posted: documents.Posted) -> documents.Orders:
        """Take an order of the operator's; give what stands for its pods. Raise Denied."""
        key = callers.book(posted.namespace, posted.policy)
        conduct = await self._conduct(key, lambda account, now: containing.ordered(account, posted, now))
        return documents.Orders(standing.for_pod(conduct.orders, posted.pod))

    async def made(self, who: Who, *, ours: bool) -> None:
        """Note that the API server has the Incident about a pod; raise Denied."""
        key = callers.book(who.namespace, who.policy)
        await self._conduct(key, lambda account, now: containing.made(account, who, now, ours=ours))

    async def conducts(self) -> dict[str, Conduct]:
        """Give the conduct of all policies of which something is to be contained; raise Denied.

        An account that cannot be read says nothing, and is there.
        """
        after, found = "", dict[str, Conduct]()
        try:
            while rows := await self._store.scan(after, documents.USAGE_PAGE):
                after = rows[-1][0]
                found |= {key: self._contained(key, raw) for key, raw in rows if CONTAINS in raw}
        except port.StorageError as error:
            raise self._storage(error) from error
        return found

    def _contained(self, key: str, raw: bytes) -> Conduct:
        try:
            return self._account(key, raw).conduct
        except reading.DocumentError as error:
            log.error("account-unreadable", extra={"fields": {"policy": key, "error": str(error)}})
            return Conduct()

    async def _conduct(self, key: str, change: Callable[[accounts.Account, int], accounts.Account]) -> Conduct:
        def function(values: port.Values) -> port.Change[Conduct]:
            account = change(self._account(key, values[key]), self._now())
            return self._change(key, account, account.conduct)

        conduct = await self._transact(key, function)
        self.heard(key, conduct)
        return conduct

    def _change(self, key: str, account: accounts.Account, result: port.T) -> port.Change[port.T]:
        """Write an account; in the writer's thread."""
        written = stored.dump(account)
        self._keep(key, written, account)
        return port.Change(result, {key: written}, account.time)

    async def usage(
        self, after: str, most: int = documents.USAGE_PAGE, *, watched: bool = False
    ) -> documents.UsagePage:
        """Give a page of what policies have used, from after a `namespace/policy`; raise Denied.

        `watched`: with kills and silence.
        """
        try:
            rows = await self._store.scan(after, most)
        except port.StorageError as error:
            raise self._storage(error) from error
        now, found = self._now(), []
        for key, raw in rows:
            namespace, _, policy = key.partition("/")
            try:
                found.append(containing.usage(self._account(key, raw), namespace=namespace, policy=policy, now=now))
            except reading.DocumentError as error:
                log.error("account-unreadable", extra={"fields": {"policy": key, "error": str(error)}})
        serving = max(0, now - self._serving) // windows.SECOND if watched else None
        return documents.UsagePage(tuple(found), rows[-1][0] if len(rows) == most else "", serving)

    async def sweep(self) -> int:
        """Delete the accounts in which nothing is left that could matter; give how many."""
        after, deleted = "", 0
        while rows := await self._store.scan(after, documents.USAGE_PAGE):
            after = rows[-1][0]
            for key, raw in rows:
                try:
                    over = accounts.gone(self._account(key, raw), self._now())
                except reading.DocumentError:
                    continue  # nobody knows what it holds: it stays, and whoever asks is told
                deleted += await self._store.transact([key], self._deleting(key)) if over else 0
        return deleted

    async def try_again(self) -> None:
        """See whether a store that failed does again: write a book as it stands.

        A ledger that is not ready hears no pod by which it could notice.
        """
        if not self._failed:
            return
        try:
            rows = await self._store.scan("", 1)
        except port.StorageError as error:
            self._storage(error)
            return
        key = rows[0][0] if rows else ""

        def function(values: port.Values) -> port.Change[None]:
            raw = values[key]
            return port.Change(None, {} if raw is None else {key: raw}, 0)

        with contextlib.suppress(Denied):
            await self._transact(key, function)

    def _deleting(self, key: str) -> port.Function[int]:
        def function(values: port.Values) -> port.Change[int]:
            raw, now = values[key], self._now()
            if raw is None or not accounts.gone(self._account(key, raw), now):
                return port.Change(0, {}, now)
            self._kept.pop(key, None)
            return port.Change(1, {key: None}, now)

        return function

    async def _transact(self, key: str, function: port.Function[port.T]) -> port.T:
        try:
            result = await self._store.transact([key], function)
        except port.StorageError as error:
            raise self._storage(error) from error
        except reading.DocumentError as error:
            log.error("account-unreadable", extra={"fields": {"policy": key, "error": str(error)}})
            raise Denied(Refusal.STORAGE, f"the account of {key} cannot be read: restore a backup") from error
        if self._failed:
            # While nobody could be heard, pods may have spent their floors unseen.
            self._failed, self._serving, self.problem = False, self._now(), ""
            log.info("storage-back")
        return result

    def _storage(self, error: port.StorageError) -> Denied:
        if not self._failed:
            log.error("storage-failed", extra={"fields": {"error": str(error)}})
        self._failed, self.problem = True, str(error)
        return Denied(Refusal.STORAGE, f"the books cannot be written, nothing was granted: {error}")

    def _account(self, key: str, raw: bytes | None) -> accounts.Account:
        """Read an account, in the writer's thread or beside it."""
        if raw is None:
            return accounts.Account()
        kept = self._kept.get(key)
        return kept[1] if kept is not None and kept[0] == raw else stored.parse(raw)

    def _keep(self, key: str, raw: bytes, account: accounts.Account) -> None:
        """Hold an account; in the writer's thread alone. One that was not committed differs from the store's bytes."""
        self._kept.pop(key, None)
        self._kept[key] = (raw, account)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
