"""What an open Incident's status says next: conditions, timeline, durations, the pods and images that were seen.

Everything follows from the scene and from the status as it stands, so that an operator that dies at any point goes on
where it was. A condition becomes True, and gets its line in the timeline, only by a step that its source confirms.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import incidents
from zaum_operator.core.containment import course, steps
from zaum_operator.core.containment.incident import Condition, Incident, Ref
from zaum_operator.core.containment.scene import Scene
from zaum_operator.core.containment.steps import Step, Word

_CONFIRMED_BY_MAX: Final = 512
_IMAGE_MAX: Final = 512
_MESSAGE_MAX: Final = 1024
_DURATIONS: Final = {
    Condition.CUT: "cutConfirmed",
    Condition.KILLED: "dead",
    Condition.QUARANTINED: "quarantined",
    Condition.IDENTITY_DEAD: "identity",
}


def conclude(scene: Scene) -> dict[Condition, Step]:
    """Give all conditions: the steps, then whether it is released, then whether it is closed."""
    taken = steps.conclude(scene)
    released = _released(scene, taken)
    return {**taken, Condition.RELEASED: released, Condition.CLOSED: _closed(scene, taken, released)}


def status(scene: Scene, *, now: datetime, logs: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Give the whole status. `logs`: those that were just read."""
    incident, found = scene.incident, conclude(scene)
    action = incidents.Action.QUARANTINE if scene.escalated else incident.action
    said = {kind.value: "True" if step.confirmed else "False" for kind, step in found.items()}
    kept = logs or incident.logs
    return {
        "observedGeneration": incident.generation,
        "phase": incidents.phase(said, action).value,
        **({"action": action.value} if action is not incident.asked else {}),
        "conditions": [_condition(incident, kind, step, now=now) for kind, step in found.items()],
        "timeline": _timeline(incident, found, now=now),
        "durations": _durations(incident, found, action, now=now),
        **({"logs": dict(kept)} if kept is not None else {}),
        "pods": [_ref(ref) for ref in _pods(scene)],
        "images": _images(scene),
    }


def changed(incident: Incident, planned: Mapping[str, Any]) -> bool:
    """Say whether the status must be written."""
    return any((incident.status.get(name) or None) != (value or None) for name, value in planned.items())


def news(incident: Incident, planned: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Give the moments that the timeline has gained."""
    return tuple(item for item in planned["timeline"] if item not in incident.timeline)


def moment(at: datetime) -> str:
    """Write a time to the millisecond."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _released(scene: Scene, taken: Mapping[Condition, Step]) -> Step:
    """Let go only of what is dead: a release ends the quarantine, it does not save a pod that ran wild."""
    release = scene.incident.release
    if release is None:
        return Step(confirmed=False, word=Word.OPEN, message="nobody has released it")
    if not taken[Condition.KILLED].confirmed:
        return steps.waiting(f"it is released as soon as its pods are dead: {taken[Condition.KILLED].message}")
    return steps.confirmed(f"spec.release: by {release[0]}: {release[1]}", Word.RELEASED)


def _closed(scene: Scene, taken: Mapping[Condition, Step], released: Step) -> Step:
    if released.confirmed:
        return steps.confirmed("it is released", Word.RELEASED)
    if scene.duplicate_of:
        return steps.confirmed(f"Incident {scene.duplicate_of} is older and holds the same", Word.DUPLICATE)
    if scene.incident.quarantine or scene.escalated:
        return Step(confirmed=False, word=Word.OPEN, message="a Quarantine stays open until it is released")
    left = [kind.value for kind in incidents.STEPS[:-1] if not taken[kind].confirmed]
    if left:
        return Step(confirmed=False, word=Word.OPEN, message=f"not confirmed yet: {', '.join(left)}")
    return steps.confirmed("every step of the Kill is confirmed", Word.CONTAINED)


def _condition(incident: Incident, kind: Condition, step: Step, *, now: datetime) -> dict[str, Any]:
    before = incident.conditions.get(kind.value, {})
    state = "True" if step.confirmed else "False"
    since = before.get("lastTransitionTime") if before.get("status") == state else None
    return {
        "type": kind.value,
        "status": state,
        "reason": step.word.value,
        "message": step.message[:_MESSAGE_MAX],
        "lastTransitionTime": since or f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "observedGeneration": incident.generation,
    }


def _timeline(incident: Incident, found: Mapping[Condition, Step], *, now: datetime) -> list[dict[str, Any]]:
    """Add a line for each condition that has just become True; the oldest lines stay when there are too many."""
    lines = [dict(item) for item in incident.timeline]
    for kind, step in found.items():
        if step.confirmed and not incident.is_true(kind):
            seen = _observed(step, now=now)
            said = {} if seen is None else {"observedAt": moment(seen)}
            lines.append({"step": kind.value, "at": moment(now), **said, "confirmedBy": _ascii(step.message)})
    spare = len(lines) - incidents.TIMELINE_MAX
    return lines if spare <= 0 else [*lines[: incidents.TIMELINE_MAX - 1], lines[-1]]


def _durations(
    incident: Incident, found: Mapping[Condition, Step], action: incidents.Action, *, now: datetime
) -> dict[str, str]:
    """Count from what was seen to the first time that a step was confirmed, and to when a watchdog says it was cut."""
    kept = dict(incident.durations)
    passed = _passed(incident, now)
    for kind, name in _DURATIONS.items():
        if found[kind].confirmed:
            kept.setdefault(name, passed)
    if found[Condition.CUT].confirmed and "cut" not in incident.durations:
        kept["cut"] = _passed(incident, _observed(found[Condition.CUT], now=now) or now)
    asked = incidents.STEPS if action is incidents.Action.QUARANTINE else incidents.STEPS[:-1]
    if all(found[kind].confirmed for kind in asked):
        kept.setdefault("proof", passed)
    return kept


def _passed(incident: Incident, until: datetime) -> str:
    return f"{max((until - incident.observed).total_seconds(), 0.0):.2f}s"


def _observed(step: Step, *, now: datetime) -> datetime | None:
    """Give since when a step has been so; None where nobody says, or says a moment that has not come yet."""
    seen = datetime.fromtimestamp(step.observed / 1000, UTC) if step.observed else None
    return seen if seen is not None and seen <= now else None


def _pods(scene: Scene) -> list[Ref]:
    """Give the pods that were noted, then those that live, then the others; as many as fit."""
    noted = list(scene.incident.pods)
    alive = [body.ref for body in scene.alive if body.ref not in noted]
    dead = [body.ref for body in scene.bodies if body.dead and body.ref not in noted]
    return [*noted, *alive, *dead][: course.PODS_MAX]


def _ref(ref: Ref) -> dict[str, str]:
    return {"name": ref.name, **({"uid": ref.uid} if ref.uid else {})}


def _images(scene: Scene) -> list[str]:
    """Give the agents' images: of the pod that is named, before those of the others."""
    noted = [str(image) for image in scene.incident.status.get("images") or ()]
    named = scene.incident.pod
    first = [body for body in scene.bodies if named is not None and body.ref.name == named.name]
    found = [image for body in (*first, *scene.bodies) for image in body.images if 0 < len(image) <= _IMAGE_MAX]
    return list(dict.fromkeys([*noted, *found]))[: incidents.IMAGES_MAX]


def _ascii(text: str) -> str:
    return "".join(each if " " <= each <= "~" else "." for each in text)[:_CONFIRMED_BY_MAX]
