"""The account of one policy: what its pods may spend, have spent, hold and lend each other.

An account is a value. `sync` takes one and what a watchdog says, and gives the next one and the answer; nothing of the
answer may leave before the next account is stored. Invariants, at any time and whatever is lost, late or repeated:

- Charges in a meter's window and what outstanding leases have left are together within its limit (see `books`).
- A lease is charged whole when its session has been silent for `sessions.LIFE` (of bytes: `BYTES_LIFE`), once. What
  its session later proves to have spent of it corrects that downwards, when the lease is given back and as long as the
  charge counts.
- What pods of a policy may use of a shared meter at any moment is together within its limit (see `shares`).
- The account's time never goes back, whichever ledger looks at it. Where a ledger goes on for another (`teller`), which
  may have stopped a moment or a day ago by whatever clock, nobody is silent yet and nothing that was lent is over.
  Ledgers that serve at the same time need clocks that agree to within four seconds.

A limit is the lowest one that live sessions of the newest generation say, and never more than what the asking session
itself says. All times in milliseconds of the ledger's time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from zaum_api import documents
from zaum_api.documents import Counters, Refusal, Sync, Synced
from zaum_ledger.core import books, conduct, sessions, shares, slices, windows
from zaum_ledger.core.books import Book
from zaum_ledger.core.conduct import Conduct, Who
from zaum_ledger.core.sessions import Plan, Session
from zaum_ledger.core.shares import Lending
from zaum_ledger.core.windows import HOUR, SECOND

QUIET: Final = 100 * SECOND
"""A pod that has not been heard for so long while ledgers were there has spent nothing of the minute that runs: what
leads to the ledger is what leads out."""
APART: Final = 10 * SECOND
"""By how much the clocks of the API server and of a ledger may differ."""
BURST: Final = "#burst"
"""Marks the lending of a meter's burst beside that of its rate."""
_SOON: Final = 10
"""Seconds after which idle leases of others are back."""


@dataclass(frozen=True, slots=True)
class Account:
    """One policy's books. The default is the account of a policy that nobody has heard of.

    `born`: when it was opened, which makes the names that it gives unique; `serial`: of the last name. `plan`: what the
    newest configuration said last. `ordinals`: when each was heard last. `counters`: of all pods, also of those gone.
    `teller`: the ledger that wrote it last, by the time since when that one serves; `whole`: the one that has been
    there since the policy was made, so that whom it has not heard has spent nothing; 0 where none has. `conduct` is
    `containing`'s to change; in here it only grows older.
    """

    born: int = 0
    time: int = 0
    serial: int = 0
    plan: Plan | None = None
    sessions: Mapping[str, Session] = field(default_factory=dict)
    books: Mapping[str, Book] = field(default_factory=dict)
    lendings: Mapping[str, Lending] = field(default_factory=dict)
    ordinals: Mapping[int, int] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    teller: int = 0
    whole: int = 0
    conduct: Conduct = field(default_factory=Conduct)

    def live(self) -> Iterator[Session]:
        """Give the sessions that may still spend."""
        return (session for session in self.sessions.values() if not session.silent)

    def limit(self, session: Session, meter: str) -> int:
        """Give the limit that a session meets; 0 for a meter that its configuration does not name."""
        own = session.plan.limit(meter)
        said = [plan.limit(meter) for plan in sessions.newest(self.live())]
        return 0 if own is None else min([own, *(limit for limit in said if limit is not None)])


@dataclass(frozen=True, slots=True)
class Request:
    """A Sync and what the ledger itself knows of it.

    `pod`: the uid that its token is bound to. `serving`: since when this ledger has been answering, in its own time.
    `name`: the pod's, `namespace` and `policy`: whose it is.
    """

    pod: str
    said: Sync
    serving: int
    name: str = ""
    namespace: str = ""
    policy: str = ""

    @property
    def who(self) -> Who:
        """Give whom a breach is about."""
        return Who(self.namespace, self.policy, self.name, self.pod)


