"""From one snapshot to the requests that make it right. Isolation comes first, pods last, nothing is written twice."""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from zaum_api import contract
from zaum_api.v1alpha1.policy import Spec
from zaum_operator.core import ceiling, children, foreign, intent, kinds, live, pods, replacement, routes, tasks
from zaum_operator.core import ceilings as ceilings_of
from zaum_operator.core import effective as effective_values
from zaum_operator.core.actions import Action, Resize
from zaum_operator.core.ceiling import Ceiling
from zaum_operator.core.ceilings import Ceilings
from zaum_operator.core.containment import blocked, pauses, rule, throttle, view
from zaum_operator.core.containment import held as holding
from zaum_operator.core.containment.held import Held
from zaum_operator.core.containment.incident import Incident, Ref
from zaum_operator.core.containment.noticing import Child
from zaum_operator.core.containment.view import View
from zaum_operator.core.effective import Effective, NoToken
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.pods import Pod
from zaum_operator.core.render import claim, config, guard, installation, metadata, network, pod, sizes
from zaum_operator.core.snapshot import Site, Snapshot

BARRED: Final = timedelta(seconds=15)
"""How soon to look again while the quarantine of another policy keeps pods from starting."""
MISPLACED: Final = (
    "No agent runs in the namespace of Zaum's own parts, beside what guards it: make the policy in another namespace."
)


@dataclass(frozen=True, slots=True)
class Readers:
    """How objects are read. Both are pure and costly, one result per uid and generation: a caller may remember."""

    policy: Callable[[Object], Intent] = intent.read
    ceiling: Callable[[Object], Ceiling] = ceiling.read


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send for a policy that exists, and what it was decided from."""

    intent: Intent
    actions: tuple[Action, ...]
    effective: Effective | None = None
    ceilings: Ceilings = ceilings_of.NONE
    opened: bool = False
    """Whether the namespace carries the label without which a granted way into pods stays shut."""
    beside: tuple[foreign.Foreign, ...] = ()
    """NetworkPolicies beside which no pod may run."""
    decision: replacement.Decision = field(default_factory=replacement.Decision)
    outcome: tasks.Outcome | None = None
    """Of a Task: what it came to, or that it has not ended."""
    held: Held = holding.NOTHING
    """What open Incidents hold of the policy."""
    blocked: Incident | None = None
    """The quarantine of another policy by which its image does not start here."""
    unseen: str = ""
    """A task's pod that is to be given up for good because it is not seen: look for this name live before."""
    stale: bool = False
    """Children of an earlier policy of this name go first; look again as soon as they are gone."""
    lost: tuple[Pod, ...] = ()
    """Pods whose deletion nobody confirms: their node does not answer."""
    stuck: tuple[claim.Stuck, ...] = ()
    """Claims that cannot become what is asked."""
    namespaced: bool = False
    ledger: bool = True
    """Whether the installation has one."""
    certain: frozenset[str] = frozenset()
    """Targets of the cage test that surely answer whoever reaches them."""
    standing: tuple[Child, ...] = ()
    """How the policy's objects stand; looked at only where somebody is to be contained for what is done to them."""
    resizes: tuple[Resize, ...] = ()
    """What is tried on running pods beside all that; nobody waits for it."""
    again_at: datetime | None = None
    """When to look again although nothing may have happened."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is known before the spec is looked at."""

    snapshot: Snapshot
    site: Site
    now: datetime
    intent: Intent
    before: tasks.Outcome | None
    """What a Task had come to, as the status has it."""
    held: Ceilings
    contained: View
    guarding: tuple[Action, ...]
    seen: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class _Aim:
    """What the spec comes to under the ceilings, and what stands beside it."""

    effective: Effective
    template: Object
    found: tuple[foreign.Foreign, ...]
    want: replacement.Want
    blocked: Incident | None = None


def of_policy(
    snapshot: Snapshot,
    policy: Object,
    site: Site,
    *,
    now: datetime,
    suffix: Callable[[int], str],
    may_roll: bool = True,
    readers: Readers = Readers(),
) -> Plan:
    """Plan for a policy that exists. `suffix` gives five new hex digits for the pod of an ordinal.

    `may_roll`: whether it is this policy's turn to have pods replaced that only the installation has made outdated.
    """
    wanted = readers.policy(policy)
    before = tasks.recorded(policy.get("status"))
    if wanted.key.namespace == site.release_namespace:
        # Its children would take over the chart's own objects, which have such names: zaum-gateway, zaum-operator.
        misplaced = replace(wanted, spec=None, problem=MISPLACED)
        return Plan(misplaced, (), outcome=before, namespaced=site.namespaced)
    if stale := children.stale(snapshot, uid=wanted.uid):
        return Plan(wanted, stale, stale=True, namespaced=site.namespaced)
    held = ceilings_for(snapshot.ceilings, snapshot.namespace, site, readers)
    guarding = children.repair(kinds.NETWORK_POLICY, guard.render(wanted.key.namespace, held.access), snapshot)
    contained = view.of(snapshot, rule.of(wanted.spec), ledger=site.ledger, now=now)
    seen = tuple(map(functools.partial(_seen, snapshot, contained.held), snapshot.pods))
    scene = _Scene(snapshot, site, now, wanted, before, held, contained, guarding, seen)
    if wanted.spec is None:
        return _guarded(scene)
    return _planned(scene, _aim(scene, wanted.spec, may_roll=may_roll), suffix=suffix, read=readers.policy)


