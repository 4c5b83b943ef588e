"""A pod's part of what is shared by shares: of a rate, of the tokens of a minute, of connections.

A part is the floor, unless the ledger said otherwise for a time. What gives more counts from when it was asked for, and
what gives less from when it was heard, so that no answer's delay adds to the sum over all pods. Nothing is allowed by
a start: the meters of a new pod are spent until its minute is over, or the ledger says what is really spent.
"""

from dataclasses import dataclass
from typing import Final

from zaum_api import documents
from zaum_api.documents import synced
from zaum_watchdog.core.limits.recent import SECOND, Recent

MINUTE: Final = 60 * SECOND
_UNHEARD: Final = synced.SHARE_SECONDS_MAX * SECOND


def floor(amount: int, *, replicas: int, ordinal: int) -> int:
    """Give what a pod has without anybody's word; all floors together are the amount."""
    if ordinal >= replicas:
        return 0
    return amount // replicas + (ordinal < amount % replicas)


@dataclass(slots=True)
class Part:
    """One bound: the floor, but `said` until `until`."""

    floor: int
    said: int = 0
    until: int = 0

    def at(self, now: int) -> int:
        """Give what holds."""
        return self.said if now < self.until else self.floor

    def hear(self, amount: int, *, seconds: int, sent: int, heard: int) -> None:
        """Follow the ledger: more than the floor from `sent` on, less from `heard` on."""
        self.said = amount
        self.until = (sent if amount > self.floor else heard) + seconds * SECOND

    def lower(self, amount: int, *, seconds: int, heard: int) -> None:
        """Follow an answer to what is outdated: it may lower, and last longer."""
        if amount < self.at(heard):
            self.said, self.until = amount, max(self.until, heard + seconds * SECOND)


@dataclass(frozen=True, slots=True)
class Place:
    """Which of a policy's pods this is."""

    replicas: int
    ordinal: int


class Bounds:
    """What a meter's share allows: an amount, and a burst."""

    __slots__ = ("_replicas", "amount", "burst")

    def __init__(self, meter: documents.Meter, place: Place, now: int) -> None:
        # A pod of several that has heard nothing: the one before it may have lent its floor to others.
        until = now + _UNHEARD if place.replicas > 1 else 0
        self._replicas = place.replicas
        self.amount = Part(_floor(meter.limit, place), 0, until)
        self.burst = Part(_floor(meter.burst, place), 0, until)

    def hear(self, share: documents.Share | None, *, sent: int, heard: int, outdated: bool = False) -> None:
        """Follow an answer; None: it does not name the meter. `outdated`: what was said is no longer the document's."""
        if outdated:
            if share is not None:
                self.amount.lower(share.amount, seconds=share.seconds, heard=heard)
                self.burst.lower(share.burst, seconds=share.seconds, heard=heard)
            return
        if share is None:
            self.amount.until = self.burst.until = 0
            return
        self.amount.hear(share.amount, seconds=share.seconds, sent=sent, heard=heard)
        self.burst.hear(share.burst, seconds=share.seconds, sent=sent, heard=heard)

    def retune(self, meter: documents.Meter, place: Place, now: int) -> None:
        """Follow a changed document: nothing grows before the ledger has heard of it, where others share it or did."""
        until = now + _UNHEARD if max(place.replicas, self._replicas) > 1 else 0
        self._replicas = place.replicas
        for part, limit in ((self.amount, meter.limit), (self.burst, meter.burst)):
            kept, part.floor = part.at(now), _floor(limit, place)
            part.said, part.until = min(kept, part.floor), until

    def change_before(self, now: int, *, after: int) -> int:
        """Give when something of it changes by itself in the time up to `now`, or `now`."""
        for part in (self.amount, self.burst):
            if after < part.until < now:
                now = part.until
        return now


def _floor(amount: int, place: Place) -> int:
    return floor(amount, replicas=place.replicas, ordinal=place.ordinal)


