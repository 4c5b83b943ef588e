"""A policy's children beside its pods: what there must be, in the order in which it must exist, and what must go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from zaum_api import contract
from zaum_operator.core import actions, drift, fixed, keys, kinds, neighbours, replacement
from zaum_operator.core.actions import Action
from zaum_operator.core.containment import noticing
from zaum_operator.core.containment.noticing import Child
from zaum_operator.core.effective import Effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.render import account, claim, config, metadata, network, quota, service
from zaum_operator.core.snapshot import Site, Snapshot


@dataclass(frozen=True, slots=True)
class Draft:
    """What children are rendered from."""

    intent: Intent
    effective: Effective
    snapshot: Snapshot
    site: Site
    decision: replacement.Decision
    written: config.Written | None
    """The watchdog's document; None while there is no gateway."""
    read: Callable[[Object], Intent]
    quarantined: bool = False


def of_plan(draft: Draft) -> list[Action]:
    """Take away what is no longer asked for, then repair everything between the guard and the pods."""
    mended = (step for kind, desired in rendered(draft) for step in repair(kind, desired, draft.snapshot))
    return [*_pruned(draft), *mended]


def rendered(draft: Draft) -> list[tuple[Kind, Object]]:
    """Give what there must be, in the order in which it must exist."""
    wanted, entries = draft.intent, draft.effective.ingress
    found: list[tuple[Kind, Object]] = [(kinds.SERVICE_ACCOUNT, account.render(wanted)), *_quota(draft)]
    found.append((kinds.NETWORK_POLICY, _network(draft)))
    if entries:
        found.append((kinds.SERVICE, service.render(wanted, entries)))
    if draft.written is not None:
        found.append((kinds.CONFIG_MAP, config.render(wanted, draft.written)))
    return found


def _network(draft: Draft) -> Object:
    return network.render(draft.intent, draft.site, entries=draft.effective.ingress, quarantined=draft.quarantined)


def standing(draft: Draft, known: config.Written | None) -> Iterator[Child]:
    """Say how the policy's own objects stand beside the plan; what a namespace has in common belongs to none.

    `known`: the watchdog's document as it is written without a look at the one that is there.
    """
    for kind, desired in rendered(draft):
        name = desired["metadata"]["name"]
        if name == contract.NAMESPACE_QUOTA_NAME:
            continue
        planned = config.render(draft.intent, known) if kind is kinds.CONFIG_MAP and known is not None else desired
        state = noticing.State.STANDS
        if repair(kind, desired, draft.snapshot):
            missing = _live(draft.snapshot, kind, name) is None
            state = noticing.State.MISSING if missing else noticing.State.CHANGED
        yield Child(kind.name, name, noticing.digest(planned), state)


def claims(draft: Draft) -> list[Action]:
    """Make the claim of each ordinal, and let it grow. One that is being deleted is made again when it is gone."""
    persistent = draft.effective.persistent
    if persistent is None:
        return []
    steps: list[Action] = []
    held = _claims(draft)
    for ordinal in range(draft.effective.replicas):
        have = held.get(contract.claim_name(draft.intent.key.name, ordinal))
        if have is not None and have["metadata"].get("deletionTimestamp"):
            continue
        size = draft.effective.sizes.workspace
        desired = claim.render(draft.intent, ordinal, persistent=persistent, size=size, live=have)
        if have is None or not claim.stands(desired, have):
            steps.append(actions.Apply(kinds.CLAIM, desired))
    return steps


def stuck(draft: Draft) -> tuple[claim.Stuck, ...]:
    """Give the claims of wanted ordinals that cannot become what is asked."""
    persistent, size = draft.effective.persistent, draft.effective.sizes.workspace
    if persistent is None:
        return ()
    names = {contract.claim_name(draft.intent.key.name, ordinal) for ordinal in range(draft.effective.replicas)}
    found = (
        claim.stuck(item, persistent=persistent, size=size) for name, item in _claims(draft).items() if name in names
    )
    return tuple(item for item in found if item is not None)


def of_absence(snapshot: Snapshot) -> tuple[Action, ...]:
    """Plan for a policy that is gone: the way out first, then the pods, then the rest. The guard is not touched."""
    return stale(snapshot, uid="")


def stale(snapshot: Snapshot, *, uid: str) -> tuple[Action, ...]:
    """Delete children of a policy with another uid than this, in the order of `kinds.CHILDREN`.

    No uid: the policy is gone, and what was made for it goes even where nothing owns it any more. A deletion with
    `--cascade=orphan` leaves it so, and nobody but us may delete it. Claims stay then: they hold somebody's work.
    """
    name = contract.child_name(snapshot.key.name)
    held: dict[Kind, Iterable[Object | None]] = {
        kinds.NETWORK_POLICY: [snapshot.network_policy(name)],
        kinds.SERVICE: [snapshot.service],
        kinds.POD: snapshot.pods,
        kinds.QUOTA: [snapshot.quota],
        kinds.CONFIG_MAP: [snapshot.config],
        kinds.SERVICE_ACCOUNT: [snapshot.account],
        kinds.CLAIM: snapshot.claims,
    }
    gone = [
        actions.delete(kind, child)
        for kind in kinds.CHILDREN
        for child in held[kind]
        if child is not None
        and (_is_stale(child, uid) or (not uid and kind is not kinds.CLAIM and _is_orphan(child, snapshot.key.name)))
        and (uid or kind is not kinds.POD or not _is_anothers(child, snapshot.key.name))
        and not child["metadata"].get("deletionTimestamp")
    ]
    if not uid and snapshot.priority_class is not None:
        gone.append(actions.delete(kinds.PRIORITY_CLASS, snapshot.priority_class))
    return tuple(gone)


