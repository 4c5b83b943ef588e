"""Whether each step of a containment has been taken, as its source shows it. What was not seen is not confirmed.

One function per step, each from the same scene to a `Step`. A step that was confirmed stays so while nothing of the
contained pods lives; a pod that appears alive under an open Incident takes it back.

    Cut           every authorizer has the Incident in force, and each pod is cut off by its watchdog or has ended
    Killed        every container of each pod has terminated, or its object is gone
    RouteRemoved  each pod that lives carries the label, the guard selects it, and nothing that opens anything does
    IdentityDead  each pod's object is gone, and no authorizer knows its uid as one that lives
    Quarantined   the name is held: every authorizer has the Incident in force, each pod that is there is being ended
                  and the guard alone selects it, and the policy's NetworkPolicy selects nothing
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, incidents
from zaum_operator.core import foreign, selectors
from zaum_operator.core.containment.bodies import Body
from zaum_operator.core.containment.incident import Condition
from zaum_operator.core.containment.scene import Scene
from zaum_operator.core.render import network

Word = incidents.Word
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """What is so of one condition. `message`: whose word it is, or whose is missing.

    `observed`: since when it has been so, where those who confirm it say so; milliseconds since the epoch, else 0.
    """

    confirmed: bool
    word: Word
    message: str
    observed: int = 0


def waiting(message: str) -> Step:
    """Say what has not been seen yet."""
    return Step(confirmed=False, word=Word.WAITING, message=message)


def confirmed(message: str, word: Word = Word.CONFIRMED, *, observed: int = 0) -> Step:
    """Say whose word confirms it."""
    return Step(confirmed=True, word=word, message=message, observed=observed)


def cut(scene: Scene) -> Step:
    """Ask every authorizer, and look at each pod."""
    if missing := _unasked(scene) or _blind(scene):
        return waiting(missing)
    open_ = [body.ref.name for body in scene.alive if not _has_cut(body, scene)]
    if open_:
        return waiting(f"the watchdog of pod {_named(open_)} has not said that it has cut, and the pod has not ended")
    said = f"{len(scene.sight.replicas)} authorizers have the Incident in force"
    if not scene.refs:
        return confirmed(f"{said}; there is no pod", Word.NO_POD)
    told = [scene.cut.get(ref.uid, 0) for ref in scene.refs]
    observed = max(told) if all(told) else 0
    return confirmed(f"{said}; {len(scene.refs)} pods are cut by their watchdogs or have ended", observed=observed)


def killed(scene: Scene) -> Step:
    """Look at each container's status."""
    if scene.alive:
        return _refused(scene) or waiting(_living(scene.alive))
    if not scene.refs:
        return confirmed("the API server shows no pod of it", Word.NO_POD)
    if scene.gone and scene.unsure:
        return waiting(scene.unsure)
    ended, gone = len(scene.bodies), len(scene.gone)
    seen = [f"every container of {ended} pods has terminated" if ended else "", f"{gone} pods are gone" if gone else ""]
    return confirmed(f"API server: {' and '.join(part for part in seen if part)}")


def route_removed(scene: Scene) -> Step:
    """Look at labels and NetworkPolicies as they were read back."""
    bare = [body.ref.name for body in scene.alive if not body.labelled]
    if bare:
        return _refused(scene) or waiting(f"pod {_named(bare)} does not carry {contract.LABEL_QUARANTINED} yet")
    unguarded = [body.ref.name for body in scene.alive if not _is_guarded(body)]
    if unguarded:
        return _refused(scene) or waiting(f"the guard does not select pod {_named(unguarded)}, which lost its label")
    for body in scene.alive:
        if opened := _opened(scene, body):
            return waiting(f"NetworkPolicy {opened} selects pod {body.ref.name} beside the guard")
    if scene.alive and not any(item["metadata"]["name"] == contract.GUARD_NAME for item in scene.network_policies):
        return waiting(f"the guard {contract.GUARD_NAME} is not there")
    if not scene.alive:
        return confirmed("API server: no pod of it lives", Word.CONFIRMED if scene.refs else Word.NO_POD)
    return confirmed(f"API server: the guard alone selects {len(scene.alive)} pods")


def identity_dead(scene: Scene) -> Step:
    """Look for the objects, and ask every authorizer about the uids."""
    if scene.bodies:
        return waiting(f"the object of pod {_named([body.ref.name for body in scene.bodies])} is still there")
    if not scene.gone:
        return confirmed("API server: no pod of it was there", Word.NO_POD)
    if missing := scene.unsure or _unasked(scene):
        return waiting(missing)
    for ref in scene.gone:
        absent = scene.sight.gone_for.get(ref.uid, 0.0)
        knows = [item.address for item in scene.sight.replicas if ref.uid and not item.dead(ref.uid, gone_for=absent)]
        if knows:
            return waiting(f"authorizer {_named(knows)} does not say yet that the identity of pod {ref.name} is dead")
    return confirmed(
        f"API server: {len(scene.gone)} pods are gone; {len(scene.sight.replicas)} authorizers know none of them"
    )


