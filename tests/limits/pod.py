"""One pod: the watchdog's own books, its clock, and a client that speaks to the ledger as the protocol demands.

Everything that it decides is decided by `zaum_watchdog.core.limits`; the rest is what any shell around it does.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from tests.limits.truth import SECOND
from zaum_api.documents import Counters, Kind, Meter, Sync, Synced, Window
from zaum_watchdog.core.limits import reservations
from zaum_watchdog.core.limits.reservations import Books, Refused, Reservation
from zaum_watchdog.core.limits.shares import Place

BEAT: Final = 10 * SECOND
ANSWER_WITHIN: Final = 3 * SECOND


@dataclass(frozen=True)
class Config:
    """What the operator wrote, and of which generation of the policy."""

    generation: int
    replicas: int
    meters: tuple[Meter, ...]
    created: int = 0


@dataclass
class Call:
    """A call: the worst case of its meters, what it really takes, and what of it has been taken by now."""

    number: int
    amounts: dict[str, int]
    used: dict[str, int]
    until: int
    asked: int
    late: bool
    """It takes all at its end, or when its lease is over; else all when it leaves."""
    taken: bool = False
    held: Reservation | None = None


@dataclass
class Pod:
    """`sent`: the Sync that waits for an answer, with what it gives back and when it was sent last."""

    uid: str
    ordinal: int
    config: Config
    base: int
    ppm: int
    born: int
    session: str = ""
    sequence: int = 0
    attempt: int = 0
    sent: tuple[Sync, tuple[str, ...], int] | None = None
    beat: int = 0
    calls: dict[int, Call] = field(default_factory=dict)
    waiting: dict[int, Call] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)
    cut_off: int = 0
    """Until when no message passes, in true time."""
    adopts: tuple[int, Config] | None = None
    dies: int | None = None
    told: dict[str, int] = field(default_factory=dict)
    """By meter, what the books were told to charge."""
    numbers: int = 0

    def __post_init__(self) -> None:
        place = Place(self.config.replicas, self.ordinal)
        self.books = Books(self.config.meters, place, self.clock(self.born))

    def clock(self, now: int) -> int:
        """Give the pod's monotonic clock."""
        passed = now - self.born
        return self.base + passed + passed * self.ppm // 1_000_000

    # Calls.

    def ask(self, amounts: dict[str, int], used: dict[str, int], *, lasts: int, late: bool, now: int) -> Call | None:
        """Let a call ask; give it where it leaves at once."""
        self.numbers += 1
        here = self.clock(now)
        call = Call(self.numbers, amounts, used, here + lasts, here, late)
        return self._left(call, here)

    def _left(self, call: Call, here: int) -> Call | None:
        found = self.books.reserve(call.number, call.amounts, now=here, until=here + call.until - call.asked)
        if isinstance(found, Refused):
            if found.leased and here - call.asked < reservations.PATIENCE:
                self.books.wait(call.number, call.amounts)
                self.waiting[call.number] = call
            else:
                self.books.give_up(call.number)
                self.waiting.pop(call.number, None)
            return None
        self.waiting.pop(call.number, None)
        call.held = found
        self.calls[call.number] = call
        return call

    def retry(self, now: int) -> list[Call]:
        """Give everybody in the line a turn; give those that leave."""
        calls = [self.waiting[number] for number in self.books.waiting]
        return [left for call in calls if (left := self._left(call, self.clock(now))) is not None]

    def end(self, call: Call, now: int) -> None:
        """Settle what a call took; its worst case where nobody can say."""
        del self.calls[call.number]
        self.books.settle(call.number, call.used, self.clock(now))

    def expire(self, now: int) -> list[Call]:
        return [self.calls.pop(number) for number in self.books.expire(self.clock(now))]

    def ending(self, ahead: int) -> list[Call]:
        """Give the late calls of which a lease is over at `ahead`, a true time."""
        here = self.clock(ahead)
        return [
            call
            for call in self.calls.values()
            if not call.taken
            and call.held is not None
            and any(part.held.until <= here for parts in call.held.parts.values() for part in parts)
        ]

    def connect(self, now: int) -> None:
        for places in self.books.places.values():
            if places.left(self.clock(now)):
                places.take()
            else:
                places.refuse(self.clock(now))

    def hang_up(self, dice: random.Random) -> None:
        for places in self.books.places.values():
            for _ in range(dice.randrange(places.held + 1)):
                places.give()

    def close_borrowed(self, now: int) -> None:
        """Close what is beyond both part and floor; below the floor it is only waited."""
        for places in self.books.places.values():
            amount = places.bounds.amount
            while places.held > max(amount.at(self.clock(now)), amount.floor):
                places.give()

    # The ledger.

    def adopt(self, config: Config, now: int) -> None:
        self.config = config
        self.books.retune(config.meters, Place(config.replicas, self.ordinal), self.clock(now))

    @property
    def names(self) -> set[str]:
        return {meter.id for meter in self.config.meters}

    def message(self, now: int) -> Sync | None:
        """Give what is to be sent now: something new, or what was not answered again; None for nothing."""
        here = self.clock(now)
        if self.sent is not None:
            said, returned, sent = self.sent
            if here - sent < ANSWER_WITHIN:
                return None
            self.sent = said, returned, here
        elif here - self.beat >= BEAT or self.books.waiting or not self.session:
            self.sequence += 1
            said, returned = self._said(here)
            self.beat = here
            self.sent = said, returned, here
        else:
            return None
        self.attempt += 1
        return said

    def _said(self, here: int) -> tuple[Sync, tuple[str, ...]]:
        report = self.books.report(here)
        return Sync(
            session=self.session,
            sequence=self.sequence,
            config="sha256:0",
            generation=self.config.generation,
            replicas=self.config.replicas,
            ordinal=self.ordinal,
            meters=self.config.meters,
            spent=report.spent,
            returned=report.returned,
            wants=report.wants,
            demand=report.demand,
            counters=Counters(requests=self.numbers),
            created=self.config.created,
        ), report.returned

    def hear(self, answer: Synced, now: int) -> None:
        assert self.sent is not None
        said, returned, sent = self.sent
        self.sent = None
        self.session = answer.session
        self.books.hear(answer, returned=returned, sent=sent, now=self.clock(now))
        assert said.sequence == answer.sequence

    def lose(self) -> None:
        """The ledger does not know the session."""
        self.sent = None
        self.session, self.sequence = "", 0
        self.books.lost()


def amounts_of(config: Config, worst: int) -> dict[str, int]:
    """Give the worst case of a call to a model, of the meters that there are."""
    found = {}
    for meter in config.meters:
        match meter.kind, meter.window:
            case Kind.REQUESTS, Window.MINUTE:
                found[meter.id] = 1
            case Kind.TOKENS, _:
                found[meter.id] = worst
            case Kind.COST, Window.DAY:
                found[meter.id] = 5 * worst
            case _:
                pass
    return found


def scaled(amounts: dict[str, int], tokens: int, worst: int) -> dict[str, int]:
    """Give what a call of `tokens` takes of what was reserved for `worst`."""
    return {name: amount if amount == 1 else amount * tokens // worst for name, amount in amounts.items()}
