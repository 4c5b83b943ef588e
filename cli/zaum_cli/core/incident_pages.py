"""Incidents for people, in a table, or as JSON for programs."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from zaum_api import incidents
from zaum_cli.core import columns

Object = Mapping[str, Any]
_HEAD: Final = ("NAMESPACE", "NAME", "POLICY", "REASON", "ACTION", "PHASE", "AGE")
_WIDE: Final = ("REPORTER", "CUT", "DEAD", "QUARANTINED", "PROOF", "SUMMARY")
_DURATIONS: Final = ("cut", "dead", "quarantined", "proof")


def phase(incident: Object) -> str:
    """Give the phase by the conditions: the operator may not have written it yet."""
    return incidents.phase(incidents.conditions(incident), incidents.action(incident)).value


def ordered(found: Iterable[Object]) -> list[Object]:
    """Put open ones first, and the newest of each first."""
    newest = sorted(found, key=lambda item: (_of(item, "metadata", "creationTimestamp"), _name(item)), reverse=True)
    return sorted(newest, key=lambda item: not incidents.is_open(item))


def table(found: Iterable[Object], now: datetime, *, wide: bool = False) -> str:
    """Write the table; `wide` adds the times and what was seen."""
    head = (*_HEAD, *_WIDE) if wide else _HEAD
    return columns.align([head, *(_row(item, now, wide=wide) for item in found)])


def write_json(found: Iterable[Object]) -> str:
    """Write a list of the objects, each with its phase and whether it is open."""
    said = [
        {
            "namespace": _of(item, "metadata", "namespace"),
            "name": _name(item),
            "open": incidents.is_open(item),
            "phase": phase(item),
            "action": incidents.action(item).value,
            "spec": item.get("spec"),
            "status": item.get("status") or {},
        }
        for item in found
    ]
    return json.dumps(said, indent=2, ensure_ascii=True) + "\n"


def steps(incident: Object) -> str:
    """Write what is confirmed of an Incident with its times, and what is not yet."""
    said, lasted = incidents.conditions(incident), _of(incident, "status", "durations") or {}
    times = {
        incidents.Condition.CUT: "cut",
        incidents.Condition.KILLED: "dead",
        incidents.Condition.IDENTITY_DEAD: "identity",
        incidents.Condition.QUARANTINED: "quarantined",
    }
    whole = incidents.action(incident) is incidents.Action.QUARANTINE
    wanted = incidents.STEPS if whole else incidents.STEPS[:-1]
    done = [
        " ".join(filter(None, (step.value, columns.plain(lasted.get(times.get(step, ""))))))
        for step in wanted
        if said.get(step) == "True"
    ]
    waiting = [step.value for step in wanted if said.get(step) != "True"]
    return "; ".join(
        filter(None, (", ".join(done), f"not confirmed yet: {', '.join(waiting)}" if waiting else "all is confirmed"))
    )


def _row(incident: Object, now: datetime, *, wide: bool) -> tuple[str, ...]:
    spec = incident.get("spec") or {}
    row = (
        columns.plain(_of(incident, "metadata", "namespace")),
        columns.plain(_name(incident)),
        columns.plain((spec.get("policyRef") or {}).get("name")),
        columns.plain(spec.get("reason")),
        incidents.action(incident).value,
        phase(incident),
        columns.age(now, _of(incident, "metadata", "creationTimestamp")),
    )
    if not wide:
        return row
    lasted = _of(incident, "status", "durations") or {}
    times = (columns.plain(lasted.get(name)) or columns.ABSENT for name in _DURATIONS)
    summary = columns.plain((spec.get("evidence") or {}).get("summary")) or columns.ABSENT
    return (*row, columns.plain(spec.get("reporter")), *times, summary)


def _name(incident: Object) -> str:
    return str(_of(incident, "metadata", "name") or "")


def _of(incident: Object, part: str, key: str) -> Any:  # noqa: ANN401 - a JSON value
    return (incident.get(part) or {}).get(key)
