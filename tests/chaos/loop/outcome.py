"""What came of everything that was done: each Incident as it ends in calm, one for each deed, each kill counted once.

Pure: deeds and objects in, lines about what is wrong out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from tests.chaos.history import Object, Place
from tests.chaos.loop import court
from tests.chaos.loop.player import Deed

ANYBODY: Final = frozenset({"Ledger", "Operator"})
SKIPPED: Final = frozenset({"Cut", "RouteRemoved", "IdentityDead", "Quarantined"})
"""What may or may not have been confirmed when a person releases before everything was."""
HEARD_SECONDS: Final = 120.0
"""For so long after a release a ledger may not have heard of it: it, and whoever tells it, may be dead meanwhile."""
Form = Mapping[str, Any]


def form(incident: Object) -> Form:
    """Give what of an Incident that has come to its end must be the same each time.

    Who reported a breach is open: whoever lives. So is in what order the steps were seen, and which dead pods of before
    were there still; the pod that broke out is noted (`noted`).
    """
    spec, status = incident["spec"], incident.get("status") or {}
    said = {item["type"]: f"{item['status']} {item['reason']}" for item in status.get("conditions") or ()}
    named = (spec.get("pod") or {}).get("uid")
    reporter = "Ledger or Operator" if spec.get("reporter") in ANYBODY else spec.get("reporter")
    return {
        "reason": spec.get("reason"),
        "reporter": reporter,
        "action": "Quarantine" if court.whole(incident) else spec.get("action"),
        "phase": status.get("phase"),
        "conditions": said,
        "timeline": sorted(line["step"] for line in court.lines(incident)),
        "durations": sorted(status.get("durations") or ()),
        "logs": (status.get("logs") or {}).get("agent"),
        "noted": not named or named in {ref.get("uid") for ref in status.get("pods") or ()},
        "release": sorted(spec.get("release") or ()),
    }


def kind_of(deed: Deed) -> str:
    """Name what deeds have to be alike by."""
    return f"{deed.act.kind} {deed.action} of {deed.agent.replicas}"


def hastened(whole: Form) -> Form:
    """Give what of a form is the same when it was released before every step was confirmed."""
    said = {kind: text for kind, text in whole["conditions"].items() if kind not in SKIPPED}
    timeline = [step for step in whole["timeline"] if step not in SKIPPED]
    return {**whole, "conditions": said, "timeline": timeline, "durations": []}


def references(deeds: Iterable[Deed], objects: Mapping[Place, Object]) -> dict[str, Form]:
    """Give the form of each kind of deed, from those that were done in calm."""
    found: dict[str, Form] = {}
    for deed in deeds:
        incident = objects.get(("incidents", deed.agent.namespace, deed.incident))
        if incident is not None:
            found.setdefault(kind_of(deed), form(incident))
    return found


def wrongs(
    deeds: Iterable[Deed],
    objects: Mapping[Place, Object],
    calm: Mapping[str, Form],
    *,
    namespaces: Iterable[str],
    forgiven: Mapping[str, float] | None = None,
    decided: Mapping[str, float] | None = None,
) -> list[str]:
    """Say what has not come of the deeds as it comes in calm, and which Incidents nobody's deed explains.

    `forgiven`: when the ledger heard of releases, by Incident. What breaks out before it has heard is counted with the
    kills before the release, on the strict side, but only for `HEARD_SECONDS`. None: nobody knows when it heard.
    `decided`: when the ledger heard of the breaches of which it made Incidents, by Incident, where that is known.
    """
    every = list(deeds)
    found = [line for deed in every for line in _deed(deed, objects, calm, forgiven, decided or {})]
    known = {("incidents", deed.agent.namespace, deed.incident) for deed in every}
    spaces = frozenset(namespaces)
    for place, obj in objects.items():
        if place[0] == "incidents" and place[1] in spaces and place not in known:
            found.append(f"Incident {place[2]} ({obj['spec'].get('reason')}): nothing had happened")
    return found


def _deed(
    deed: Deed,
    objects: Mapping[Place, Object],
    calm: Mapping[str, Form],
    forgiven: Mapping[str, float] | None,
    decided: Mapping[str, float],
) -> list[str]:
    title = f"{deed.agent.namespace}/{deed.agent.name}: Incident {deed.incident} ({deed.act.kind}, {deed.act.told})"
    mine = [
        obj
        for place, obj in objects.items()
        if place[:2] == ("incidents", deed.agent.namespace)
        and (place[2] == deed.incident or (deed.pod and (obj["spec"].get("pod") or {}).get("uid") == deed.pod))
    ]
    if deed.untold and not mine:
        return []
    if len(mine) != 1:
        return [f"{title}: there are {len(mine)} Incidents of it"]
    now = form(mine[0])
    before = objects.get(("incidents", deed.agent.namespace, deed.after))
    if now["action"] == "Quarantine" and before is not None and _unheard(mine[0], before, forgiven, decided):
        deed = replace(deed, action="Quarantine")
    if now["action"] != deed.action:
        return [f"{title}: is a {now['action']}, and has to be a {deed.action}: a kill was lost, or counted twice"]
    usual = calm.get(kind_of(deed))
    if usual is None:
        return [f"{title}: no such one was seen in calm"]
    if deed.act.early and deed.action == "Quarantine":
        now, usual = hastened(now), hastened(usual)
    return [f"{title}: {key} is {now[key]!r}, in calm {usual[key]!r}" for key in now if now[key] != usual[key]]


def _unheard(
    incident: Object, before: Object, forgiven: Mapping[str, float] | None, decided: Mapping[str, float]
) -> bool:
    """Say whether the ledger decided it before it need have heard of the release that was last, that of `before`."""
    made = datetime.fromisoformat(incident["metadata"]["creationTimestamp"]).timestamp()
    at = min(made, decided.get(incident["metadata"]["name"], made))
    released = _released(before)
    if incident["spec"].get("reporter") != "Ledger" or released is None or at - released > HEARD_SECONDS:
        return False
    heard = None if forgiven is None else forgiven.get(before["metadata"]["name"])
    return heard is None or heard >= at


def _released(incident: Object) -> float | None:
    said = (incident.get("status") or {}).get("conditions") or ()
    found = [item["lastTransitionTime"] for item in said if (item["type"], item["status"]) == ("Released", "True")]
    return datetime.fromisoformat(found[0]).timestamp() if found else None