def quarantined(scene: Scene) -> Step:
    """Look that the name is held: what is there is being ended, and nothing that had its name would reach anything.

    That the pods are dead and gone is said by other steps. The authorizers are asked until they have said it once: an
    Incident that is open is in force with each that is ready. What was confirmed is taken back by what is seen, and not
    because nobody could look.
    """
    if not (scene.incident.quarantine or scene.escalated):
        return Step(confirmed=False, word=Word.NOT_NEEDED, message="a Kill contains the pod that it names alone")
    anew = not scene.incident.is_true(Condition.QUARANTINED)
    if anew and (missing := _unasked(scene) or _blind(scene)):
        return waiting(missing)
    staying = [body.ref.name for body in scene.alive if not (body.ended or body.terminating or body.cut_off)]
    if staying:
        return _refused(scene) or waiting(f"pod {_named(staying)} is not being ended yet")
    route = route_removed(scene)
    if not route.confirmed:
        return route
    if anew and scene.gone and scene.unsure:
        return waiting(scene.unsure)
    own = scene.own
    if own is not None and not network.is_closed(own):
        return waiting(f"NetworkPolicy {own['metadata']['name']} still selects pods")
    left = f"{len(scene.bodies)} pods are being ended" if scene.bodies else "no pod"
    if not scene.policy_exists:
        name = scene.incident.key.name
        return confirmed(f"API server: no AgentPolicy {name}, {left}; the name is held", Word.POLICY_NOT_FOUND)
    said = f"API server: {left}, none starts, and the policy's NetworkPolicy selects nothing"
    if scene.blocking:
        return confirmed(f"{said}; blocked under other names: {', '.join(scene.blocking)}", Word.IMAGE_BLOCKED)
    return confirmed(said)


STEPS: Final[dict[Condition, Callable[[Scene], Step]]] = {
    Condition.CUT: cut,
    Condition.KILLED: killed,
    Condition.ROUTE_REMOVED: route_removed,
    Condition.IDENTITY_DEAD: identity_dead,
    Condition.QUARANTINED: quarantined,
}
_FOR_EVER: Final = frozenset({Condition.CUT, Condition.KILLED, Condition.ROUTE_REMOVED, Condition.IDENTITY_DEAD})
"""Facts about pods: what is dead stays dead. That nothing runs under a name is looked at anew each time."""


def conclude(scene: Scene) -> dict[Condition, Step]:
    """Give all steps, those that were confirmed before among them."""
    return {kind: _kept(scene, kind) or look(scene) for kind, look in STEPS.items()}


def _kept(scene: Scene, kind: Condition) -> Step | None:
    if kind not in _FOR_EVER or scene.alive or not scene.incident.is_true(kind):
        return None
    if kind is Condition.IDENTITY_DEAD and scene.bodies:
        return None
    before = scene.incident.conditions[kind.value]
    try:
        word = Word(str(before.get("reason")))
    except ValueError:
        word = Word.CONFIRMED
    return confirmed(str(before.get("message", "")), word)


def _unasked(scene: Scene) -> str:
    """Say that nobody's word is there: no authorizer at all confirms nothing."""
    if not scene.sight.replicas:
        return "no authorizer is known that runs"
    silent = [item.address for item in scene.sight.replicas if item.seen is None]
    return f"authorizer {_named(silent)} does not answer" if silent else ""


def _blind(scene: Scene) -> str:
    """Say which authorizers do not deny what the Incident contains."""
    incident = scene.incident
    where = (incident.key.namespace, incident.name, incident.uid)
    blind = [item.address for item in scene.sight.replicas if item.seen is None or not item.seen.sees(*where)]
    return f"authorizer {_named(blind)} does not say that the Incident is in force there" if blind else ""


def _has_cut(body: Body, scene: Scene) -> bool:
    """Tell whether a pod that is not dead lets nothing out any more: its watchdog's word, or its phase."""
    spoken = body.word is not None and not body.word.unhealthy
    return body.ended or not body.scheduled or spoken or body.ref.uid in scene.cut


def _is_guarded(body: Body) -> bool:
    return body.labels.get(contract.LABEL_AGENT) == contract.LABEL_AGENT_VALUE


def _opened(scene: Scene, body: Body) -> str:
    own = scene.own
    if own is not None and _selects(own, body):
        return str(own["metadata"]["name"])
    others = [item for item in scene.network_policies if item is not own]
    found = foreign.find(others, None, [dict(body.labels)])
    return found[0].name if found else ""


def _selects(policy: dict[str, object], body: Body) -> bool:
    spec = policy.get("spec")
    selector = spec.get("podSelector") if isinstance(spec, dict) else None
    try:
        return selectors.matches(selector or {}, body.labels)
    except selectors.SelectorError:
        return True


def _refused(scene: Scene) -> Step | None:
    return Step(confirmed=False, word=Word.REFUSED, message=scene.refused) if scene.refused else None


def _living(alive: tuple[Body, ...]) -> str:
    first = alive[0]
    runs = f"container {_named(list(first.running))} runs" if first.running else "it has not ended"
    more = f"; and {len(alive) - 1} more pods" if len(alive) > 1 else ""
    return f"pod {first.ref.name}: {runs}{more}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