def _guarded(scene: _Scene) -> Plan:
    """Plan for a spec that cannot be read: nothing but the guard."""
    templates = [metadata.pod_selector(scene.intent.key.name)]
    return Plan(
        scene.intent,
        scene.guarding,
        ceilings=scene.held,
        opened=_opened(scene.snapshot.namespace),
        beside=foreign.find(scene.snapshot.network_policies, None, _faces(scene.seen, templates)),
        outcome=scene.before,
        held=scene.contained.held,
        namespaced=scene.site.namespaced,
    )


def _aim(scene: _Scene, spec: Spec, *, may_roll: bool) -> _Aim:
    snapshot, site = scene.snapshot, scene.site
    prices = snapshot.gateway.prices if snapshot.gateway else ()
    cluster = routes.Cluster(snapshot.services, site.cluster_domain, frozenset({site.release_namespace}), prices)
    effective = effective_values.resolve(
        spec, scene.held, api_audiences=site.api_audiences, cluster=cluster, ledger=site.ledger
    )
    template = pod.template(scene.intent, spec.agent, effective, site)
    to_come = (pod.labels(template, ordinal) for ordinal in range(max(effective.replicas, 1)))
    whole = scene.contained.held.whole
    own = network.render(scene.intent, site, entries=effective.ingress, quarantined=whole is not None)
    found = foreign.find(snapshot.network_policies, own, _faces(scene.seen, to_come))
    runs = not _against(effective, found)
    image = dict(pods.images(template)).get(contract.CONTAINER_AGENT, "")
    barred = blocked.by(snapshot.elsewhere, snapshot.key, image) if scene.held.blocking else None
    want = replacement.Want(
        replicas=effective.replicas,
        run=runs,
        start=runs and whole is None and barred is None and _startable(snapshot, effective, scene.held),
        template=pod.digest(template, spec.agent, effective, site),
        images=pods.images(template),
        site=installation.digest(site),
        lifetime=effective.lifetime,
        revoked=isinstance(effective.token, NoToken),
        may_roll=may_roll,
    )
    return _Aim(effective, template, found, want, barred)


def _planned(scene: _Scene, aim: _Aim, *, suffix: Callable[[int], str], read: Callable[[Object], Intent]) -> Plan:
    snapshot, site, wanted, effective = scene.snapshot, scene.site, scene.intent, aim.effective
    decision, outcome = _decide(scene, aim)
    gateway = snapshot.gateway
    written = config.write(wanted, effective, gateway, site, before=snapshot.config) if gateway else None
    quarantined = scene.contained.held.whole is not None
    draft = children.Draft(
        wanted, effective, snapshot, site, decision, written=written, read=read, quarantined=quarantined
    )
    return Plan(
        intent=wanted,
        actions=(*_mending(scene, aim, draft), *live.started(draft, aim.want, suffix=_suffix(scene, aim, suffix))),
        effective=effective,
        ceilings=scene.held,
        opened=_opened(snapshot.namespace),
        beside=aim.found,
        decision=decision,
        outcome=outcome,
        blocked=aim.blocked,
        held=scene.contained.held,
        unseen=_unseen(scene, outcome),
        lost=tuple(item for item in scene.seen if item.overdue is not None and item.overdue <= scene.now),
        stuck=children.stuck(draft),
        namespaced=site.namespaced,
        ledger=site.ledger,
        standing=tuple(_standing(scene, aim, draft)),
        resizes=_resizes(scene, aim),
        certain=config.certain(site, snapshot.gateway),
        again_at=_again(decision, scene.seen, aim.blocked, now=scene.now),
    )


def _mending(scene: _Scene, aim: _Aim, draft: children.Draft) -> Iterator[Action]:
    """Give what is to be done before a pod may start, in this order."""
    yield from live.taken_down(scene.snapshot, draft.decision)
    yield from scene.guarding
    yield from children.of_plan(draft)
    lifetime = aim.effective.lifetime
    yield from live.mended(scene.snapshot, aim.template, draft.decision, written=draft.written, lifetime=lifetime)
    yield from children.claims(draft)


def _standing(scene: _Scene, aim: _Aim, draft: children.Draft) -> Iterator[Child]:
    if scene.contained.rule.tampering == "Ignore":
        return
    # What is written of the document leans on the one that is there, which somebody may have edited.
    gateway = scene.snapshot.gateway
    known = config.write(scene.intent, aim.effective, gateway, scene.site) if gateway else None
    yield from children.standing(draft, known)
    yield from live.standing(aim.template, scene.seen, aim.want)


