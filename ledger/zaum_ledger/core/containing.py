"""What a Sync means beyond what it spends: breaches, budgets that are spent, orders that stand, pods that are silent.

Around `accounts`, on the same value and so in the same transaction: what is charged, what is due and what is answered
are durable together or not at all.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from zaum_api import documents
from zaum_api.documents import Synced
from zaum_ledger.core import accounts, conduct, standing, windows
from zaum_ledger.core.accounts import Account, Refused, Request
from zaum_ledger.core.conduct import Who
from zaum_ledger.core.sessions import Session
from zaum_ledger.core.windows import SECOND

SILENT: Final = 30 * SECOND
"""Three periods of a watchdog: after that it is called silent, which by itself changes nothing."""


def sync(account: Account, request: Request, now: int) -> tuple[Account, Synced | Refused]:
    """Hear one watchdog. `now`: the ledger's time."""
    account, answer = accounts.sync(account, request, now)
    if isinstance(answer, Refused):
        return account, answer
    said = request.said
    after = conduct.breached(account.conduct, request.who, said, account.time)
    if said.session:
        for meter, until in _spent(account, said):
            after = conduct.overspent(after, request.who, said, account.time, meter=meter, until=until)
    after = conduct.barred(after, request.who, (one.pod for one in account.live()), account.time)
    if after is not account.conduct:
        account = replace(account, conduct=after)
    return account, replace(answer, orders=standing.for_pod(after.orders, request.pod))


def ordered(account: Account, posted: documents.Posted, now: int) -> Account:
    """Take an order for the policy's pods."""
    account = accounts.at(account, now)
    return replace(account, conduct=conduct.ordered(account.conduct, posted, account.time))


def made(account: Account, who: Who, now: int, *, ours: bool) -> Account:
    """Note that the API server has the Incident about a pod: `ours`, or one that was there already."""
    account = accounts.at(account, now)
    after = conduct.made(account.conduct, who.uid, who.incident, account.time, ours=ours)
    return replace(account, conduct=after)


def usage(account: Account, *, namespace: str, policy: str, now: int) -> documents.PolicyUsage:
    """Say what a policy has used, how often it was killed, and who is silent."""
    account = accounts.at(account, now)
    used = accounts.usage(account, namespace=namespace, policy=policy, now=now)
    return replace(used, kills=account.conduct.counted, silent=tuple(_silent(account)))


def _silent(account: Account) -> Iterator[documents.Silent]:
    """Give, of each ordinal, the pod that spoke last, where it has spoken no more for three periods."""
    latest: dict[int, Session] = {}
    for session in account.sessions.values():
        before = latest.get(session.ordinal)
        if before is None or before.heard <= session.heard:
            latest[session.ordinal] = session
    for ordinal, session in sorted(latest.items()):
        silent = account.time - session.heard
        if silent >= SILENT:
            yield documents.Silent(session.pod, ordinal, silent // SECOND)


def _spent(account: Account, said: documents.Sync) -> Iterator[tuple[str, int]]:
    """Give the meters that are too far spent for what is needed, each with the time at which enough is back.

    What others hold and may give back is not spent, and a need that could never fit says nothing about a budget.
    """
    session = account.sessions[said.session]
    for need in said.needs:
        meter, book = session.plan.by_id.get(need.meter), account.books.get(need.meter)
        if meter is None or meter.shared_by_shares or book is None:
            continue
        if any(lease.sequence == said.sequence for _, lease in book.of(said.session)):
            continue
        limit = account.limit(session, need.meter)
        excess = need.amount - (limit - book.charged(account.time))
        if excess > 0 and need.amount <= limit:
            yield need.meter, account.time + windows.until_free(book.window, book.charges, account.time, excess)
