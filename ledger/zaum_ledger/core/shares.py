"""Lend a pod what other pods leave unused of a rate or a number of connections, so that the sum never passes the limit.

Every pod has its floor, and the floors together are the limit. A pod that uses little *promises*: until then it stays
below its floor by an amount. A pod that wants more gets *loans*, each backed by one pod's promise and over before it.

- A promise backs nothing until it is known to have been heard: the next Sync of the same session says so. Until then
  the promise before holds too, and what both say is what counts (`Lending.certain`).
- A loan weighs longer than it lasts, by `Terms.hold`: what was spent of it stays in a sliding minute after its end, and
  two clocks do not run alike. Only then the one who promised has its floor again.
- Promises and loans belong to ordinals, not to sessions: a new pod is bound by what the one before it has promised.

So without ledger everybody is back at the floor within a bounded time, and no message lost or late adds to the sum.
All times in milliseconds of the ledger's time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from zaum_api.documents import Demand, Kind, Meter
from zaum_api.documents import synced as documents_synced
from zaum_ledger.core.windows import MINUTE, SECOND

LOAN: Final = 15 * SECOND
_PROMISED: Final = 35 * SECOND
"""Beyond the hold: a loan, and two Syncs until the promise is known to have been heard."""
UNSETTLED: Final = documents_synced.SHARE_SECONDS_MAX
"""Seconds for which a pod keeps to the least of several plans, unless it is told otherwise before."""
_HUNGRY: Final = 30 * SECOND
"""How long pods are asked for promises after somebody could not get enough."""
_DRIFT: Final = 5 * SECOND
_LONGEST: Final = _DRIFT + MINUTE
"""The longest hold."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What differs between the kinds of meters that are shared by shares."""

    hold: int
    """How long what was spent of a loan stays in the window after the loan's end."""
    drained: bool
    """A pod must have got below what it promised before others may use it; a rate is spent as it passes."""


def terms(meter: Meter) -> Terms:
    """Give the terms of a meter."""
    match meter.kind:
        case Kind.REQUESTS:
            return Terms(hold=_DRIFT, drained=False)
        case Kind.TOKENS:
            return Terms(hold=_LONGEST, drained=True)
        case _:
            return Terms(hold=_DRIFT, drained=True)


def floor(limit: int, replicas: int, ordinal: int) -> int:
    """Give a pod's part: all parts together are the limit; lower ordinals get what division leaves."""
    if ordinal >= replicas:
        return 0
    return limit // replicas + (ordinal < limit % replicas)


@dataclass(frozen=True, slots=True)
class Promise:
    """That an ordinal stays below its floor by `amount` until `until`. `told`: in an answer, by the ledger of now."""

    amount: int = 0
    until: int = 0
    told: bool = True

    def both(self, other: "Promise") -> "Promise":
        """Give what two promises have in common."""
        if not (self.told and other.told):
            return NOTHING
        return Promise(min(self.amount, other.amount), min(self.until, other.until))


NOTHING: Final = Promise()


@dataclass(frozen=True, slots=True)
class Loan:
    """What one ordinal may use of another one's floor until `ends`, and which weighs until `until`."""

    lender: int
    borrower: int
    amount: int
    ends: int
    until: int


@dataclass(frozen=True, slots=True)
class Side:
    """One pod at one Sync: what it has `used` of the window, could do without, and wants beyond its floor.

    `fresh`: the first Sync of its session.
    """

    ordinal: int
    floor: int
    used: int
    spare: int
    wanted: int
    fresh: bool = False


