"""Judge every stored write of the loop in its order: is a claim true, is anything less contained than before. Pure.

The rules are written down a second time, from the frame's words alone: nothing of the operator's own decides here.

    Cut           every authorizer has said that the Incident is in force; no contained pod lives that has not been cut
    Killed        no container of a contained pod runs
    RouteRemoved  no living contained pod is without the label or the guard, or selected by what opens anything
    IdentityDead  no object of a contained pod is there, and every authorizer has said that it knows its uid no more
    Quarantined   every authorizer has said that the Incident is in force; each pod of the policy that lives is being
                  ended, has the label and the guard, and nothing opens for it; the policy's NetworkPolicy opens and
                  selects nothing; while the claim stands, no pod is created, by the order of the writes
    Released      a person's word stands in the spec, and nothing contained runs
    Closed        released, or a Kill every step of which is True, or a duplicate of an older one
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tests.chaos import isolation
from tests.chaos.history import Change, Object, Place
from tests.chaos.loop.voices import Voice

POLICY: Final = "zaum.dev/policy"
QUARANTINED: Final = "zaum.dev/quarantined"
GUARD: Final = "zaum--guard"
STEPS: Final = ("Cut", "Killed", "RouteRemoved", "IdentityDead")
ENDED: Final = frozenset({"Failed", "Succeeded"})
RACE_SECONDS: Final = 2.0
"""More than this after the Incident, and before it claims that none starts, no pod may: one that was under way is
contained as the others are. By both clocks: ours may have heard late, and the API server's has whole seconds."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that must not be."""

    revision: int
    at: float
    what: str

    def __str__(self) -> str:
        """Give one line."""
        return f"revision {self.revision}: {self.what}"


