"""What the operator orders watchdogs by the ledger, beside what it does itself: it only makes things faster.

A pod that an Incident holds and that lives is killed by its own watchdog at once: the orders come by a long poll, and
cut before the kubelet has heard anything. A release has the ledger forgive the kills. Nothing waits for either.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from zaum_api import documents, incidents
from zaum_api.documents import orders
from zaum_operator.core.containment import counting
from zaum_operator.core.containment.incident import Condition, Incident
from zaum_operator.core.containment.view import View

TOLD: Final = counting.WINDOW
"""How long after a release it is told by an operator that has just begun: as long as the ledger would count the kills
before it. One that died, and a ledger that was away, may have missed each other; who has heard of it does nothing."""


def of(view: View, *, now: datetime) -> Iterator[documents.Posted]:
    """Give what is to be posted; each once is enough, and again does no harm."""
    doubled = counting.duplicates(view.every)
    bodies = view.bodies if view.held.incidents else ()
    for item in view.held.incidents:
        if item.name not in doubled:
            for body in (body for body in bodies if not body.dead and item.covers(body.ref)):
                yield _posted(item, orders.Action.KILL, body.ref.uid)
    for item in view.every:
        since = item.since(Condition.RELEASED)
        if since is not None and now - since < TOLD:
            yield _posted(item, orders.Action.RELEASE, "")


def _posted(item: Incident, action: orders.Action, uid: str) -> documents.Posted:
    reason = item.reason if item.reason in incidents.REASONS else incidents.Cause.MANUAL.value
    return documents.Posted(item.key.namespace, item.key.name, action, item.name, reason, uid)