@dataclass(frozen=True, slots=True)
class Refused:
    """The Sync is not answered, and the account is as it was but for the time."""

    refusal: Refusal
    message: str


def sync(account: Account, request: Request, now: int) -> tuple[Account, Synced | Refused]:
    """Hear one watchdog: charge, take back, lend, share. `now`: the ledger's time."""
    account = at(_taken_over(account, request.serving, now), now)
    said = request.said
    if not said.session:
        return _opened(account, request)
    session = account.sessions.get(said.session)
    if session is None or session.pod != request.pod:
        return account, Refused(Refusal.SESSION, "the session is unknown or has ended: start anew with an empty one")
    if said.sequence < session.sequence:
        return account, Refused(Refusal.SESSION, f"sequence {said.sequence} is over: {session.sequence} was answered")
    if said.sequence == session.sequence:
        account = _with_session(account, said.session, replace(session, heard=account.time, silent=False))
    else:
        account = _heard(account, session, said)
    return account, _answer(account, said)


def at(account: Account, now: int) -> Account:
    """Let time pass: silent sessions are charged for what they held, and what counts no more is left out."""
    now = max(account.time, now)
    kept, held = dict(account.sessions), dict(account.books)
    for name, session in account.sessions.items():
        if session.until <= now:
            kept[name] = session if session.silent else replace(session, silent=True)
            for meter, book in held.items():
                if (end := session.spends_until(book.window)) <= now:
                    held[meter] = book.assumed(name, end)
    held = {meter: book.at(now) for meter, book in held.items()}
    held = {meter: book for meter, book in held.items() if book.charges or book.leases}
    if any(session.silent for session in kept.values()):
        kept = _remembered(kept, held, now)
    lendings = {meter: lending.at(now) for meter, lending in account.lendings.items()}
    return replace(
        account,
        time=now,
        sessions=kept,
        books=held,
        lendings={meter: lending for meter, lending in lendings.items() if not lending.empty},
        ordinals={ordinal: heard for ordinal, heard in account.ordinals.items() if heard > now - QUIET},
        conduct=conduct.at(account.conduct, now),
    )


def _taken_over(account: Account, serving: int, now: int) -> Account:
    """Go on where another ledger stopped."""
    if account.teller == serving:
        return account
    lendings = {key: lending.taken_over(max(account.time, now)) for key, lending in account.lendings.items()}
    heard = {name: replace(one, heard=max(one.heard, serving)) for name, one in account.sessions.items()}
    return replace(account, teller=serving, lendings=lendings, sessions=heard)


def gone(account: Account, now: int) -> bool:
    """Say whether nothing is left that could matter to anybody: the account may be forgotten."""
    account = at(account, now)
    held = account.sessions or account.books or account.lendings or account.ordinals
    return not held and account.conduct.clean


def restored(account: Account, now: int) -> Account:
    """Take an account out of a backup: who held something then may have spent it since, and starts anew.

    `now` is later than anything that was named before, so no name is given twice.
    """
    account = at(account, now)
    held = account.books
    for name in account.sessions:
        held = {meter: book.assumed(name, account.time) for meter, book in held.items()}
    charged = {meter: replace(book, leases={}) for meter, book in held.items()}
    return replace(account, born=account.time, serial=0, sessions={}, books=charged)


def usage(account: Account, *, namespace: str, policy: str, now: int) -> documents.PolicyUsage:
    """Say what a policy has used, for status and metrics."""
    account = at(account, now)
    heard = max((session.heard for session in account.sessions.values()), default=account.born)
    return documents.PolicyUsage(
        namespace=namespace,
        policy=policy,
        pods=sum(1 for _ in account.live()),
        heard=(account.time - heard) // SECOND,
        meters=tuple(_used(account)),
        counters=account.counters,
    )


