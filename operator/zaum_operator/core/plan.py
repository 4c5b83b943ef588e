"""From one snapshot to the requests that make it right. Isolation comes first, pods last, nothing is written twice."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from zaum_api import contract
from zaum_operator.core import actions, drift, foreign, intent, keys, kinds, pods, replacement
from zaum_operator.core import effective as effective_values
from zaum_operator.core.actions import Action
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.render import account, config, guard, network, pod, quota
from zaum_operator.core.snapshot import Site, Snapshot


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send for a policy that exists, and what it was decided from."""

    intent: Intent
    actions: tuple[Action, ...]
    effective: effective_values.Effective | None = None
    beside: tuple[foreign.Foreign, ...] = ()
    """NetworkPolicies beside which no pod may run."""
    decision: replacement.Decision = field(default_factory=replacement.Decision)
    stale: bool = False
    """Children of an earlier policy of this name go first; look again as soon as they are gone."""


def of_policy(snapshot: Snapshot, policy: Object, site: Site, *, now: datetime, suffix: Callable[[int], str]) -> Plan:
    """Plan for a policy that exists. `suffix` gives five new hex digits for the pod of an ordinal."""
    wanted = intent.read(policy)
    if stale := stale_children(snapshot, uid=wanted.uid):
        return Plan(wanted, stale, stale=True)
    found = foreign.find(snapshot.network_policies)
    guarding = _repair(kinds.NETWORK_POLICY, guard.render(wanted.key.namespace), snapshot)
    if wanted.spec is None:
        return Plan(wanted, guarding, beside=found)
    effective = effective_values.resolve(wanted.spec)
    template = pod.template(wanted, wanted.spec.agent, effective, site)
    decision = replacement.decide(
        tuple(pods.read(item) for item in snapshot.pods),
        replacement.Want(
            replicas=effective.replicas,
            run=not effective.stopped and not found,
            start=not found and snapshot.gateway is not None,
            template=pod.digest(template),
            images=pods.images(template),
        ),
        now=now,
    )
    written = config.write(wanted, effective, snapshot.gateway) if snapshot.gateway else None
    children = _children(wanted, effective=effective, snapshot=snapshot, site=site, decision=decision, written=written)
    return Plan(
        intent=wanted,
        actions=(
            *_taken_down(snapshot, decision),
            *guarding,
            *children,
            *_mended(snapshot, template, decision, written),
            *_started(wanted, effective=effective, site=site, decision=decision, written=written, suffix=suffix),
        ),
        effective=effective,
        beside=found,
        decision=decision,
    )


def of_absence(snapshot: Snapshot) -> tuple[Action, ...]:
    """Plan for a policy that is gone: the way out first, then the pods, then the rest. The guard is not touched."""
    return stale_children(snapshot, uid="")


def stale_children(snapshot: Snapshot, *, uid: str) -> tuple[Action, ...]:
    """Delete children of a policy with another uid than this, in the order of `kinds.CHILDREN`."""
    name = contract.child_name(snapshot.key.name)
    held: dict[Kind, Iterable[Object | None]] = {
        kinds.NETWORK_POLICY: [snapshot.network_policy(name)],
        kinds.POD: snapshot.pods,
        kinds.QUOTA: [snapshot.quota],
        kinds.CONFIG_MAP: [snapshot.config],
        kinds.SERVICE_ACCOUNT: [snapshot.account],
    }
    gone = [
        actions.delete(kind, child)
        for kind in kinds.CHILDREN
        for child in held[kind]
        if child is not None and _is_stale(child, uid) and not child["metadata"].get("deletionTimestamp")
    ]
    if not uid and snapshot.priority_class is not None:
        gone.append(actions.delete(kinds.PRIORITY_CLASS, snapshot.priority_class))
    return tuple(gone)


def _is_stale(child: Object, uid: str) -> bool:
    """Tell whether an AgentPolicy of another uid owns a child. One without owner is adopted, not deleted."""
    reference = keys.owner(child)
    return reference is not None and reference.get("uid") != uid