def _suffix(scene: _Scene, aim: _Aim, suffix: Callable[[int], str]) -> Callable[[int], str]:
    """A task has one pod, whose name is known: whoever starts it twice is refused by the API server."""
    return (lambda _: tasks.suffix(scene.intent.uid)) if aim.effective.task else suffix


def _faces(seen: tuple[Pod, ...], templates: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Give the labels of the policy's pods: of those that live, whatever somebody put on them, and of those to come."""
    yield from (dict(item.labels) for item in seen if item.phase is not pods.Phase.ENDED)
    yield from templates


def ceilings_for(
    objects: Iterable[Object],
    namespace: Object | None,
    site: Site,
    readers: Readers = Readers(),
) -> Ceilings:
    """Give what the ceilings of a namespace add up to. In namespace-scoped mode nobody can read any."""
    if site.namespaced:
        return ceilings_of.NONE
    labels = None if namespace is None else namespace["metadata"].get("labels") or {}
    return ceilings_of.of_namespace((readers.ceiling(item) for item in objects), labels)


def _opened(namespace: Object | None) -> bool:
    labels = {} if namespace is None else namespace["metadata"].get("labels") or {}
    return bool(labels.get(contract.LABEL_ACCESS) == contract.LABEL_ACCESS_VALUE)


def _decide(scene: _Scene, aim: _Aim) -> tuple[replacement.Decision, tasks.Outcome | None]:
    if not aim.effective.task:
        ghosts = pauses.ghosts(scene.contained.every, scene.seen, template=aim.want.template, now=scene.now)
        return _unheld(replacement.decide((*scene.seen, *ghosts), aim.want, now=scene.now), scene.contained.held), None
    task = tasks.decide(scene.before, scene.seen, stop=_stop(scene, aim), start=aim.want.start)
    return _unheld(task.decision, scene.contained.held), task.outcome


def _resizes(scene: _Scene, aim: _Aim) -> tuple[Resize, ...]:
    share, on = sizes.agent(aim.effective), scene.contained.rule.on == "Throttle"
    return tuple(throttle.steps(scene.snapshot.pods, scene.snapshot.reports, share, on=on))


def _stop(scene: _Scene, aim: _Aim) -> str:
    """Say why a task must not run."""
    whole = scene.contained.held.whole
    quarantined = f"Incident {whole.name} quarantines the policy" if whole is not None else ""
    return quarantined or _against(aim.effective, aim.found)


def _unheld(decision: replacement.Decision, held: Held) -> replacement.Decision:
    """Leave to containment what it holds: no pod of it is deleted here, and none comes in the place of one."""
    return replace(
        decision,
        delete=tuple(gone for gone in decision.delete if not held.stays(Ref(gone.pod.name, gone.pod.uid))),
        start=tuple(start for start in decision.start if start.ordinal not in held.ordinals),
    )


def _seen(snapshot: Snapshot, held: Held, body: Object) -> Pod:
    """Read a pod with what the authorizers and Incidents say of it."""
    pod = pods.read(body)
    incident = held.by(Ref(pod.name, pod.uid))
    return replace(
        pod,
        contacted=pod.uid in snapshot.contacts,
        contained="" if incident is None else f"{incident.name} ({incident.reason})",
    )


def _unseen(scene: _Scene, outcome: tasks.Outcome | None) -> str:
    known = bool(scene.seen) or (scene.before is not None and scene.before.final)
    given_up = outcome is not None and outcome.final and not known
    return contract.pod_name(scene.intent.key.name, 0, tasks.suffix(scene.intent.uid)) if given_up else ""


def _against(effective: Effective, found: tuple[foreign.Foreign, ...]) -> str:
    """Say why no pod may run, not even one that runs; empty when pods may."""
    if effective.stopped:
        return "desiredState is Stopped"
    if not effective.replicas:
        return "no replicas"
    if effective.refusals:
        return effective.refusals[0].text
    return found[0].text if found else ""


def _startable(snapshot: Snapshot, effective: Effective, held: Ceilings) -> bool:
    """Say whether everything that a new pod needs is there, and every ceiling can be read."""
    leaving = effective.persistent is not None and any(
        item["metadata"].get("deletionTimestamp") for item in snapshot.claims
    )
    return snapshot.gateway is not None and not held.invalid and not leaving


def _again(
    decision: replacement.Decision, seen: tuple[Pod, ...], barred: Incident | None, *, now: datetime
) -> datetime | None:
    overdue = [item.overdue for item in seen if item.overdue is not None and item.overdue > now]
    # No event of another policy's Incident makes this one due.
    freed = [now + BARRED] if barred is not None else []
    return min([*overdue, *freed, *(pause.until for pause in decision.pauses)], default=None)
