"""What somebody did to a policy's objects past the operator, noticed by comparing two looks of one process.

An object that stood as planned, and does not any more although the plan for it is the same, was changed or deleted by
somebody else. A plan that changed says nothing, nor does what happened while no operator looked: nobody is accused of
that, it is put back without a word.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from zaum_api.incidents import Cause
from zaum_operator.core.containment.incident import Ref
from zaum_operator.core.containment.rule import Rule
from zaum_operator.core.foreign import Foreign
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.pods import Phase, Pod

_SAID: Final = 3


class State(Enum):
    """How an object stands beside the plan."""

    STANDS = "as planned"
    CHANGED = "was changed"
    MISSING = "was deleted"


@dataclass(frozen=True, slots=True)
class Child:
    """One object of a policy: its kind and name, a digest of the plan for it, and how it stands."""

    kind: str
    name: str
    digest: str
    state: State

    @property
    def place(self) -> tuple[str, str]:
        """Give what names it within its policy."""
        return self.kind, self.name

    @property
    def text(self) -> str:
        """Say what happened to it: `NetworkPolicy zaum-researcher was deleted`."""
        return f"{self.kind} {self.name} {self.state.value}"


@dataclass(frozen=True, slots=True)
class Accused:
    """Why a pod is to be contained for what was done around it: an Incident's reason, and words for people."""

    reason: str
    summary: str
    observed: datetime


def digest(desired: Object) -> str:
    """Give a digest of what an object should be."""
    return hashlib.sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class Noticing:
    """How the objects of each policy stood at the last look, and whom what was noticed since is about.

    Memory alone: a restart forgets it, and notices nothing of what was done before.
    """

    _stood: dict[Key, tuple[str, Mapping[tuple[str, str], str]]] = field(default_factory=dict)
    _accused: dict[Key, dict[str, Accused]] = field(default_factory=dict)

    def edited(self, key: Key, uid: str, children: Iterable[Child]) -> tuple[Child, ...]:
        """Give the objects that somebody else changed or deleted since the last look; `uid`: the policy's."""
        known, stood = self._stood.get(key, ("", {}))
        if known != uid:
            return ()
        return tuple(
            child for child in children if child.state is not State.STANDS and stood.get(child.place) == child.digest
        )

    def look(self, key: Key, uid: str, children: Iterable[Child]) -> None:
        """Note how the objects stand. What does not is noticed again only after it has stood again."""
        stood = {child.place: child.digest for child in children if child.state is State.STANDS}
        if stood:
            self._stood[key] = uid, stood
        else:
            self._stood.pop(key, None)

    def accuse(self, key: Key, refs: Iterable[Ref], accused: Accused) -> None:
        """Note whom something is about; what was noticed of a pod before stays."""
        held = self._accused.setdefault(key, {})
        for ref in refs:
            held.setdefault(ref.uid, accused)

    def accused(self, key: Key) -> Mapping[str, Accused]:
        """Give what has been noticed, by the pod's uid."""
        return self._accused.get(key, {})

    def keep(self, key: Key, uids: Iterable[str]) -> None:
        """Forget all pods of a policy but these: the others have their Incident, or are gone."""
        kept = {uid: accused for uid in uids if (accused := self.accused(key).get(uid)) is not None}
        if kept:
            self._accused[key] = kept
        else:
            self._accused.pop(key, None)

    def forget(self, key: Key) -> None:
        """Forget a policy that is gone."""
        self._stood.pop(key, None)
        self._accused.pop(key, None)

    def clear(self) -> None:
        """Forget everything: another operator has worked since."""
        self._stood.clear()
        self._accused.clear()


def about(
    edited: Iterable[Child], beside: Iterable[Foreign], pods: Iterable[Pod], rule: Rule, *, now: datetime
) -> tuple[tuple[Ref, ...], Accused] | None:
    """Give what a policy asks to be answered of what was noticed, and the live pods that it is about; None: nothing.

    `beside`: NetworkPolicies that widen. A Kill is about each pod that lives, a Quarantine about the oldest, which
    stands for the policy; where none lives, there is nothing to contain.
    """
    done, opened = [child.text for child in edited], [item.text for item in beside]
    if done and rule.tampering != "Ignore":
        asked, accused = rule.tampering, Accused(Cause.TAMPERING.value, _text(done), now)
    elif opened and rule.widened != "Ignore":
        asked, accused = rule.widened, Accused(Cause.EGRESS_WIDENED.value, _text(opened), now)
    else:
        return None
    live = [pod for pod in pods if pod.phase is Phase.LIVE and not pod.terminating]
    live = sorted(live, key=lambda pod: (pod.created, pod.name))
    refs = tuple(Ref(pod.name, pod.uid) for pod in (live[:1] if asked == "Quarantine" else live))
    return (refs, accused) if refs else None


def _text(said: list[str]) -> str:
    more = f" and {len(said) - _SAID} more" if len(said) > _SAID else ""
    return "; ".join(said[:_SAID]) + more + "."