def _remembered(kept: Mapping[str, Session], held: Mapping[str, Book], now: int) -> dict[str, Session]:
    """Forget silent sessions that hold nothing: after an hour, and at once where their ordinal has another pod."""
    holding = {lease.session for book in held.values() for lease in book.leases.values()}
    latest: dict[int, int] = {}
    for session in kept.values():
        latest[session.ordinal] = max(latest.get(session.ordinal, 0), session.heard)
    return {
        name: session
        for name, session in kept.items()
        if not session.silent
        or name in holding
        or (session.heard == latest[session.ordinal] and session.heard > now - HOUR)
    }


def _opened(account: Account, request: Request) -> tuple[Account, Synced]:
    """Open a session. It gets no lease, so that an answer that nobody hears leaves nothing behind."""
    said, now = request.said, account.time
    if not account.born:
        account = replace(account, born=now, whole=request.serving if _new(request, now) else 0)
    account = replace(account, serial=account.serial + 1)
    name = f"{account.born:x}.{account.serial:x}"
    unseen = 0 if account.whole == request.serving else request.serving
    carried = now - max(account.ordinals.get(said.ordinal, 0), unseen) < QUIET
    session = Session(
        pod=request.pod,
        ordinal=said.ordinal,
        plan=sessions.plan(said, (other.plan for other in account.sessions.values())),
        heard=now,
        sequence=said.sequence,
        counters=said.counters,
        latched=said.latched,
        demand={item.meter: item for item in said.demand},
    )
    account = _with_session(account, name, session)
    account = replace(account, counters=sessions.more(account.counters, Counters(), said.counters))
    account = _shared(account, session, fresh=True)
    return account, Synced(
        session=name,
        sequence=said.sequence,
        shares=tuple(_shares(account, session, carried=carried)),
        usage=tuple(_used(account, session)),
    )


def _new(request: Request, now: int) -> bool:
    """Say whether a policy was made while this ledger was there. One of the future says only that clocks differ."""
    return request.serving + APART < request.said.created * SECOND < now + APART


def _heard(account: Account, session: Session, said: Sync) -> Account:
    """Take down a new Sync: first what is charged and given back, then what is wanted."""
    meters = {lease: meter for meter, book in account.books.items() for lease, _ in book.of(said.session)}
    held, spent = dict(account.books), dict[str, int]()
    for item in said.spent:
        if meter := meters.get(item.lease):
            before = held[meter].leases[item.lease].spent
            spent[meter] = spent.get(meter, 0) + max(0, item.amount - before)
            held[meter] = held[meter].settled(item.lease, item.amount, account.time)
    for lease in said.returned:
        if meter := meters.get(lease):
            held[meter] = held[meter].returned(lease)
    recent = slices.remembered(session.recent, spent, account.time - session.heard)
    known = (one.plan for one in account.sessions.values())
    after = session.spoke(said, recent, known, account.time)
    counters = sessions.more(account.counters, session.counters, said.counters)
    account = _with_session(replace(account, books=held, counters=counters), said.session, after)
    account = _lent(account, after, said, room=documents.LEASES_MAX - len(meters))
    return _shared(account, after, fresh=False)


def _lent(account: Account, session: Session, said: Sync, *, room: int) -> Account:
    """Lend what is wanted, as far as it fits."""
    held, serial = dict(account.books), account.serial
    for want in said.wants[: max(0, room)]:
        meter = session.plan.by_id.get(want.meter)
        if meter is None or meter.shared_by_shares:
            continue
        book = held.get(want.meter, Book(meter.window))
        amount = slices.size(
            want.amount,
            free=account.limit(session, want.meter) - book.used(account.time),
            recent=session.recent.get(want.meter, 0),
            replicas=session.plan.replicas,
        )
        if amount:
            serial += 1
            lease = books.Lease(said.session, said.sequence, amount)
            held[want.meter] = book.lent(f"{account.born:x}.{serial:x}", lease)
    return replace(account, books=held, serial=serial)