def _children(
    wanted: Intent,
    *,
    effective: effective_values.Effective,
    snapshot: Snapshot,
    site: Site,
    decision: replacement.Decision,
    written: config.Written | None,
) -> list[Action]:
    """Repair everything between the guard and the pods, in the order in which it must exist."""
    spec = wanted.spec
    bare = spec is not None and spec.agent.runtime_class_name is not None
    rendered: list[tuple[Kind, Object]] = [
        (kinds.SERVICE_ACCOUNT, account.render(wanted)),
        (kinds.PRIORITY_CLASS, quota.priority_class(wanted)),
        (kinds.QUOTA, quota.resource_quota(wanted, _usages(effective, snapshot, decision), bare=bare)),
        (kinds.NETWORK_POLICY, network.render(wanted, release_namespace=site.release_namespace)),
    ]
    if written is not None:
        rendered.append((kinds.CONFIG_MAP, config.render(wanted, written)))
    return [action for kind, desired in rendered for action in _repair(kind, desired, snapshot)]


def _usages(
    effective: effective_values.Effective, snapshot: Snapshot, decision: replacement.Decision
) -> list[quota.Usage]:
    """Give what each ordinal may use: the plan's pod, or the larger live one that still waits for its turn."""
    planned = quota.of_plan(effective)
    live = {item.name: item.ordinal for item in decision.keep}
    usages = [planned] * effective.replicas
    for item in snapshot.pods:
        ordinal = live.get(item["metadata"]["name"])
        if ordinal is not None:
            usages[ordinal] = planned.largest(quota.of_pod(item))
    return usages


def _live(snapshot: Snapshot, kind: Kind, name: str) -> Object | None:
    match kind:
        case kinds.NETWORK_POLICY:
            return snapshot.network_policy(name)
        case kinds.SERVICE_ACCOUNT:
            return snapshot.account
        case kinds.PRIORITY_CLASS:
            return snapshot.priority_class
        case kinds.QUOTA:
            return snapshot.quota
        case _:
            return snapshot.config


def _repair(kind: Kind, desired: Object, snapshot: Snapshot) -> tuple[Action, ...]:
    name = desired["metadata"]["name"]
    found = drift.of(desired, _live(snapshot, kind, name))
    steps: list[Action] = [actions.Apply(kind, desired)] if found.apply else []
    if found.strip:
        steps.append(actions.Merge(kind, desired["metadata"].get("namespace"), name, found.strip))
    return tuple(steps)


def _taken_down(snapshot: Snapshot, decision: replacement.Decision) -> list[Action]:
    namespace = snapshot.key.namespace
    gone = [actions.Delete(kinds.POD, namespace, item.pod.name, item.pod.uid) for item in decision.delete]
    ended = [
        actions.Merge(kinds.POD, namespace, item.name, _ending()) for item in decision.end if not item.deadline_set
    ]
    return [*gone, *ended]


def _ending() -> dict[str, object]:
    """Cut a pod off and end it: with this label only the guard selects it, so nothing leaves while it dies."""
    return {"metadata": {"labels": {contract.LABEL_QUARANTINED: "true"}}, "spec": {"activeDeadlineSeconds": 1}}


def _mended(
    snapshot: Snapshot, template: Object, decision: replacement.Decision, written: config.Written | None
) -> list[Action]:
    """Mend what may change on a live pod: its labels, and the digest that makes the kubelet fetch the config now."""
    steps: list[Action] = []
    for item in decision.keep:
        patch: dict[str, object] = {}
        have, need = dict(item.labels), pod.labels(template, item.ordinal or 0)
        wrong = {key: value for key, value in need.items() if have.get(key) != value}
        if wrong:
            patch["labels"] = wrong
        digest = config.digest(written or {}, item.config_version)
        if digest is not None and item.config_digest != digest:
            patch["annotations"] = {contract.ANNOTATION_CONFIG_DIGEST: digest}
        if patch:
            steps.append(actions.Merge(kinds.POD, snapshot.key.namespace, item.name, {"metadata": patch}))
    return steps


def _started(
    wanted: Intent,
    *,
    effective: effective_values.Effective,
    site: Site,
    decision: replacement.Decision,
    written: config.Written | None,
    suffix: Callable[[int], str],
) -> list[Action]:
    digest = config.digest(written or {}, config.NEWEST)
    if wanted.spec is None or digest is None:
        return []
    return [
        actions.Create(
            kinds.POD,
            pod.render(
                pod.template(wanted, wanted.spec.agent, effective, site),
                ordinal=start.ordinal,
                suffix=suffix(start.ordinal),
                config_digest=digest,
                failures=start.failures,
            ),
        )
        for start in decision.start
    ]
