"""Plan for a whole namespace: strays are labelled again, the guard is swept when no agent and no policy is left."""

import re

from zaum_api import contract
from zaum_operator.core import actions, drift, keys, kinds, neighbours, plan
from zaum_operator.core.actions import Action
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.plan import Readers
from zaum_operator.core.render import guard, quota
from zaum_operator.core.snapshot import NamespaceSnapshot, Site


def of_namespace(
    snapshot: NamespaceSnapshot,
    site: Site,
    *,
    readers: Readers = Readers(),
) -> tuple[Action, ...]:
    """Plan; the caller makes sure that nothing else of the namespace is being reconciled meanwhile."""
    agents = [pod for pod in snapshot.pods if _is_agent(pod)]
    strays = tuple(_relabelled(pod) for pod in agents if _is_stray(pod))
    if snapshot.policies or agents:
        return (*strays, *_guarding(snapshot, site, readers, made=bool(agents)), *_quota(snapshot, site, readers))
    return tuple(
        actions.delete(kind, left)
        for kind, left in ((kinds.NETWORK_POLICY, snapshot.guard), (kinds.QUOTA, snapshot.quota))
        if left is not None
    )


def _guarding(snapshot: NamespaceSnapshot, site: Site, readers: Readers, *, made: bool) -> tuple[Action, ...]:
    """Repair the guard. Without an agent it is made by the first policy's plan, so only one that is there is mended."""
    if not made and snapshot.guard is None:
        return ()
    held = plan.ceilings_for(snapshot.ceilings, snapshot.namespace_object, site, readers)
    return _repair(kinds.NETWORK_POLICY, guard.render(snapshot.namespace, held.access), snapshot.guard)


def _quota(snapshot: NamespaceSnapshot, site: Site, readers: Readers) -> tuple[Action, ...]:
    """Take back the room of a policy that is gone (namespace-scoped mode)."""
    if not site.namespaced or snapshot.quota is None:
        return ()
    room = neighbours.pods(snapshot.policies, readers.policy)
    return _repair(kinds.QUOTA, quota.namespace_quota(snapshot.namespace, room), snapshot.quota)


def _repair(kind: Kind, desired: Object, live: Object | None) -> tuple[Action, ...]:
    found = drift.of(desired, live)
    steps: list[Action] = [actions.Apply(kind, desired)] if found.apply else []
    if found.strip:
        steps.append(actions.Merge(kind, desired["metadata"]["namespace"], desired["metadata"]["name"], found.strip))
    return tuple(steps)


def _is_agent(pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return labels.get(contract.LABEL_AGENT) == contract.LABEL_AGENT_VALUE or bool(_policy(pod))


def _policy(pod: Object) -> str:
    """Name the policy that a pod was made for; empty for a foreign one.

    Its owner can be taken off a live pod. Its name, its ServiceAccount and its containers cannot be changed, and all
    three together are only on pods that we made: Zaum's own Deployments have such accounts too, but no watchdog.
    """
    spec = pod.get("spec") or {}
    account = str(spec.get("serviceAccountName") or "")
    named = re.fullmatch(re.escape(account) + r"-\d+-[0-9a-f]{5}", str(pod["metadata"]["name"]))
    watched = any(item.get("name") == contract.CONTAINER_WATCHDOG for item in spec.get("initContainers") or ())
    ours = account.startswith(contract.NAME_PREFIX) and named is not None and watched
    return keys.owner_name(pod) or (account.removeprefix(contract.NAME_PREFIX) if ours else "")


def _is_stray(pod: Object) -> bool:
    """Tell whether a pod of ours lost a label by which the guard or its policy finds it."""
    labels = pod["metadata"].get("labels") or {}
    policy = _policy(pod)
    return bool(policy) and (
        labels.get(contract.LABEL_AGENT) != contract.LABEL_AGENT_VALUE or labels.get(contract.LABEL_POLICY) != policy
    )


def _relabelled(pod: Object) -> Action:
    metadata, policy = pod["metadata"], _policy(pod)
    labels = {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE, contract.LABEL_POLICY: policy}
    ordinal = str(metadata["name"]).removeprefix(contract.child_name(policy) + "-").rpartition("-")[0]
    if ordinal.isdecimal():
        labels[contract.LABEL_ORDINAL] = ordinal  # else it would be one too many, and its agent would be ended
    return actions.Merge(kinds.POD, metadata["namespace"], metadata["name"], {"metadata": {"labels": labels}})
