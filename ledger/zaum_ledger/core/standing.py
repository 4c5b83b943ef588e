"""The orders that stand for a policy's pods: given for an Incident, or by the ledger itself for a while.

What is ordered for an Incident stands until its RELEASE, also for pods that come later; what is for one pod, a day at
most. Numbers rise strictly: they are times, or one more than the last, so a book that was forgotten gives none twice.
A pod that a cut or kill still stands for is told of no release.
"""

from dataclasses import dataclass, replace
from typing import Final

from zaum_api import documents
from zaum_api.documents import Action
from zaum_ledger.core.windows import DAY

KEPT: Final = 128
Orders = tuple["Standing", ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """One order. `pod`: the uid of the one that it is for, empty for all; `until`: when it is over, 0 for never."""

    number: int
    action: Action
    incident: str
    reason: str
    pod: str = ""
    until: int = 0

    def same(self, other: "Standing") -> bool:
        """Say whether both order the same, whenever that was."""
        return (self.action, self.incident, self.pod) == (other.action, other.incident, other.pod)

    def order(self) -> documents.Order:
        """Give what a watchdog is told."""
        return documents.Order(self.number, self.action, self.reason)


def added(orders: Orders, new: Standing, now: int) -> Orders:
    """Put an order up under the next number. One that stands already keeps its own, and stands for the longer time.

    A release takes back what was ordered for its Incident, for one pod or for all; what is ordered for it again
    overtakes the release.
    """
    number = max([now, *(one.number + 1 for one in orders)])
    if not new.until and (new.pod or new.action is Action.RELEASE):
        new = replace(new, until=now + DAY)
    orders = tuple(one for one in orders if one.same(new) or not _overtaken(one, new))
    for one in orders:
        if one.same(new):
            longer = 0 if 0 in (one.until, new.until) else max(one.until, new.until)
            return tuple(replace(each, until=longer) if each is one else each for each in orders)
    return _bounded((*orders, replace(new, number=number)))


def _overtaken(one: Standing, new: Standing) -> bool:
    ends = Action.RELEASE in (one.action, new.action)
    return ends and one.incident == new.incident and (not new.pod or one.pod == new.pod)


def ending(orders: Orders, incident: str, until: int) -> Orders:
    """Let what was ordered to single pods for an Incident end by itself, at a time at the latest."""
    return tuple(
        replace(one, until=min(one.until, until)) if one.incident == incident and one.until else one for one in orders
    )


def at(orders: Orders, now: int) -> Orders:
    """Let time pass: what is over goes, and where that was a cut, the pods are told so."""
    if all(one.until == 0 or one.until > now for one in orders):
        return orders
    kept = tuple(one for one in orders if one.until == 0 or one.until > now)
    for one in orders:
        if one not in kept and one.action is Action.CUT:
            kept = added(kept, replace(one, action=Action.RELEASE, until=0), now)
    return kept


def for_pod(orders: Orders, uid: str) -> tuple[documents.Order, ...]:
    """Give what one pod is told, in the order of the numbers."""
    concerns = [one for one in orders if one.pod in ("", uid)]
    bound = [one for one in concerns if one.action is not Action.RELEASE]
    return tuple(one.order() for one in (bound or concerns)[-documents.ORDERS_MAX :])


def lasting(orders: Orders) -> bool:
    """Say whether one stands for whichever pod may come."""
    return any(one.action is not Action.RELEASE and not one.pod for one in orders)


def _bounded(orders: Orders) -> Orders:
    """Drop, when there are too many, what matters least: a release, then what is for one pod, the oldest first."""
    while len(orders) > KEPT:
        least = min(orders, key=lambda one: (one.action is not Action.RELEASE, not one.pod, one.number))
        orders = tuple(one for one in orders if one is not least)
    return orders