def _shared(account: Account, session: Session, *, fresh: bool) -> Account:
    """Let a pod promise and borrow, where there is another one to lend to or borrow from.

    While not all follow one plan, nobody promises more than is lent already, and nobody borrows.
    """
    if session.plan.replicas < 2 and not account.lendings:
        return account
    lendings, others = dict(account.lendings), _other_plans(account, session)
    for _, meter in session.plan.shared:
        rules = shares.terms(meter)
        for key, side in _sides(session, meter, others, fresh=fresh):
            lendings[key] = shares.turn(lendings.get(key, Lending()), side, rules, account.time)
    return replace(account, lendings={key: lending for key, lending in lendings.items() if not lending.empty})


def _other_plans(account: Account, session: Session) -> tuple[Plan, ...]:
    """Give the plans that pods of other ordinals follow, or followed within the last minute, and this one does not."""
    plans = {
        id(plan): plan for one in account.live() if one.ordinal != session.ordinal for plan in one.plans(account.time)
    }
    return tuple(plan for plan in plans.values() if plan is not session.plan and plan != session.plan)


def _floors(session: Session, meter: documents.Meter) -> tuple[int, int]:
    """Give a pod's floors of a meter's limit and burst."""
    return (
        shares.floor(meter.limit, session.plan.replicas, session.ordinal),
        shares.floor(meter.burst, session.plan.replicas, session.ordinal),
    )


def _least(session: Session, meter: documents.Meter, others: tuple[Plan, ...]) -> tuple[int, int]:
    """Give the least floors that any plan gives which pods follow.

    Those of all ordinals are together within every limit, while pods follow a changed plan one by one.
    """
    limit, burst = _floors(session, meter)
    for plan in others:
        if (other := plan.by_id.get(meter.id)) is not None:
            limit = min(limit, shares.floor(other.limit, plan.replicas, session.ordinal))
            burst = min(burst, shares.floor(other.burst, plan.replicas, session.ordinal))
    return limit, burst


def _differ(session: Session, meter: documents.Meter, others: tuple[Plan, ...]) -> bool:
    """Say whether pods divide a meter in different ways."""
    return any(
        meter.id in plan.by_id and (plan.replicas, plan.by_id[meter.id]) != (session.plan.replicas, meter)
        for plan in others
    )