@dataclass
class Court:
    """Takes changes in the order of their revisions. `replicas`: the authorizers whose word each claim needs.

    Empty: nobody writes down what they say, and agents have watchdogs, which cut while a pod lives; the world's
    record decides of a Cut then.
    """

    replicas: frozenset[str]
    voices: tuple[Voice, ...]
    namespaces: frozenset[str]
    wrongs: list[Wrong] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)
    """How often each step was claimed: a judge that saw none proves nothing."""
    raced: int = 0
    """Pods that started while the Incident was on its way."""
    seen: int = 0
    _objects: dict[Place, Object] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    """Since when each Incident has held its policy's name, by uid."""
    _gone: dict[str, float] = field(default_factory=dict)
    """When each pod's object went, by uid."""
    _closed: set[tuple[str, str]] = field(default_factory=set)
    """Policies whose NetworkPolicy has been closed under an open Quarantine."""
    _last: dict[str, float] = field(default_factory=dict)
    _said: dict[tuple[str, str], list[Voice]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for voice in self.voices:
            for namespace, name in voice.asked.incidents:
                self._said.setdefault((namespace, name), []).append(voice)
            for uid in voice.asked.pods:
                self._said.setdefault(("", uid), []).append(voice)

    def take(self, change: Change) -> None:
        """Judge one write, and know of it."""
        if change.place[1] not in self.namespaces:
            return
        self.seen += 1
        before = self._objects.get(change.place)
        if before is not None and change.obj is not None and _uid(before) != _uid(change.obj):
            self._forget(change, before)
            before = None
        match change.place[0], change.obj:
            case "pods", obj:
                found = list(self._pod(change, obj, before))
            case "networkpolicies", obj:
                found = list(self._route(change, obj))
            case "incidents", None:
                found = self._incident_gone(before)
            case "incidents", obj:
                assert obj is not None
                found = list(self._incident(change, obj, before))
            case _:
                found = []
        self.wrongs += [Wrong(change.revision, change.at, what) for what in found]
        if change.obj is None:
            if before is not None:
                self._forget(change, before)
            self._objects.pop(change.place, None)
        else:
            self._objects[change.place] = change.obj

    def _forget(self, change: Change, before: Object) -> None:
        if change.place[0] == "pods":
            self._gone[_uid(before)] = change.at

    # Less contained than before

    def _pod(self, change: Change, obj: Object | None, before: Object | None) -> Iterator[str]:
        name, namespace = change.place[2], change.place[1]
        if obj is not None and before is None:
            holding = [item for item in self._open(namespace) if whole(item) and about(item) == _policy(obj)]
            for item in holding:
                late = change.at - self._since[_uid(item)] > RACE_SECONDS
                if conditions(item).get("Quarantined") == "True" and not change.listed:
                    yield f"pod {name} starts under the open Quarantine {_name(item)}, which claims that none does"
                elif late and _created(obj) - _created(item) > RACE_SECONDS:
                    yield f"pod {name} starts under the open Quarantine {_name(item)}"
                else:
                    self.raced += 1
        if before is None:
            return
        if _labels(before).get(QUARANTINED) and obj is not None:
            if _labels(obj).get(QUARANTINED) != "true":
                yield f"pod {name} loses its label"
            if obj["spec"].get("activeDeadlineSeconds") != 1:
                yield f"pod {name} gets more time"
        leaves = obj is None or (_leaving(obj) and not _leaving(before))
        if leaves and _runs(before) and not _leaving(before) and self._contained_by(namespace, before):
            yield f"pod {name} is deleted while it runs"

    def _route(self, change: Change, obj: Object | None) -> Iterator[str]:
        name, namespace = change.place[2], change.place[1]
        if name == GUARD:
            if obj is None or isolation.without_empty(obj.get("spec") or {}) != isolation.GUARD_SPEC:
                yield "the guard is gone, or is another one"
            return
        key = (namespace, name.removeprefix("zaum-"))
        held = any(whole(item) and about(item) == key[1] for item in self._open(namespace))
        if obj is None or not held:
            self._closed.discard(key)
        elif shut(obj):
            self._closed.add(key)
        elif key in self._closed:
            yield f"the route of {key[1]} is opened again under an open Quarantine"

    def _incident_gone(self, before: Object | None) -> list[str]:
        return [f"Incident {_name(before)} goes while it is open"] if before is not None and is_open(before) else []

    # Claims

    def _incident(self, change: Change, obj: Object, before: Object | None) -> Iterator[str]:
        if whole(obj):
            self._since.setdefault(_uid(obj), change.at)
        was, now = conditions(before or {}), conditions(obj)
        yield from self._timeline(obj, before, now)
        for step, status in was.items():
            if status == "True" and now.get(step) != "True" and step in {"Released", "Closed"}:
                yield f"{_name(obj)}: {step} is taken back"
        if before is not None and before["spec"] | {"release": None} != obj["spec"] | {"release": None}:
            yield f"{_name(obj)}: its spec is another one"
        for step, status in now.items():
            if status == "True" and was.get(step) != "True":
                self.claims[step] = self.claims.get(step, 0) + 1
                for why in self._false(step, obj, now, change.at):
                    yield f"{_name(obj)} claims {step}: {why}"

    def _timeline(self, obj: Object, before: Object | None, now: Mapping[str, str]) -> Iterator[str]:
        """Lines are only ever added, one for each condition that is True now, each later than the last one."""
        old, new = lines(before or {}), lines(obj)
        if new[: len(old)] != old:
            yield f"{_name(obj)}: its timeline is written anew"
            return
        for line in new[len(old) :]:
            if now.get(line["step"]) != "True":
                yield f"{_name(obj)}: the timeline has {line['step']}, which is not confirmed"
            if not line.get("confirmedBy"):
                yield f"{_name(obj)}: nobody's word stands for {line['step']}"
        moments = [line["at"] for line in new]
        if moments != sorted(moments):
            yield f"{_name(obj)}: its timeline goes backwards"

    def _false(self, step: str, obj: Object, now: Mapping[str, str], at: float) -> Iterator[str]:
        """Say why a claim is not so."""
        pods = self._contained(obj)
        living = [_name(pod) for pod in pods if _runs(pod)]
        match step:
            case "Cut":
                yield from (f"pod {name} lives, and has not been cut" for name in living if self.replicas)
                yield from self._unheard(obj, at)
            case "Killed":
                yield from (f"pod {name} runs" for name in living)
            case "RouteRemoved":
                yield from self._unrouted(pods)
            case "IdentityDead":
                yield from (f"pod {_name(pod)} is there" for pod in pods)
                yield from self._known(obj, at)
            case "Quarantined":
                yield from (f"pod {_name(pod)} is not being ended" for pod in pods if _runs(pod) and not _ending(pod))
                yield from self._unrouted(pods)
                yield from self._unheard(obj, at)
                own = self._objects.get(("networkpolicies", _space(obj), f"zaum-{about(obj)}"))
                if own is not None and not shut(own):
                    yield "its route is open"
            case "Released":
                if not obj["spec"].get("release"):
                    yield "nobody has released it"
                yield from (f"pod {name} runs" for name in living)
            case "Closed":
                yield from _needed(obj, now)

    def _unrouted(self, pods: Iterable[Object]) -> Iterator[str]:
        for pod in (pod for pod in pods if _runs(pod)):
            if _labels(pod).get(QUARANTINED) != "true":
                yield f"pod {_name(pod)} has no label"
            if not isolation.selects(isolation.GUARD_SPEC["podSelector"], _labels(pod)):
                yield f"the guard does not select pod {_name(pod)}"
            yield from self._opened(pod)

    def _unheard(self, obj: Object, at: float) -> Iterator[str]:
        key = (_space(obj), _name(obj))
        said = [voice for voice in self._said.get(key, ()) if voice.at <= at]
        for replica in sorted(self.replicas):
            if not any(voice.replica == replica and voice.seen.sees(*key, _uid(obj)) for voice in said):
                yield f"{replica} has not said that it is in force there"

    def _known(self, obj: Object, at: float) -> Iterator[str]:
        for uid in sorted(_uids(obj)):
            said = [voice for voice in self._said.get(("", uid), ()) if voice.at <= at]
            for replica in sorted(self.replicas):
                if not any(voice.replica == replica and self._dead(voice, uid) for voice in said):
                    yield f"{replica} has not said that it knows pod {uid} no more"

    def _dead(self, voice: Voice, uid: str) -> bool:
        """An answer proves it that calls the pod ended or gone, or that knows it no more by a list made since."""
        found = next((pod for pod in voice.seen.pods if pod.uid == uid), None)
        if found is not None:
            return voice.seen.ready and found.life.value != "live"
        gone = self._gone.get(uid)
        return voice.seen.ready and gone is not None and voice.at - voice.seen.listed >= gone - 1.0

    def _opened(self, pod: Object) -> Iterator[str]:
        namespace = pod["metadata"]["namespace"]
        for place, other in self._objects.items():
            if place[:2] != ("networkpolicies", namespace) or place[2] == GUARD:
                continue
            if isolation.selects(other["spec"].get("podSelector") or {}, _labels(pod)):
                yield f"NetworkPolicy {place[2]} selects pod {_name(pod)}"

    # What is contained

    def _contained(self, obj: Object) -> list[Object]:
        found = [item for place, item in self._objects.items() if place[:2] == ("pods", _space(obj))]
        if whole(obj):
            return [pod for pod in found if _policy(pod) == about(obj)]
        return [pod for pod in found if _uid(pod) == (obj["spec"].get("pod") or {}).get("uid")]

    def _contained_by(self, namespace: str, pod: Object) -> bool:
        return any(
            (whole(item) and about(item) == _policy(pod)) or (item["spec"].get("pod") or {}).get("uid") == _uid(pod)
            for item in self._open(namespace)
        )

    def _open(self, namespace: str) -> list[Object]:
        return [
            item for place, item in self._objects.items() if place[:2] == ("incidents", namespace) and is_open(item)
        ]


def conditions(obj: Object) -> dict[str, str]:
    """Give the status of each condition."""
    return {item["type"]: item["status"] for item in (obj.get("status") or {}).get("conditions") or ()}


def lines(obj: Object) -> list[dict[str, Any]]:
    """Give the timeline."""
    return list((obj.get("status") or {}).get("timeline") or ())


def is_open(obj: Object) -> bool:
    """Say whether an Incident contains."""
    said = conditions(obj)
    return said.get("Released") != "True" and said.get("Closed") != "True"


def shut(policy: Object) -> bool:
    """Say whether a NetworkPolicy opens nothing, and selects no pod: it asks for a label and for its absence."""
    spec = policy.get("spec") or {}
    asked = {(item["key"], item["operator"]) for item in (spec.get("podSelector") or {}).get("matchExpressions") or ()}
    never = any((key, "Exists") in asked and (key, "DoesNotExist") in asked for key, _ in asked)
    return never and not spec.get("egress") and not spec.get("ingress")


def whole(obj: Object) -> bool:
    """Say whether an Incident holds its policy's name."""
    return "Quarantine" in (obj["spec"].get("action"), (obj.get("status") or {}).get("action"))


def _needed(obj: Object, now: Mapping[str, str]) -> Iterator[str]:
    """Say that an Incident may not be closed."""
    done = not whole(obj) and all(now.get(each) == "True" for each in STEPS)
    if not (done or now.get("Released") == "True" or _why(obj, "Closed") == "Duplicate"):
        yield "it is still needed"


def _uids(obj: Object) -> set[str]:
    refs: Iterable[Object] = [obj["spec"].get("pod") or {}, *((obj.get("status") or {}).get("pods") or ())]
    return {ref["uid"] for ref in refs if ref.get("uid")}


def _why(obj: Object, kind: str) -> str:
    return next((item["reason"] for item in obj["status"]["conditions"] if item["type"] == kind), "")


def _runs(pod: Object) -> bool:
    """Say whether something of a pod may run: a container does, or its phase is not final."""
    status = pod.get("status") or {}
    if not pod["spec"].get("nodeName"):
        return False  # it lives on no node
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return status.get("phase") not in ENDED or any("running" in (item.get("state") or {}) for item in states)


def about(obj: Object) -> str:
    """Name the policy that an Incident is about."""
    return str(obj["spec"]["policyRef"]["name"])


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _space(obj: Object) -> str:
    return str(obj["metadata"]["namespace"])


def _uid(obj: Object) -> str:
    return str(obj["metadata"]["uid"])


def _created(obj: Object) -> float:
    """Give the API server's own word about when, which is a whole second."""
    return datetime.fromisoformat(obj["metadata"]["creationTimestamp"]).timestamp()


def _labels(pod: Object) -> dict[str, str]:
    return dict(pod["metadata"].get("labels") or {})


def _policy(pod: Object) -> str:
    return _labels(pod).get(POLICY, "")


def _ending(pod: Object) -> bool:
    """Say whether its node has been told to end it, or it is being deleted."""
    return _leaving(pod) or pod["spec"].get("activeDeadlineSeconds") == 1


def _leaving(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))
