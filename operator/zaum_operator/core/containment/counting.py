"""How many kills a policy has behind it, and what the next breach asks for. A release forgives what was before it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Final, Literal

from zaum_api import incidents
from zaum_operator.core.containment.incident import Condition, Incident

WINDOW: Final = timedelta(hours=24)
Answer = Literal["Throttle", "Cut", "Kill", "Quarantine"]


def kills(found: Iterable[Incident], *, at: datetime, but: str = "") -> int:
    """Count the breaches of a policy within a day before a moment, since the last release; `but`: an Incident's name.

    What a person asked for is none, and neither is what nobody blames the agent for (`incidents.UNBLAMED`).
    """
    every = tuple(found)
    forgiven = [since for item in every if (since := item.since(Condition.RELEASED)) is not None and since <= at]
    begin = max([at - WINDOW, *forgiven])
    mine = (item for item in every if _is_breach(item) and item.name != but)
    return sum(begin < item.created and _is_before(item, at, but) for item in mine)


def released(found: Iterable[Incident], *, at: datetime) -> frozenset[str]:
    """Name the Incidents whose release forgives kills that would still count."""
    known = ((item.name, item.since(Condition.RELEASED)) for item in found)
    return frozenset(name for name, since in known if since is not None and at - since < WINDOW)


def answer(kills_before: int, *, on: Answer = "Kill", allowed: int, told: int = 0) -> incidents.Action:
    """Give what a breach asks for after so many kills. `told`: how many the ledger counts; the higher number holds."""
    if on == "Quarantine" or max(kills_before, told) >= allowed:
        return incidents.Action.QUARANTINE
    return incidents.Action.KILL


def is_due(incident: Incident, found: Iterable[Incident], *, on: Answer = "Kill", allowed: int) -> bool:
    """Say whether an open Kill has to be a Quarantine, because there were too many before it. `on`: by its reason.

    Two reporters may have counted differently, and the stricter one holds.
    """
    if incident.quarantine or incident.hold is None or not _is_breach(incident):
        return False
    before = kills(found, at=incident.created, but=incident.name)
    return answer(before, on=on, allowed=allowed) is incidents.Action.QUARANTINE


def duplicates(found: Iterable[Incident]) -> dict[str, str]:
    """Give the open Incidents that hold the policy's name as an older one does, each with the oldest one's name.

    One that somebody releases stands in for no other: it is about to hold nothing.
    """
    whole = (item for item in found if item.hold is not None and item.hold.whole)
    standing = list(dropwhile(lambda item: item.release is not None, whole))
    return {item.name: standing[0].name for item in standing[1:]}


def _is_breach(item: Incident) -> bool:
    return item.reporter != incidents.Reporter.HUMAN.value and item.reason not in incidents.UNBLAMED


def _is_before(item: Incident, at: datetime, but: str) -> bool:
    """Compare by creation, which is known to the second, then by name: the same for whoever counts."""
    return item.created < at or (item.created == at and (not but or item.name < but))