def _sides(
    session: Session, meter: documents.Meter, others: tuple[Plan, ...], *, fresh: bool
) -> Iterator[tuple[str, shares.Side]]:
    """Give how this pod stands to a meter's rate and to its burst."""
    ordinal = session.ordinal
    part, burst = _least(session, meter, others)
    fresh = fresh or _differ(session, meter, others)
    # Who does not say what it uses is taken to use what it has.
    demand = session.demand.get(meter.id, documents.Demand(meter.id, part, part * 3 // 4))
    yield meter.id, shares.amount_side(ordinal, part, demand, fresh=fresh)
    if meter.burst:
        yield meter.id + BURST, shares.burst_side(ordinal, burst, demand, fresh=fresh)


def _answer(account: Account, said: Sync) -> Synced:
    """Say what has been decided, from the account alone: a repeated Sync is told the same."""
    session = account.sessions[said.session]
    leases = tuple(
        documents.Lease(name, meter, lease.amount, _lasts(book))
        for meter, book in account.books.items()
        for name, lease in book.of(said.session)
        if lease.sequence == said.sequence and lease.assumed == books.NEVER
    )
    met = {lease.meter for lease in leases}
    return Synced(
        session=said.session,
        sequence=said.sequence,
        leases=tuple(sorted(leases, key=lambda lease: lease.id)),
        shares=tuple(_shares(account, session, carried=False)),
        refused=tuple(_refused(account, session, want) for want in said.wants if want.meter not in met),
        usage=tuple(_used(account, session)),
    )


def _lasts(book: Book) -> int:
    """Give the seconds for which a lease is given: what moves bytes goes on longer without us than what costs money."""
    bytes_ = book.window is documents.Window.HOUR
    return documents.synced.BYTES_LEASE_SECONDS if bytes_ else documents.synced.LEASE_SECONDS


def _refused(account: Account, session: Session, want: documents.Want) -> documents.Refused:
    """Say what is left of a meter, and when what was wanted comes free; SECONDS_MAX for more than there can ever be."""
    meter = session.plan.by_id.get(want.meter)
    if meter is None or meter.shared_by_shares:
        return documents.Refused(want.meter, 0, documents.synced.SECONDS_MAX)
    book = account.books.get(want.meter, Book(meter.window))
    limit = account.limit(session, want.meter)
    free = max(0, limit - book.used(account.time))
    if want.amount > limit:
        return documents.Refused(want.meter, free, documents.synced.SECONDS_MAX)
    if want.amount <= limit - book.charged(account.time):
        return documents.Refused(want.meter, free, _SOON)
    wait = windows.until_free(book.window, book.charges, account.time, want.amount - free)
    return documents.Refused(want.meter, free, -(-wait // SECOND))


def _shares(account: Account, session: Session, *, carried: bool) -> Iterator[documents.Share]:
    """Give this pod's parts where they are not its floors; in a first answer all, with what may be spent already."""
    others = _other_plans(account, session)
    for name, meter in session.plan.shared:
        floors = _floors(session, meter)
        spent = floors[0] if carried and meter.window is not documents.Window.NOW else 0
        parts = [
            shares.part(account.lendings.get(key, Lending()), session.ordinal, floor, account.time)
            for key, floor in zip((name, name + BURST), floors, strict=True)
        ]
        if _differ(session, meter, others):
            least = _least(session, meter, others)
            parts = [shares.lowered(*both) for both in zip(parts, floors, least, strict=True)]
        if spent or any(part is not None for part in parts):
            yield _share(name, floors, parts, spent)


def _share(name: str, floors: tuple[int, int], parts: list[shares.Part | None], spent: int) -> documents.Share:
    """Join rate and burst: where one is less than the floor, nothing is more, and it lasts as long as the longer."""
    pairs = list(zip(parts, floors, strict=True))
    lowered = [part.seconds for part, floor in pairs if part is not None and part.amount < floor]
    if lowered:
        amount, burst = (min(part.amount, floor) if part else floor for part, floor in pairs)
        return documents.Share(name, amount, burst, max(lowered), spent)
    amount, burst = (part.amount if part else floor for part, floor in pairs)
    return documents.Share(name, amount, burst, min((part.seconds for part in parts if part), default=0), spent)


def _used(account: Account, session: Session | None = None) -> Iterator[documents.Used]:
    """Give what the policy has used: for one session what it has leases of, else every meter of the newest plan."""
    plan = account.plan if session is None else session.plan
    for name, meter in plan.by_id.items() if plan else ():
        book = account.books.get(name)
        if book is not None:
            limit = meter.limit if session is None else account.limit(session, name)
            used = _told(book, limit, account.time) if session is None else book.used(account.time)
            yield documents.Used(name, _capped(used), limit, _left(book, account.time))
        elif session is None:
            said = [one.demand[name].used for one in account.live() if name in one.demand]
            yield documents.Used(name, _capped(sum(said)), meter.limit, 0)


def _told(book: Book, limit: int, now: int) -> int:
    """Give what people are told: pods keep bytes in stock, and those are used only when no more can be lent."""
    used = book.used(now)
    if book.window is not documents.Window.HOUR:
        return used
    return book.charged(now) if limit - used >= documents.synced.BYTES_LEAST else max(used, limit)


def _left(book: Book, now: int) -> int:
    """Give the seconds until the day is over, or until something of a sliding window comes free."""
    wait = windows.until_free(book.window, book.charges, now, 1)
    if book.window is documents.Window.DAY:
        wait = windows.DAY - now % windows.DAY
    return -(-wait // SECOND)


def _with_session(account: Account, name: str, session: Session) -> Account:
    account = replace(
        account,
        sessions={**account.sessions, name: session},
        ordinals={**account.ordinals, session.ordinal: account.time},
    )
    plans = sessions.newest(account.live())
    return account if account.plan in plans else replace(account, plan=plans[0])


def _capped(amount: int) -> int:
    return min(amount, documents.AMOUNT_MAX)