def repair(kind: Kind, desired: Object, snapshot: Snapshot) -> tuple[Action, ...]:
    """Give what makes the live object the desired one; nothing when it is."""
    name = desired["metadata"]["name"]
    latitude = service.LATITUDE if kind is kinds.SERVICE else drift.STRICT
    live = _live(snapshot, kind, name)
    if live is not None and fixed.stands_in_the_way(kind, desired, live):
        return (actions.delete(kind, live), actions.Apply(kind, desired))
    found = drift.of(desired, live, latitude)
    steps: list[Action] = [actions.Apply(kind, desired)] if found.apply else []
    if found.strip:
        steps.append(actions.Merge(kind, desired["metadata"].get("namespace"), name, found.strip))
    return tuple(steps)


def _is_stale(child: Object, uid: str) -> bool:
    """Tell whether an AgentPolicy of another uid owns a child. One without owner is adopted, not deleted."""
    reference = keys.owner(child)
    return reference is not None and reference.get("uid") != uid


def _is_anothers(pod: Object, policy: str) -> bool:
    """Tell whether a pod only says by its label that it is of this policy: the sweep puts the label back."""
    account = (pod.get("spec") or {}).get("serviceAccountName")  # Which nobody can change.
    return keys.owner_name(pod) not in ("", policy) and account != contract.child_name(policy)


def _is_orphan(child: Object, policy: str) -> bool:
    """Tell whether we made a child for this policy and nothing owns it; its name alone would not say who made it."""
    labels = child["metadata"].get("labels") or {}
    made_by_us = labels.get(metadata.MANAGED_BY) == contract.FIELD_MANAGER or contract.LABEL_AGENT in labels
    return keys.owner(child) is None and labels.get(contract.LABEL_POLICY) == policy and made_by_us


def _pruned(draft: Draft) -> list[Action]:
    """Take away the Service of a policy that nobody may reach any more. Claims stay: they hold somebody's work."""
    live = draft.snapshot.service
    if live is None or draft.effective.ingress or live["metadata"].get("deletionTimestamp"):
        return []
    return [actions.delete(kinds.SERVICE, live)] if _is_our_service(live, draft.intent.key.name) else []


def _is_our_service(live: Object, policy: str) -> bool:
    """Tell whether we made the Service of this name. Owner or label may have been taken off; another's has neither."""
    labels = live["metadata"].get("labels") or {}
    leads_to_us = (live.get("spec") or {}).get("selector") == metadata.pod_selector(policy)
    return leads_to_us or keys.owner(live) is not None or labels.get(contract.LABEL_POLICY) == policy


def _quota(draft: Draft) -> list[tuple[Kind, Object]]:
    if draft.site.namespaced:
        room = neighbours.pods(draft.snapshot.neighbours, draft.read)
        return [(kinds.QUOTA, quota.namespace_quota(draft.intent.key.namespace, room))]
    spec = draft.intent.spec
    bare = spec is not None and spec.agent.runtime_class_name is not None
    return [
        (kinds.PRIORITY_CLASS, quota.priority_class(draft.intent)),
        (kinds.QUOTA, quota.resource_quota(draft.intent, _usages(draft), bare=bare)),
    ]


def _usages(draft: Draft) -> list[quota.Usage]:
    """Give what each ordinal may use: the plan's pod, or the larger live one that still waits for its turn."""
    planned = quota.of_plan(draft.effective)
    live = {item.name: item.ordinal for item in draft.decision.keep}
    usages = [planned] * draft.effective.replicas
    for item in draft.snapshot.pods:
        ordinal = live.get(item["metadata"]["name"])
        if ordinal is not None and ordinal < len(usages):
            usages[ordinal] = planned.largest(quota.of_pod(item))
    return usages


def _claims(draft: Draft) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in draft.snapshot.claims}


def _live(snapshot: Snapshot, kind: Kind, name: str) -> Object | None:
    match kind:
        case kinds.NETWORK_POLICY:
            return snapshot.network_policy(name)
        case kinds.SERVICE_ACCOUNT:
            return snapshot.account
        case kinds.PRIORITY_CLASS:
            return snapshot.priority_class
        case kinds.QUOTA:
            return snapshot.namespace_quota if name == contract.NAMESPACE_QUOTA_NAME else snapshot.quota
        case kinds.SERVICE:
            return snapshot.service
        case _:
            return snapshot.config
