"""What the ledger's books say of a policy: its status, the condition WithinLimits, events when a limit is nearly spent.

Whoever gathers the books hands on a new word only in steps (`is_a_step`), so that a status is not written for each
request.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import documents, money
from zaum_api.conditions import ConditionType, Reason, Status
from zaum_api.documents import Kind, Window
from zaum_operator.core import metering
from zaum_operator.core.finding import Finding, no, yes
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot

STEPS: Final = (80, 100)
"""Percent of a limit at which an event says so."""
STEP_PERCENT: Final = 10
_NAMED: Final = 5
_NO_POD: Final = (
    "No pod of the ledger runs. Pods keep their part of rates and what they have leased; then bytes, tokens a day and"
    " money are denied (503 limits.ledgerUnavailable), to pods that start from the beginning. Look at the ledger's"
    " Deployment, its events and its claim, which needs a StorageClass."
)
_REASONS: Final = {
    Kind.REQUESTS: Reason.REQUESTS_EXCEEDED,
    Kind.CONNECTIONS: Reason.CONNECTIONS_EXCEEDED,
    Kind.BYTES_OUT: Reason.BYTES_EXCEEDED,
    Kind.BYTES_IN: Reason.BYTES_EXCEEDED,
    Kind.TOKENS: Reason.TOKENS_EXCEEDED,
    Kind.COST: Reason.COST_EXCEEDED,
}
_SAID: Final = frozenset({Reason.WITHIN.value, *(reason.value for reason in _REASONS.values())})
_GRAVEST: Final = (Kind.COST, Kind.TOKENS, Kind.BYTES_OUT, Kind.BYTES_IN, Kind.REQUESTS, Kind.CONNECTIONS)
"""Which of several spent limits gives the reason: the one that takes longest to come back."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How far a meter of the policy in force is spent, by the ledger's word."""

    meter: documents.Meter
    used: int

    @property
    def percent(self) -> int:
        """Give the share in whole percent; of a limit of 0, which denies all, nothing is ever spent."""
        return self.used * 100 // self.meter.limit if self.meter.limit else 0


@dataclass(frozen=True, slots=True)
class Near:
    """A limit of which 80 or 100 percent are spent in the window that `since` begins: one event, whoever tells it."""

    spent: Spent
    step: int
    since: datetime

    @property
    def message(self) -> str:
        """Say it."""
        return f"{self.step} % of a limit are spent: {_text(self.spent)}."


def spent(snapshot: Snapshot, plan: Plan) -> tuple[Spent, ...]:
    """Give what is known of each meter in force; what the books have beyond those no longer counts."""
    if snapshot.books is None or plan.effective is None:
        return ()
    effective = plan.effective
    used = {item.meter: item.used for item in snapshot.books.meters}
    rate = effective.requests
    meters = (
        documents.Meter(documents.POLICY, Kind.REQUESTS, Window.MINUTE, rate.per_minute, rate.burst),
        documents.Meter(documents.POLICY, Kind.CONNECTIONS, Window.NOW, effective.connections),
        *effective.metered.meters,
    )
    return tuple(Spent(meter, used[meter.id]) for meter in meters if meter.id in used)


def within(snapshot: Snapshot, plan: Plan) -> Finding:
    """Say whether any limit is spent; the gravest gives the reason, all are named."""
    if unkept := lacking(plan):
        return Finding(Status.UNKNOWN, Reason.LEDGER_MISSING, unkept)
    known = spent(snapshot, plan)
    over = sorted((item for item in known if item.percent >= 100), key=lambda item: _GRAVEST.index(item.meter.kind))
    if over:
        more = f" and {len(over) - _NAMED} more" if len(over) > _NAMED else ""
        return no(_REASONS[over[0].meter.kind], f"Spent: {', '.join(map(_limit, over[:_NAMED]))}{more}.")
    if snapshot.books is None:
        if plan.ledger and snapshot.books_awaited and (before := _before(snapshot)):
            return before
        if plan.ledger and snapshot.books_missing:
            return Finding(Status.UNKNOWN, Reason.LEDGER_MISSING, _NO_POD)
        return Finding(Status.UNKNOWN, Reason.NO_USAGE, "The ledger has not said lately what the policy has spent.")
    if not snapshot.books.pods and any(pod.ready for pod in plan.decision.keep):
        text = "Pods run, and none of them has told the ledger lately what it has spent."
        return Finding(Status.UNKNOWN, Reason.NO_USAGE, text)
    return yes(Reason.WITHIN, "No limit is spent.")


