"""The book of one meter that is spent by leases: what is charged, and what is lent.

Invariant (I07): charges in the window + what outstanding leases have left <= the limit, whenever something is lent.
Whatever is spent was lent before and is charged not before it is spent, so at any moment what has really been spent
within the window is either charged in it or still outstanding: the sum bounds it. This holds for sliding windows and
for days alike, with one rule for both: **an amount is charged to the bucket in which the ledger hears of it**, and what
is outstanding weighs on every window until then. What is spent just before midnight and settled just after weighs on
both days and is charged to the later one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from zaum_api.documents import Window
from zaum_ledger.core import windows

NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class Lease:
    """An amount that one session may spend. `spent`: what it has said so far, cumulative.

    `sequence`: of the answer that gave it. `assumed`: the bucket to which the whole of it was charged when its session
    fell silent; NEVER while it is outstanding.
    """

    session: str
    sequence: int
    amount: int
    spent: int = 0
    assumed: int = NEVER

    @property
    def left(self) -> int:
        """Give what can still be spent without anybody having charged it."""
        return max(0, self.amount - self.spent) if self.assumed == NEVER else 0


@dataclass(frozen=True, slots=True)
class Book:
    """Charges by bucket and leases by id, of one meter."""

    window: Window
    charges: Mapping[int, int] = field(default_factory=dict)
    leases: Mapping[str, Lease] = field(default_factory=dict)

    def charged(self, now: int) -> int:
        """Add up the charges of the window that runs."""
        return windows.total(self.window, self.charges, now)

    @property
    def outstanding(self) -> int:
        """Add up what is lent and not charged."""
        return sum(lease.left for lease in self.leases.values())

    def used(self, now: int) -> int:
        """Give what cannot be lent any more: charged or outstanding."""
        return self.charged(now) + self.outstanding

    def of(self, session: str) -> Iterator[tuple[str, Lease]]:
        """Give the leases of a session."""
        return ((name, lease) for name, lease in self.leases.items() if lease.session == session)

    def lent(self, name: str, lease: Lease) -> "Book":
        """Lend. The caller has seen that it fits."""
        return replace(self, leases={**self.leases, name: lease})

    def settled(self, name: str, spent: int, now: int) -> "Book":
        """Charge what a lease has been spent by beyond what is charged already; `spent` is cumulative.

        More than the lease is charged too: what is proven counts. An assumed lease is charged already up to its amount.
        """
        lease = self.leases[name]
        if spent <= lease.spent:
            return self
        known = lease.spent if lease.assumed == NEVER else max(lease.amount, lease.spent)
        book = replace(self, leases={**self.leases, name: replace(lease, spent=spent)})
        return book._charged(windows.bucket(self.window, now), max(0, spent - known))

    def returned(self, name: str) -> "Book":
        """End a lease: what it has left can be lent again, or the charge that was assumed is corrected downwards.

        Once at most: the lease is gone from the book.
        """
        lease = self.leases[name]
        book = replace(self, leases={other: held for other, held in self.leases.items() if other != name})
        if lease.assumed == NEVER or lease.assumed not in self.charges:
            return book
        return book._charged(lease.assumed, -max(0, lease.amount - lease.spent))

    def assumed(self, session: str, at: int) -> "Book":
        """Charge all that a silent session has left, at the moment `at` when it could last spend it."""
        mine = {name: lease for name, lease in self.of(session) if lease.assumed == NEVER}
        if not mine:
            return self
        number = windows.bucket(self.window, at)
        left = sum(lease.left for lease in mine.values())
        written = {name: replace(lease, assumed=number) for name, lease in mine.items()}
        return replace(self, leases={**self.leases, **written})._charged(number, left)

    def at(self, now: int) -> "Book":
        """Leave out what counts no more: charges, and assumed leases whose charge is gone."""
        charges = windows.counting(self.window, self.charges, now)
        leases = {name: lease for name, lease in self.leases.items() if not self._over(lease, now)}
        if charges is self.charges and len(leases) == len(self.leases):
            return self
        return replace(self, charges=charges, leases=leases)

    def _over(self, lease: Lease, now: int) -> bool:
        return lease.assumed != NEVER and windows.ends(self.window, lease.assumed) <= now

    def _charged(self, number: int, amount: int) -> "Book":
        after = self.charges.get(number, 0) + amount
        rest = {other: charge for other, charge in self.charges.items() if other != number}
        return replace(self, charges={**rest, number: after} if after else rest)
