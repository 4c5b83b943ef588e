"""The slices of one budget that this pod holds: leases of an amount, from which calls reserve and are charged.

    granted -> reserve -> charge -> given back
                  |
                  +-> what is not charged can be reserved again

Nothing is spent without a lease. A lease that ran out is reserved from no more: the ledger has charged all of it, and
gets the truth back when nothing is reserved of it any more. What is charged beyond all leases is owed, and paid from
the next ones before anything else.

Of what does not stop with the ledger (bytes) a stock is kept, whether or not anything is spent of it: what a pod spends
in a minute, or its part of a sixteenth of the limit where that is more, and never more than its part of a quarter of
what is left. Their leases last longer than a ledger takes to come back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zaum_api import documents
from zaum_watchdog.core.limits.recent import SECOND, Recent

IDLE: Final = 10 * SECOND
"""How long a slice of which nothing is spent is kept."""
AHEAD: Final = 2
"""Seconds of recent use that are asked for ahead of need."""
STOCK: Final = 16
"""Which part of a limit all pods together keep in stock at least."""
_NEVER: Final = 2**63
_OF_LEFT: Final = 4
"""Which part of what is left they keep at most."""


@dataclass(slots=True)
class Held:
    """One lease. `until`: when it runs out, unless another answer comes."""

    id: str
    amount: int
    seconds: int
    until: int
    touched: int
    spent: int = 0
    reserved: int = 0
    leaving: bool = False

    @property
    def free(self) -> int:
        """Give what is neither spent nor reserved."""
        return self.amount - self.spent - self.reserved

    def usable(self, now: int) -> int:
        """Give what may be reserved of it: nothing of one that has run out, or is given back."""
        return self.amount - self.spent - self.reserved if now < self.until and not self.leaving else 0


@dataclass(slots=True)
class Part:
    """What is reserved of one lease."""

    held: Held
    amount: int


def _by_end(held: Held) -> int:
    return held.until


class Slices:
    """All of one meter."""

    __slots__ = (
        "_asked", "_free", "_held", "_largest", "_minute", "_order", "_out", "_peak", "_recent", "_reported", "_since",
        "_stock", "_sure", "owed",
    )  # fmt: skip

    def __init__(self, now: int, *, stocked: bool = False) -> None:
        self._held: dict[str, Held] = {}
        self._free = 0
        self._out = 0
        """What is reserved."""
        self._order: list[Held] = []
        """The leases but those that are spent, those that end first before the others; empty after a change."""
        self._sure = 0
        """Until when `_free` is what could be reserved, if nothing changes."""
        self._minute = Recent() if stocked else None
        self._stock = 0
        self._recent = 0
        self._reported = now
        self._largest = 0
        self._peak = 0
        """Of what was reserved at once, since `_since`: by one call, and by all together."""
        self._since = self._asked = now
        self.owed = 0
        """Charged beyond what was held."""

    def free(self, now: int) -> int:
        """Give what could be reserved: added up anew after a change, and when a lease has run out."""
        if now < self._sure:
            return self._free
        free, sure = 0, _NEVER
        for held in self._held.values():
            free += held.usable(now)
            if now < held.until < sure:
                sure = held.until
        self._free, self._sure = free, sure
        return free

    def provide(self, limit: int, used: int, *, replicas: int, now: int) -> None:
        """Set how much is kept in stock, of a limit of which the policy's pods together hold and have spent `used`."""
        if self._minute is not None:
            left = max(0, limit - used) + self.free(now)
            wanted = max(limit // (STOCK * replicas), self._minute.total(now))
            self._stock = min(wanted, left // (_OF_LEFT * replicas))

    def fit(self, amount: int, now: int) -> bool:
        """Say whether so much could be reserved."""
        return amount <= (self._free if now < self._sure else self.free(now))

    def reserve(self, amount: int, now: int) -> tuple[Part, ...] | None:
        """Set an amount aside, of as many leases as it takes; None where it is not there."""
        if amount > (self._free if now < self._sure else self.free(now)):
            return None
        parts = self._parts(amount, now) if amount else ()
        self._free -= amount
        if now - self._since >= IDLE:
            self._largest = self._peak = 0
            self._since = now
        self._asked = now
        self._out = out = self._out + amount
        if amount > self._largest:  # noqa: PLR1730  # to call takes longer than all else here
            self._largest = amount
        if out > self._peak:  # noqa: PLR1730
            self._peak = out
        return parts

    def _parts(self, amount: int, now: int) -> tuple[Part, ...]:
        """Take an amount that is there, of the leases that end first."""
        order = self._order
        if not order:
            order = self._order = sorted(self._held.values(), key=_by_end)
        first = order[0]
        while first.spent >= first.amount and len(order) > 1:  # Nothing comes back of it.
            del order[0]
            first = order[0]
        if now < first.until and not first.leaving and amount <= first.amount - first.spent - first.reserved:
            first.reserved += amount  # As nearly always.
            first.touched = now
            return (Part(first, amount),)
        parts: list[Part] = []
        for held in order:
            usable = held.usable(now)
            if usable:
                part = usable if usable < amount else amount
                held.reserved += part
                held.touched = now
                parts.append(Part(held, part))
                amount -= part
                if not amount:
                    break
        return tuple(parts)

    def _ahead(self, now: int) -> int:
        """Say how much less is held than what the next seconds will use, or one call more will reserve."""
        elapsed = max(now - self._reported, SECOND)
        spent = AHEAD * SECOND * self._recent // elapsed
        # Nothing is kept ready for calls that have ceased, or it would be given back and asked for again.
        ready = self._peak + self._largest - self._out if now - self._asked < IDLE // 2 else 0
        return max(spent, ready) - self.free(now)

    def charge(self, parts: Iterable[Part], amount: int, now: int) -> None:
        """End a reservation, and charge what was used: less than it, or more."""
        for part in parts:
            held, reserved = part.held, part.amount
            used = reserved if reserved < amount else amount
            held.reserved -= reserved
            held.spent += used
            held.touched = now
            if self._held.get(held.id) is held:
                self._out -= reserved
                if now < held.until and not held.leaving:
                    self._free += reserved - used
            amount -= used
            self._recent += used
            if self._minute is not None and used:
                self._minute.add(used, now)
        self.owed += amount
        if self.owed:
            self._pay(now)

    def grant(self, lease: documents.Lease, *, sent: int, now: int) -> None:
        """Take a lease, which runs from when it was asked for. The same one twice is one."""
        if lease.id not in self._held:
            until = sent + lease.seconds * SECOND
            self._sure = 0
            self._order = []
            self._held[lease.id] = Held(lease.id, lease.amount, lease.seconds, until, now)
            self._pay(now)

    def renew(self, *, sent: int, heard: int) -> None:
        """Take an answer's word that the ledger heard of the leases when it was asked."""
        self._order = []
        for held in self._held.values():
            if heard < held.until:
                held.until = max(held.until, sent + held.seconds * SECOND)

    def _pay(self, now: int) -> None:
        """Pay what is owed from what is free."""
        self._sure = 0
        for held in self._held.values():
            if self.owed:
                paid = min(self.owed, held.usable(now))
                held.spent += paid
                self.owed -= paid
                self._recent += paid

    @property
    def empty(self) -> bool:
        """Say whether nothing is held."""
        return not self._held

    # What the ledger is told.

    def leave(self, now: int, *, idle: bool, after: int = IDLE) -> list[str]:
        """Choose the leases to give back: nothing is reserved of them, and they are spent, have run out, or are `idle`.

        `after`: how long nothing is spent of an idle one; 0: nothing is kept. They stay until `left`. The stock is
        kept, but one lease that is much more than that is given back for a smaller one.
        """
        stock = self._stock if after else 0
        spare = self.free(now) - stock
        for held in self._held.values():
            if held.leaving or held.reserved:
                continue
            usable = held.usable(now)
            rests = idle and now - held.touched >= after and (usable <= spare or spare > stock // 2)
            if not held.free or now >= held.until or rests:
                held.leaving = True
                self._sure = 0
                spare -= usable
        return [held.id for held in self._held.values() if held.leaving]

    def close(self) -> list[str]:
        """Give everything back, whatever is reserved of it."""
        self._sure = 0
        for held in self._held.values():
            held.leaving = True
        return [*self._held]

    def low(self, now: int) -> bool:
        """Say whether so little is free that calls will soon wait, as things go."""
        if self.free(now) < self._stock // 2:
            return True
        using = self._recent * SECOND // max(now - self._reported, SECOND) > self.free(now)
        return using or (self._largest > 0 and self._ahead(now) > self._largest // 2)

    def left(self, leases: Iterable[str]) -> None:
        """Forget leases: the ledger has heard that they are given back."""
        self._sure = 0
        self._order = []
        for lease in leases:
            gone = self._held.pop(lease, None)
            if gone is not None:
                self._out -= gone.reserved

    def spent(self) -> list[documents.Spent]:
        """Say what is spent of each lease so far."""
        return [documents.Spent(held.id, held.spent) for held in self._held.values()]

    def want(self, short: int, now: int, *, more: bool = True) -> int:
        """Say how much more is needed: what waiting calls lack, what is owed, what the next seconds use, or the stock.

        Without `more` nothing is wanted ahead of need: where little is left, that would be refused, and the need too.
        """
        ahead = self._ahead(now) if more else 0
        lacking = self._stock - self.free(now)
        if more and (ahead > 0 or lacking > self._stock // 4):
            ahead = max(ahead, lacking)
        self._recent, self._reported = 0, now
        return max(short + self.owed, ahead, 0)

    def lost(self) -> None:
        """Take word that the session ended: its leases are charged whole, and nothing is to be said of them."""
        self._sure = self._out = 0
        self._order = []
        self._held.clear()