class Requests:
    """Requests per minute with a burst: a bucket that drips, which is GCRA with a rate that may change.

    It holds credits of a nanosecond's worth: a request costs MINUTE of them, and `amount` come every nanosecond.
    """

    __slots__ = ("_asked", "_credits", "_fresh", "_last", "_used", "bounds")

    def __init__(self, meter: documents.Meter, place: Place, now: int) -> None:
        self.bounds = Bounds(meter, place, now)
        self._credits = 0
        self._last = now
        self._fresh = True
        self._used = Recent()
        self._asked = Recent()

    def hear(self, share: documents.Share | None, *, sent: int, heard: int, outdated: bool = False) -> None:
        """Follow an answer. The first one says what a pod before has spent; what it cannot have spent is there."""
        self._advance(heard)
        self.bounds.hear(share, sent=sent, heard=heard, outdated=outdated)
        if self._fresh:
            self._fresh = False
            spent = (share.carried if share is not None else 0) + self._used.total(heard)
            left = min(self.bounds.burst.at(heard), self.bounds.amount.at(heard) - spent)
            self._credits = max(self._credits, left * MINUTE)
        self._credits = min(self._credits, self.bounds.burst.at(heard) * MINUTE)

    def retune(self, meter: documents.Meter, place: Place, now: int) -> None:
        """Follow a changed document, and keep what is spent."""
        self._advance(now)
        self.bounds.retune(meter, place, now)
        self._credits = min(self._credits, self.bounds.burst.at(now) * MINUTE)

    def wait(self, now: int) -> int:
        """Give the nanoseconds until a request could be had as things stand, 0 for at once."""
        self._advance(now)
        wanting = MINUTE - self._credits
        if wanting <= 0:
            return 0
        amount = self.bounds.amount.at(now)
        if amount == 0 or self.bounds.burst.at(now) == 0:
            return MINUTE
        return -(-wanting // amount)

    def fit(self, _more: int, now: int) -> bool:
        """Say whether a request could be had at once."""
        if now > self._last:
            self._advance(now)
        return self._credits >= MINUTE

    def left(self, now: int) -> int:
        """Give how many could be had at once."""
        self._advance(now)
        return max(0, self._credits // MINUTE)

    def stands(self, now: int) -> tuple[int, int]:
        """Give what is left, and of how many at most."""
        if now > self._last:
            self._advance(now)
        left = self._credits // MINUTE
        part = self.bounds.burst
        return (left if left > 0 else 0), (part.said if now < part.until else part.floor)

    def ask(self, now: int) -> None:
        """Count that somebody asked, whether or not he got it."""
        self._asked.add(1, now)

    def take(self, now: int) -> None:
        """Count a request for which `wait` said 0."""
        self._advance(now)
        self._credits -= MINUTE
        self._used.add(1, now)

    def spend(self, now: int) -> None:
        """Count that somebody asked, and got what `fit` found at the same time."""
        self._credits -= MINUTE
        self._asked.add(1, now)
        self._used.add(1, now)

    def demand(self, name: str, now: int) -> documents.Demand:
        """Say what was used and asked for in the last minute."""
        used = self._used.total(now)
        return documents.Demand(name, used, max(used, self._asked.total(now)))

    def _advance(self, now: int) -> None:
        last = self._last
        if now <= last:
            return  # Whoever changes the bounds makes them hold at once.
        bounds = self.bounds
        amount, burst = bounds.amount, bounds.burst
        if amount.until <= last and burst.until <= last:  # The floor held all the time, as nearly always.
            self._credits = min(self._credits + amount.floor * (now - last), burst.floor * MINUTE)
            self._last = now
            return
        while self._last < now:
            until = bounds.change_before(now, after=self._last)
            most = bounds.burst.at(self._last) * MINUTE
            come = bounds.amount.at(self._last) * (until - self._last)
            self._credits = min(self._credits + come, most)
            self._last = until
        most = bounds.burst.at(now) * MINUTE
        self._credits = min(self._credits, most)


class Minute:
    """Tokens of a sliding minute: what is reserved counts for as long as it is, what is settled for a minute more."""

    __slots__ = ("_asked", "_fresh", "_reserved", "_settled", "_spent_until", "bounds", "divided")

    def __init__(self, meter: documents.Meter, place: Place, now: int) -> None:
        self.bounds = Bounds(meter, place, now)
        self.divided = 1
        """What the share is divided by, while the agent is throttled."""
        self._fresh = True
        self._spent_until = now + MINUTE
        self._reserved = 0
        self._settled = Recent()
        self._asked = Recent()

    def hear(self, share: documents.Share | None, *, sent: int, heard: int, outdated: bool = False) -> None:
        """Follow an answer. The first one says what a pod before has spent."""
        self.bounds.hear(share, sent=sent, heard=heard, outdated=outdated)
        if self._fresh:
            self._fresh = False
            self._spent_until = 0
            self._settled.add(share.carried if share is not None else 0, heard)

    def retune(self, meter: documents.Meter, place: Place, now: int) -> None:
        """Follow a changed document, and keep what is spent."""
        self.bounds.retune(meter, place, now)

    def room(self, now: int) -> int:
        """Give how many tokens could be reserved; negative where a share got smaller than what is used."""
        if now < self._spent_until:
            return 0
        return self.most(now) - self._reserved - self._settled.total(now)

    def most(self, now: int) -> int:
        """Give how many tokens a minute has."""
        return self.bounds.amount.at(now) // self.divided

    def stands(self, now: int) -> tuple[int, int]:
        """Give what is left, and of how many at most."""
        part = self.bounds.amount
        most = (part.said if now < part.until else part.floor) // self.divided
        return (0 if now < self._spent_until else most - self._reserved - self._settled.total(now)), most

    def fit(self, amount: int, now: int) -> bool:
        """Say whether so many could be reserved."""
        if now < self._spent_until:
            return amount <= 0
        part, settled = self.bounds.amount, self._settled
        most = (part.said if now < part.until else part.floor) // self.divided
        return amount <= most - self._reserved - settled.total(now)

    def wait(self, amount: int, now: int) -> int:
        """Give the nanoseconds until `amount` may be had: 0 for at once, a minute where it cannot.

        What calls under way will have used is not known: a second at least where they hold what is wanted.
        """
        if amount <= self.room(now):
            return 0
        if now < self._spent_until:
            return self._spent_until - now
        free = self.most(now) - amount
        if free < 0:
            return MINUTE
        return max(SECOND if self._reserved else 0, self._settled.until(free, now))

    def ask(self, amount: int, now: int) -> None:
        """Count that somebody asked, whether or not he got it."""
        self._asked.add(amount, now)

    def reserve(self, amount: int) -> None:
        """Set aside an amount for which there is room."""
        self._reserved += amount

    def spend(self, amount: int, now: int) -> None:
        """Count that somebody asked, and set aside what `fit` found."""
        self._asked.add(amount, now)
        self._reserved += amount

    def settle(self, reserved: int, used: int, now: int) -> None:
        """Take back a reservation, and count what was used."""
        self._reserved -= reserved
        self._settled.add(used, now)

    def demand(self, name: str, now: int) -> documents.Demand:
        """Say what was used and asked for in the last minute."""
        used = self._reserved + self._settled.total(now)
        return documents.Demand(name, used, max(used, self._asked.total(now)))


class Places:
    """Connections at the same time."""

    __slots__ = ("_asked", "bounds", "held")

    def __init__(self, meter: documents.Meter, place: Place, now: int) -> None:
        self.bounds = Bounds(meter, place, now)
        self.held = 0
        self._asked = Recent()

    def hear(self, share: documents.Share | None, *, sent: int, heard: int, outdated: bool = False) -> None:
        """Follow an answer. Nothing of what a pod before held is held any more."""
        self.bounds.hear(share, sent=sent, heard=heard, outdated=outdated)

    def retune(self, meter: documents.Meter, place: Place, now: int) -> None:
        """Follow a changed document."""
        self.bounds.retune(meter, place, now)

    def left(self, now: int) -> int:
        """Give how many more could be had; none where a share got smaller than what is held."""
        return max(0, self.bounds.amount.at(now) - self.held)

    def fit(self, more: int, now: int) -> bool:
        """Say whether what is held, and so many more, are within the share."""
        return self.held + more <= self.bounds.amount.at(now)

    def refuse(self, now: int) -> None:
        """Count that somebody got none."""
        self._asked.add(1, now)

    def take(self) -> None:
        """Count one that begins."""
        self.held += 1

    def give(self) -> None:
        """Count one that ended."""
        self.held -= 1

    def demand(self, name: str, now: int) -> documents.Demand:
        """Say how many are held, and how many more were wanted in the last minute."""
        return documents.Demand(name, self.held, self.held + self._asked.total(now))
