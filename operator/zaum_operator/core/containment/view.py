"""What containment decides about one policy, from one snapshot: the same for the plan and for its own requests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeGuard

from zaum_api import incidents
from zaum_operator.core import actions, kinds, pods, tasks
from zaum_operator.core.actions import Action
from zaum_operator.core.containment import bodies, counting, course, held, incident, making, scene
from zaum_operator.core.containment.bodies import Body
from zaum_operator.core.containment.held import Held
from zaum_operator.core.containment.incident import Condition, Incident, Ref
from zaum_operator.core.containment.making import Owed
from zaum_operator.core.containment.noticing import Accused
from zaum_operator.core.containment.rule import Rule
from zaum_operator.core.containment.scene import Scene, Sight
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Snapshot

STEPS_DONE: Final = (Condition.CUT, Condition.KILLED, Condition.ROUTE_REMOVED, Condition.IDENTITY_DEAD)


@dataclass(frozen=True, slots=True)
class View:
    """One policy's Incidents and the pods that they are about."""

    snapshot: Snapshot
    rule: Rule
    every: tuple[Incident, ...]
    """All, the oldest first."""
    owed: tuple[Owed, ...]
    held: Held
    blocks: bool = False
    """Whether a ceiling blocks images by quarantines."""

    @property
    def there(self) -> tuple[Object, ...]:
        """Give all pods that may be this policy's."""
        return (*self.snapshot.pods, *self.snapshot.strays)

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Give them as containment looks at them."""
        return tuple(map(bodies.read, self.there))

    @property
    def keep(self) -> bool:
        """Say whether ended pods stay: a Task's outcome is read off its pod, and has not been noted yet."""
        policy = self.snapshot.policy
        if policy is None or not self.rule.task:
            return False
        outcome = tasks.recorded(policy.get("status"))
        return outcome is None or not outcome.final


def of(
    snapshot: Snapshot,
    rule: Rule,
    *,
    ledger: bool,
    now: datetime,
    blocks: bool = False,
    accused: Mapping[str, Accused] = MappingProxyType({}),
) -> View:
    """Look at a snapshot. Almost always there is nothing to see. `accused`: what was noticed of pods, by uid."""
    every = incident.read_all(snapshot.incidents)
    seen = tuple(replace(pod, contacted=pod.uid in snapshot.contacts) for pod in map(pods.read, snapshot.pods))
    owed = making.owed(
        snapshot.key, seen, every, contacts=snapshot.contacts, silent=snapshot.silent, ledger=ledger, now=now,
        accused=accused, crashes=rule.crash_loop != "Ignore" and not rule.task,
    )  # fmt: skip
    return View(snapshot, rule, every, owed, held.of(every, owed=(item.ref for item in owed)), blocks)


def renewed(view: View, *, there: tuple[Object, ...], known: tuple[Object, ...]) -> View:
    """Give a view with the pods and the Incidents as they are by now; what was owed is owed still."""
    every = incident.read_all(known)
    snapshot = replace(view.snapshot, pods=there, incidents=known)
    owed = tuple(item.ref for item in view.owed)
    return replace(view, snapshot=snapshot, every=every, held=held.of(every, owed=owed))


def made(view: View, *, now: datetime) -> tuple[Object, ...]:
    """Give the Incidents that are to be made now."""
    there = {body.ref: body for body in view.bodies}
    told = _told(view, now=now)
    before = counting.kills(view.every, at=now)
    found = []
    for item in (item for item in view.owed if item.due <= now):
        action, blamed = incidents.Action.KILL, item.reason not in incidents.UNBLAMED
        if blamed:
            action = counting.answer(before, on=view.rule.answer(item.reason), allowed=view.rule.allowed, told=told)
        found.append(making.render(view.snapshot.key, item, action, there.get(item.ref)))
        before += blamed
    return tuple(found)


def _told(view: View, *, now: datetime) -> int:
    """Give the kills that the ledger counts; none while it may still count those before a release."""
    snapshot = view.snapshot
    if snapshot.books is None or not counting.released(view.every, at=now) <= snapshot.forgiven:
        return 0
    return snapshot.books.kills


def scenes(view: View, sight: Sight, *, refused: dict[str, str] | None = None) -> tuple[Scene, ...]:
    """Give the scene of each open Incident."""
    doubled = counting.duplicates(view.every)
    told = ((uid, said.report.contained) for uid, said in view.snapshot.reports.items())
    cut = sight.cut({uid: contained for uid, contained in told if contained is not None})
    return tuple(
        scene.gather(
            item,
            view.there,
            sight=sight,
            network_policies=view.snapshot.network_policies,
            policy_exists=view.snapshot.policy is not None,
            blocking=item.images if view.blocks else (),
            duplicate_of=doubled.get(item.name, ""),
            escalated=counting.is_due(item, view.every, on=view.rule.answer(item.reason), allowed=view.rule.allowed),
            refused=(refused or {}).get(item.name, ""),
            cut=cut,
            unsure=view.snapshot.unsure,
        )
        for item in view.held.incidents
    )


def unproven(view: View) -> tuple[Incident, ...]:
    """Give the open Incidents of which something is still to be confirmed."""
    return tuple(
        item
        for item in view.held.incidents
        if not all(item.is_true(kind) for kind in STEPS_DONE)
        or (item.quarantine and not item.is_true(Condition.QUARANTINED))
        or item.release is not None
    )


def pods_of(view: View) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
    """Give the contained pods that are there, and those that are gone."""
    every = [scene.gather(item, view.there) for item in view.held.incidents]
    there = {body.ref for one in every for body in one.bodies}
    return tuple(sorted(there)), tuple(sorted({ref for one in every for ref in one.gone} - there))


def steps(view: View) -> tuple[tuple[str, Action], ...]:
    """Give the requests about contained pods, each with the Incident for which it is sent."""
    namespace = view.snapshot.key.namespace
    return tuple(course.actions_of(view.held, view.bodies, namespace=namespace, keep=view.keep))


def withheld(found: tuple[Action, ...], held: Held) -> tuple[Action, ...]:
    """Leave out the deletion of each pod that is contained, or is to be: containment deletes it when it is dead."""
    return tuple(step for step in found if not (_is_pods_end(step) and held.stays(Ref(step.name, step.uid))))


def _is_pods_end(step: Action) -> TypeGuard[actions.Delete]:
    return isinstance(step, actions.Delete) and step.kind is kinds.POD
