"""What a policy's own status says of its containment: the condition Contained, why no pod starts, the Incident."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from zaum_api import documents, incidents
from zaum_api.conditions import Reason
from zaum_operator.core.containment.held import Held
from zaum_operator.core.containment.incident import Incident
from zaum_operator.core.finding import Finding, no, yes

_RUNGS: Final = tuple(documents.Rung)


def contained(held: Held) -> Finding:
    """Give the condition Contained."""
    for item in held.incidents:
        if left := unconfirmed(item):
            return no(
                Reason.CONTAINING,
                f"Incident {item.name} ({item.reason}) is open; not confirmed yet: {', '.join(left)}.",
            )
    if not held.incidents:
        return yes(Reason.NO_INCIDENT, "No Incident of this policy is open.")
    first = foremost(held)
    name, reason = (first.name, first.reason) if first is not None else ("", "")
    return yes(Reason.CONTAINED, f"Incident {name} ({reason}) is open, and every step of it is confirmed.")


def quarantined(item: Incident) -> Finding:
    """Say why no pod starts."""
    return no(
        Reason.QUARANTINED,
        f"Incident {item.name} ({item.reason}) quarantines this policy: no pod of it runs or starts until a release.",
    )


def blocked(item: Incident) -> Finding:
    """Say why no pod of this image starts."""
    return no(
        Reason.IMAGE_BLOCKED,
        f"Incident {item.name} quarantines policy {item.key.name}, whose image this one has too: no pod starts until it"
        " is released.",
    )


def ending(item: Incident) -> Finding:
    """Say why an ordinal waits."""
    pod = item.pod.name if item.pod is not None else "?"
    return no(
        Reason.RUNAWAY,
        f"Pod {pod} is contained by Incident {item.name} ({item.reason}); another one starts when it is proven dead.",
    )


def document(held: Held, ladders: Sequence[documents.Contained] = ()) -> dict[str, Any] | None:
    """Give `status.containment`; None while no Incident is open and no watchdog has said how far it is."""
    item = foremost(held)
    found: dict[str, Any] = {}
    if item is not None:
        since = f"{item.created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        found |= {"incident": item.name, "reason": item.reason, "since": since}
    if ladders:
        furthest = max(ladders, key=lambda ladder: _RUNGS.index(ladder.rung))
        found |= {"rung": furthest.rung.value}
        found |= {"breach": furthest.breach} if furthest.breach else {}
        passed = sum(ladder.would_kill for ladder in ladders)
        found |= {"wouldKill": passed} if passed else {}
    return found or None


def foremost(held: Held) -> Incident | None:
    """Give the Incident that matters most: the oldest that holds the name, else the oldest."""
    return held.whole or next(iter(held.incidents), None)


def unconfirmed(item: Incident) -> tuple[str, ...]:
    """Name the steps that are not confirmed yet."""
    asked = incidents.STEPS if item.quarantine else incidents.STEPS[:-1]
    return tuple(kind.value for kind in asked if not item.is_true(kind))
