"""What is done next to the contained pods, in the order of the ladder: never a deletion while a container runs.

- One that lives and is not cut off gets the label by which the guard alone selects it, and its kubelet ends it.
- One that lives on no node is deleted then: no kubelet will ever end it, and none of its containers exists.
- One that lives and is cut off is waited for.
- One that is dead is deleted, once its last logs are kept, and its name and uid noted.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from zaum_api import contract
from zaum_operator.core import actions, kinds, pods
from zaum_operator.core.actions import Action
from zaum_operator.core.containment.bodies import Body
from zaum_operator.core.containment.held import Held
from zaum_operator.core.containment.incident import Incident, Ref

PODS_MAX: Final = 100
"""How many pods an Incident names."""


def actions_of(
    held: Held, there: Iterable[Body], *, namespace: str, keep: bool = False
) -> Iterator[tuple[str, Action]]:
    """Give the requests, each with the Incident for which it is sent.

    `keep`: leave the ended pods, because what they came to has not been noted elsewhere yet.
    """
    for body in there:
        incident = held.by(body.ref)
        if incident is None:
            continue
        step = _next(held, incident, body, namespace=namespace, keep=keep)
        if step is not None:
            yield incident.name, step


def wants_logs(incident: Incident, there: Iterable[Body]) -> Body | None:
    """Give the dead pod whose last logs the Incident still has to keep: the one that it names, else the first."""
    if incident.logs is not None or incident.hold is None:
        return None
    dead = sorted((body for body in there if body.dead and incident.covers(body.ref)), key=lambda body: body.ref)
    named = [body for body in dead if incident.pod is not None and _is(incident.pod, body.ref)]
    alone = incident.pod is None or not any(_is(incident.pod, body.ref) for body in there)
    return next(iter(named or (dead if alone else [])), None)


def _next(held: Held, incident: Incident, body: Body, *, namespace: str, keep: bool) -> Action | None:
    if body.dead:
        ready = not body.terminating and not keep and _is_read(held, body)
        return actions.Delete(kinds.POD, namespace, body.ref.name, body.ref.uid) if ready else None
    if not body.cut_off:
        return actions.Merge(kinds.POD, namespace, body.ref.name, _ending(incident, body.ref))
    if not body.scheduled and not body.terminating:
        return actions.Delete(kinds.POD, namespace, body.ref.name, body.ref.uid)
    return None


def _ending(incident: Incident, ref: Ref) -> dict[str, object]:
    """Cut a pod off and end it. It is noted on it what for, which for the others of a policy is another pod's doing."""
    own = incident.pod is None or _is(incident.pod, ref)
    metadata = {
        "labels": {contract.LABEL_QUARANTINED: "true"},
        "annotations": {contract.ANNOTATION_BREACH: incident.reason if own else contract.Breach.ORDERED.value},
    }
    return {"metadata": metadata, "spec": {"activeDeadlineSeconds": pods.ENDING_SECONDS}}


def _is_read(held: Held, body: Body) -> bool:
    """Say whether every Incident that holds the pod has noted it, and keeps the logs that it wants."""
    mine = [item for item in held.incidents if item.covers(body.ref)]
    noted = all(body.ref in item.pods or len(item.pods) >= PODS_MAX for item in mine)
    return noted and all(wants_logs(item, [body]) is None for item in mine)


def _is(named: Ref, ref: Ref) -> bool:
    return named.uid == ref.uid if named.uid else named.name == ref.name
