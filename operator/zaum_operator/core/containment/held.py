"""What the open Incidents of one policy hold: its name as a whole, or single pods. The plan starts nothing of that."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_operator.core.containment.incident import Condition, Incident, Ref
from zaum_operator.core.kinds import Object


@dataclass(frozen=True, slots=True)
class Held:
    """What is held. `owed`: pods of which an Incident is still to be made; they stay, and have no successor."""

    incidents: tuple[Incident, ...] = ()
    """The open ones, the oldest first."""
    owed: tuple[Ref, ...] = ()

    @property
    def whole(self) -> Incident | None:
        """Give the oldest Incident that holds the policy's name; None when none does."""
        return next((item for item in self.incidents if item.hold is not None and item.hold.whole), None)

    def by(self, ref: Ref) -> Incident | None:
        """Give the first Incident that holds a pod."""
        return next((item for item in self.incidents if item.covers(ref)), None)

    def stays(self, ref: Ref) -> bool:
        """Say whether nothing but containment may delete a pod."""
        return ref in self.owed or self.by(ref) is not None

    @property
    def ordinals(self) -> frozenset[int]:
        """Give the ordinals that get no new pod, because the one before it is not proven dead."""
        named = [item.pod for item in self.incidents if item.pod is not None]
        found = (ordinal_of(ref.name) for ref in (*named, *self.owed))
        return frozenset(number for number in found if number is not None)


NOTHING: Final = Held()


def of(found: Iterable[Incident], *, owed: Iterable[Ref] = ()) -> Held:
    """Give what Incidents of one policy hold; closed ones hold nothing."""
    return Held(tuple(item for item in found if item.hold is not None), tuple(owed))


def missing(found: Iterable[Incident], there: Collection[Object]) -> tuple[Ref, ...]:
    """Give the pods of open Incidents that are not among these, and that have not been proven dead."""
    uids = {pod["metadata"].get("uid", "") for pod in there}
    names = {pod["metadata"]["name"] for pod in there}
    refs = {
        ref
        for item in found
        if item.hold is not None and not item.is_true(Condition.IDENTITY_DEAD)
        for ref in (*item.pods, *([item.pod] if item.pod is not None else []))
    }
    return tuple(sorted(ref for ref in refs if (ref.uid not in uids if ref.uid else ref.name not in names)))


def is_one(pod: Object, refs: Iterable[Ref]) -> bool:
    """Say whether a pod is one of these: by its uid, and where none is known by its name."""
    name, uid = pod["metadata"]["name"], pod["metadata"].get("uid", "")
    return any(ref.uid == uid if ref.uid else ref.name == name for ref in refs)


def ordinal_of(pod: str) -> int | None:
    """Read an ordinal off a pod's name; None for a name that is none of ours."""
    found = re.fullmatch(re.escape(contract.NAME_PREFIX) + r".+-(\d{1,3})-[0-9a-f]{5}", pod)
    return int(found[1]) if found else None
