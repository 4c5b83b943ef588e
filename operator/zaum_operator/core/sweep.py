"""Plan for a whole namespace: strays are labelled again, the guard is swept when no agent and no policy is left."""

from zaum_api import contract
from zaum_operator.core import actions, drift, keys, kinds
from zaum_operator.core.actions import Action
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import guard
from zaum_operator.core.snapshot import NamespaceSnapshot


def of_namespace(snapshot: NamespaceSnapshot) -> tuple[Action, ...]:
    """Plan; the caller makes sure that nothing else of the namespace is being reconciled meanwhile."""
    agents = [pod for pod in snapshot.pods if _is_agent(pod)]
    strays = tuple(_relabelled(pod) for pod in agents if _is_stray(pod))
    if snapshot.policies or agents:
        desired = guard.render(snapshot.namespace)
        wanted = drift.of(desired, snapshot.guard)
        guarding = (actions.Apply(kinds.NETWORK_POLICY, desired),) if wanted.apply and agents else ()
        return (*strays, *guarding)
    if snapshot.guard is not None:
        return (actions.delete(kinds.NETWORK_POLICY, snapshot.guard),)
    return ()


def _is_agent(pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return labels.get(contract.LABEL_AGENT) == contract.LABEL_AGENT_VALUE or keys.owner(pod) is not None


def _is_stray(pod: Object) -> bool:
    """Tell whether a pod of ours lost a label by which the guard or its policy finds it."""
    labels = pod["metadata"].get("labels") or {}
    owner = keys.owner_name(pod)
    return bool(owner) and (
        labels.get(contract.LABEL_AGENT) != contract.LABEL_AGENT_VALUE or labels.get(contract.LABEL_POLICY) != owner
    )


def _relabelled(pod: Object) -> Action:
    labels = {
        contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE,
        contract.LABEL_POLICY: keys.owner_name(pod),
    }
    metadata = pod["metadata"]
    return actions.Merge(kinds.POD, metadata["namespace"], metadata["name"], {"metadata": {"labels": labels}})