def amount_side(ordinal: int, part_: int, demand: Demand, *, fresh: bool) -> Side:
    """Judge a pod by its demand: a busy one wants a quarter more than it was asked for, an idle one keeps a quarter."""
    busy = demand.asked > 0 and demand.asked * 10 >= part_ * 8
    wanted = max(1, demand.asked + demand.asked // 4 - part_) if busy and not fresh else 0
    spare = 0 if busy or fresh else max(0, part_ - max(demand.asked * 3 // 2, part_ // 4))
    return Side(ordinal, part_, demand.used, spare, wanted, fresh)


def burst_side(ordinal: int, part_: int, demand: Demand, *, fresh: bool) -> Side:
    """Judge a pod by its part of a burst: without any it can send nothing at all, and only then it wants some."""
    wanted = int(part_ == 0 and demand.asked > 0 and not fresh)
    spare = 0 if demand.asked > 0 or fresh else part_
    return Side(ordinal, part_, demand.used, spare, wanted, fresh)


@dataclass(frozen=True, slots=True)
class Part:
    """What a pod may use now, for `seconds`; none for a pod at its floor."""

    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Lending:
    """Who has promised and borrowed what of one meter. `said`: the last promise asked for; `heard`: the last known."""

    said: Mapping[int, Promise] = field(default_factory=dict)
    heard: Mapping[int, Promise] = field(default_factory=dict)
    loans: tuple[Loan, ...] = ()
    hungry: int = 0
    """Until when somebody wants more."""

    def certain(self, ordinal: int) -> Promise:
        """Give what an ordinal is certainly bound by, whether or not it heard the last answer."""
        return self.said.get(ordinal, NOTHING).both(self.heard.get(ordinal, NOTHING))

    def at(self, now: int) -> "Lending":
        """Leave out what is over."""
        return Lending(
            {ordinal: promise for ordinal, promise in self.said.items() if promise.until > now},
            {ordinal: promise for ordinal, promise in self.heard.items() if promise.until > now},
            tuple(loan for loan in self.loans if loan.until > now),
            self.hungry if self.hungry > now else 0,
        )

    def taken_over(self, now: int) -> "Lending":
        """Go on under another clock, whose `now` says nothing about how long ago anything was said.

        What was promised beyond what is lent backs nothing any more. What is lent is renewed no more, and weighs as if
        it had been lent now.
        """
        most = now + LOAN + _LONGEST
        loans = tuple(replace(loan, ends=0, until=max(loan.until, most)) for loan in self.loans)
        said = {loan.lender: replace(_owed(loans, loan.lender), told=False) for loan in loans}
        return Lending(said=said, loans=loans)

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to remember."""
        return not (self.said or self.heard or self.loans or self.hungry)


def turn(lending: Lending, side: Side, rules: Terms, now: int) -> Lending:
    """Hear one pod: what it has promised holds from here on; then ask it to promise, or lend to it."""
    lending = _acknowledged(lending.at(now), side, rules)
    promise = _promise(lending, side, rules, now)
    lending = _saying(lending, side, promise)
    if promise.amount or not side.wanted:
        return lending
    return _lent(lending, side, rules, now)


def part(lending: Lending, ordinal: int, floor_: int, now: int) -> Part | None:
    """Give what a pod may use, from what has been decided; None: its floor."""
    promise = lending.said.get(ordinal, NOTHING)
    if promise.amount and promise.until > now:
        return Part(max(0, floor_ - promise.amount), -(-(promise.until - now) // SECOND))
    usable = [(loan.ends - now, loan.amount) for loan in lending.loans if loan.borrower == ordinal]
    longest = max((left for left, _ in usable), default=0)
    if longest < SECOND:
        return None
    taken = [(left, amount) for left, amount in usable if 2 * left >= longest and left >= SECOND]
    return Part(floor_ + sum(amount for _, amount in taken), min(left for left, _ in taken) // SECOND)


def lowered(part_: Part | None, floor_: int, least: int) -> Part | None:
    """Give what is left of a part while the floor is only `least`: no loan counts, and every promise does."""
    if part_ is None or part_.amount >= floor_:
        return Part(least, UNSETTLED) if least < floor_ else None
    return Part(max(0, part_.amount - (floor_ - least)), max(part_.seconds, UNSETTLED))


def _acknowledged(lending: Lending, side: Side, rules: Terms) -> Lending:
    """Take the last promise as heard; where the pod is not below it yet, only as far as it was bound before."""
    if side.fresh:
        return lending
    said = lending.said.get(side.ordinal, NOTHING)
    if rules.drained and side.used > side.floor - said.amount:
        said = lending.certain(side.ordinal)
    return replace(lending, heard=_with(lending.heard, side.ordinal, said))


def _promise(lending: Lending, side: Side, rules: Terms, now: int) -> Promise:
    """Decide what this pod is asked to promise: at least what others have of it already."""
    owed = _owed(lending.loans, side.ordinal)
    spare = _spare(lending, side)
    if spare == 0 or spare < owed.amount:
        return owed
    return Promise(spare, now + _PROMISED + rules.hold)


def _owed(loans: Iterable[Loan], lender: int) -> Promise:
    """Give the least that a lender must promise: what others have of it."""
    backed = [loan for loan in loans if loan.lender == lender]
    return Promise(sum(loan.amount for loan in backed), max((loan.until for loan in backed), default=0))


def _spare(lending: Lending, side: Side) -> int:
    """Ask for something only while somebody is short of it, and of nobody who borrows."""
    borrows = any(loan.borrower == side.ordinal for loan in lending.loans)
    return side.spare if lending.hungry and not borrows else 0


def _saying(lending: Lending, side: Side, promise: Promise) -> Lending:
    """Write down what the answer will say. What another session of this ordinal has heard backs nothing new."""
    said = _with(lending.said, side.ordinal, promise)
    heard = _with(lending.heard, side.ordinal, NOTHING) if side.fresh else lending.heard
    return replace(lending, said=said, heard=heard)


def _lent(lending: Lending, side: Side, rules: Terms, now: int) -> Lending:
    """Renew this pod's loans and add to them, each as far as a promise backs it."""
    left = side.wanted
    loans: list[Loan] = []
    for loan in lending.loans:
        if loan.borrower == side.ordinal and left > 0:
            left -= loan.amount
            ends = max(loan.ends, _end(lending.certain(loan.lender), rules, now))
            loans.append(replace(loan, ends=ends, until=max(loan.until, ends + rules.hold)))
        else:
            loans.append(loan)
    for lender in sorted(lending.said):
        promise = lending.certain(lender)
        free = promise.amount - sum(loan.amount for loan in loans if loan.lender == lender)
        ends = _end(promise, rules, now)
        if lender != side.ordinal and free > 0 and left > 0 and ends >= now + SECOND:
            loans.append(Loan(lender, side.ordinal, min(free, left), ends, ends + rules.hold))
            left -= min(free, left)
    hungry = now + _HUNGRY if left > 0 else lending.hungry
    return replace(lending, loans=tuple(loans), hungry=hungry)


def _end(promise: Promise, rules: Terms, now: int) -> int:
    """Give when a loan must end that a promise backs."""
    return min(now + LOAN, promise.until - rules.hold)


def _with(promises: Mapping[int, Promise], ordinal: int, promise: Promise) -> Mapping[int, Promise]:
    rest = {other: held for other, held in promises.items() if other != ordinal}
    return {**rest, ordinal: promise} if promise.amount else rest
