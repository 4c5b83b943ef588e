"""`zaum contain`, `zaum release` and `zaum incidents`."""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import incidents
from zaum_cli import errors
from zaum_cli.core import containing, incident_pages
from zaum_cli.shell import cluster

TRIES: Final = 5
"""How many people may ask at the same moment before one of them is told to ask again."""
LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Containment:
    """What was asked for. `wait`: seconds in which all is to be confirmed, None to wait for nothing."""

    namespace: str | None
    policy: str
    reason: str
    absent: bool
    wait: float | None


@dataclass(frozen=True, slots=True)
class Freedom:
    """Which Incident is released, and why."""

    namespace: str | None
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Which Incidents are shown, and how."""

    namespace: str | None
    policy: str | None
    everywhere: bool
    opened: bool
    output: str


def contain(reached: cluster.Cluster, wish: Containment) -> str:
    """Make an Incident that quarantines a policy, unless one stands; give what became of it."""
    namespace = wish.namespace or reached.namespace
    if not wish.absent:
        _is_there(reached, namespace, wish.policy)
    made, was_there = _made(reached, namespace, wish)
    name = made["metadata"]["name"]
    said = f"Incident {name} {'quarantines' if not was_there else 'already quarantines'} {namespace}/{wish.policy}\n"
    if wish.wait is None:
        return said
    return said + _waited(reached, namespace, wish.policy, name, wish.wait)


def release(reached: cluster.Cluster, wish: Freedom) -> str:
    """Release an Incident under the own name."""
    namespace = wish.namespace or reached.namespace
    incident = reached.incident(namespace, wish.incident)
    if not incidents.is_open(incident):
        raise errors.CommandError(
            f"Incident {wish.incident} is closed and contains nothing: there is nothing to release"
        )
    given = (incident.get("spec") or {}).get("release")
    if given:
        raise errors.CommandError(
            f"Incident {wish.incident} is released already, by {given.get('by')}: the operator has yet to act on it"
        )
    user = reached.user()
    try:
        reached.change(namespace, wish.incident, containing.release(user=user, reason=wish.reason))
    except cluster.Missing as gone:
        raise errors.CommandError(f"Incident {wish.incident} is gone: {gone}") from None
    except cluster.Taken:
        raise errors.CommandError(f"Incident {wish.incident} was changed at the same moment: try again") from None
    policy = ((incident.get("spec") or {}).get("policyRef") or {}).get("name")
    return f"Incident {wish.incident} is released by {user}: {namespace}/{policy} may run again when no other is open\n"


def listing(reached: cluster.Cluster, wish: Listing) -> str:
    """Give the Incidents, the open ones first."""
    namespace = None if wish.everywhere else wish.namespace or reached.namespace
    found: Any = _all(reached, namespace)
    if wish.policy is not None:
        found = containing.about(found, wish.policy)
    if wish.opened:
        found = [item for item in found if incidents.is_open(item)]
    found = incident_pages.ordered(found)
    if wish.output == "json":
        return incident_pages.write_json(found)
    if not found:
        return f"there is no {'open ' if wish.opened else ''}Incident in {namespace or 'any namespace'}\n"
    return incident_pages.table(found, datetime.now(UTC), wide=wish.output == "wide")


def _is_there(reached: cluster.Cluster, namespace: str, policy: str) -> None:
    try:
        reached.policy(namespace, policy)
    except errors.AbsentError as error:
        raise errors.CommandError(f"{error}; --absent quarantines the name all the same") from None


def _made(reached: cluster.Cluster, namespace: str, wish: Containment) -> tuple[dict[str, Any], bool]:
    """Give the Incident, and whether it was there before."""
    user = reached.user()
    for taken in range(TRIES):
        mine = containing.about(_all(reached, namespace), wish.policy)
        standing = containing.standing(mine)
        if standing is not None:
            return dict(standing), True
        body = containing.quarantine(namespace, wish.policy, user=user, reason=wish.reason, before=len(mine) + taken)
        try:
            return reached.make(body), False
        except cluster.Taken:
            continue  # Somebody asked at the same moment, and theirs does; or others were deleted meanwhile.
        except cluster.Missing as refused:
            raise errors.CommandError(f"the Incident cannot be made: {refused}") from None
    raise errors.CommandError(f"others make Incidents about {namespace}/{wish.policy} all the time: try again")


def _all(reached: cluster.Cluster, namespace: str | None) -> list[dict[str, Any]]:
    try:
        return reached.incidents(namespace)
    except cluster.Missing:
        raise errors.CommandError("this cluster knows no Incidents: is Zaum installed, and its CRDs current?") from None


def _waited(reached: cluster.Cluster, namespace: str, policy: str, made: str, seconds: float) -> str:
    """Wait until all is confirmed. A look that fails is repeated: the Incident stands, and whoever made it reads so."""
    end, name = time.monotonic() + seconds, made
    while True:
        try:
            incident = _standing(reached, namespace, policy, name)
        except errors.CommandError as error:
            seen = f"it could not be looked at: {error}"
        else:
            if incident is None:
                raise errors.CommandError(
                    f"Incident {name} contains nothing any more, and no other quarantines {namespace}/{policy}:"
                    f" kubectl describe incident -n {namespace} {name} says why"
                )
            name, seen = incident["metadata"]["name"], incident_pages.steps(incident)
            phase = incidents.phase(incidents.conditions(incident), incidents.action(incident))
            if phase is incidents.Phase.CONTAINED:
                return f"{phase.value}{'' if name == made else f' by Incident {name}'}: {seen}\n"
        if time.monotonic() >= end:
            raise errors.CommandError(
                f"Incident {name} stands, and after {seconds:g} s: {seen};"
                f" kubectl describe incident -n {namespace} {name} says whose word is missing"
            )
        time.sleep(LOOK_SECONDS)


def _standing(reached: cluster.Cluster, namespace: str, policy: str, name: str) -> Mapping[str, Any] | None:
    """Give an Incident as it is by now; where it contains nothing any more, the quarantine that stands, if any."""
    with contextlib.suppress(errors.AbsentError):
        incident = reached.incident(namespace, name)
        if incidents.is_open(incident):
            return incident
    return containing.standing(containing.about(_all(reached, namespace), policy))