def _before(snapshot: Snapshot) -> Finding | None:
    """Give what the status says already: an operator that has just begun knows no better."""
    status = (snapshot.policy or {}).get("status") or {}
    for item in status.get("conditions") or ():
        if item.get("type") == ConditionType.WITHIN_LIMITS.value and item.get("reason") in _SAID:
            return Finding(Status(item["status"]), Reason(item["reason"]), str(item.get("message", "")))
    return None


def lacking(plan: Plan) -> str:
    """Say which stated limits nobody can keep because there is no ledger; empty where there is one, or none is."""
    if plan.ledger or plan.effective is None:
        return ""
    metered = plan.effective.metered
    ids = [item.id for item in metered.meters if not item.shared_by_shares and item.id not in metered.defaults]
    if not ids:
        return ""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return (
        f"There is no ledger to keep these limits by, and what they limit is denied: {', '.join(ids[:_NAMED])}{more}."
    )


def unpriced(plan: Plan) -> Iterator[tuple[Reason, str]]:
    """Yield the routes on which models are denied because nobody says what they cost."""
    for item in plan.effective.unpriced if plan.effective else ():
        which = f"models {', '.join(item.models[:_NAMED])}" if item.models else "models"
        entry = f'{{model: {item.models[0] if item.models else "..."}, input: "...", output: "..."}}'
        yield (
            Reason.PRICE_MISSING,
            f"Route {item.route} denies {which}, because the cost is limited and no price is known. Write what the"
            f" provider asks for a million tokens, in US dollars, into the route: prices: [{entry}]; or have the entry"
            f" added to the chart's value prices.{item.api}.",
        )


def near(snapshot: Snapshot, plan: Plan, *, now: datetime) -> tuple[Near, ...]:
    """Give the limits of hours and days that are spent by a step, at the highest each; those of minutes come and go."""
    found = []
    for item in spent(snapshot, plan):
        reached = [step for step in STEPS if item.percent >= step]
        if reached and item.meter.window in {Window.HOUR, Window.DAY}:
            found.append(Near(item, reached[-1], _since(item.meter.window, now)))
    return tuple(found)


def document(books: documents.PolicyUsage | None, *, now: datetime) -> dict[str, Any]:
    """Give what `status.usage` says beside the watchdogs' counts; nothing where the ledger says nothing."""
    if books is None:
        return {}
    used = {item.meter: item.used for item in books.meters}
    keys = {"tokens": "tokens/day", "bytesOut": "bytesOut/hour", "bytesIn": "bytesIn/hour"}
    found: dict[str, Any] = {
        name: used[f"policy:{counted}"] for name, counted in keys.items() if f"policy:{counted}" in used
    }
    if (cost := used.get("policy:cost/day")) is not None:
        found["cost"] = money.write(cost)
    if {"tokens", "cost"} & set(found):
        found["windowStart"] = f"{_since(Window.DAY, now):%Y-%m-%dT%H:%M:%SZ}"
    return found


def is_a_step(said: documents.PolicyUsage | None, now: documents.PolicyUsage | None) -> bool:
    """Say whether any meter has moved by a tenth of its limit, passed 80 or 100 percent, or begun anew.

    Also where no pod speaks any more, or one does again.
    """
    if said is None or now is None:
        return said is not now
    before = {item.meter: item for item in said.meters}
    if bool(said.pods) is not bool(now.pods):
        return True
    if set(before) != {item.meter for item in now.meters}:
        return True
    return any(_moved(before[item.meter].used, item.used, item.limit) for item in now.meters)


def _moved(before: int, now: int, limit: int) -> bool:
    passed = any((before * 100 >= step * limit) != (now * 100 >= step * limit) for step in STEPS)
    return passed or abs(now - before) * 100 >= max(limit, 1) * STEP_PERCENT


def _since(window: Window, now: datetime) -> datetime:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour.replace(hour=0) if window is Window.DAY else hour


def _limit(item: Spent) -> str:
    """Name a limit without what differs from moment to moment."""
    meter = item.meter
    return f"{meter.id} of {metering.amount(meter.kind, meter.limit)}"


def _text(item: Spent) -> str:
    kind = item.meter.kind
    return f"{item.meter.id}, {metering.amount(kind, item.used)} of {metering.amount(kind, item.meter.limit)}"
