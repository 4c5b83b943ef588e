"""Judge a history: when did which rule not hold, who began it, and how long did the operator have to end it. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from tests.chaos import calm, isolation
from tests.chaos.history import Change, Object, Place
from tests.chaos.isolation import Rule, Weakness

RESTORE_SECONDS: Final = 5.0
IN_FLIGHT_SECONDS: Final = 5.0
BY_SPEC: Final = frozenset({Rule.EXACT, Rule.CONFINED, Rule.NOT_TOO_MANY, Rule.RUNS_WHEN_ASKED, Rule.QUOTA, Rule.HOSTS})
"""Rules that compare with the policy's spec."""
DELETED_WITHIN_SECONDS: Final = 60.0
"""A removal is by our hand if we asked for it at most so long before: a namespace takes a while."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of the history in which one rule did not hold. `until` None: to its end."""

    weakness: Weakness
    revision: int
    place: Place
    since: float
    until: float | None = None
    in_flight: bool = False
    """None under a spec that the policy had a moment before: a write that was on its way when the spec changed."""


@dataclass(frozen=True, slots=True)
class Hand:
    """What the storm wrote: revisions, and (place, time) of what it removed; a namespace stands for all in it."""

    revisions: Collection[int] = frozenset()
    removals: Collection[tuple[Place, float]] = ()

    def began(self, moment: Moment, change: Change) -> bool:
        """Tell whether the change that began a moment was ours."""
        if change.obj is not None:
            return change.revision in self.revisions
        return any(
            place in (change.place, ("namespaces", "", change.place[1]))
            and asked - 1 <= moment.since <= asked + DELETED_WITHIN_SECONDS
            for place, asked in self.removals
        )


@dataclass
class Judge:
    """Takes changes in the order of their revisions and keeps the moments."""

    release: str
    namespaces: frozenset[str]
    stored: dict[Place, Object] = field(default_factory=dict)
    specs: list[tuple[float, Place, Object | None]] = field(default_factory=list)
    """What policies were until a moment ago: when they changed, and from what."""
    began: dict[Weakness, tuple[Moment, Change]] = field(default_factory=dict)
    over: list[tuple[Moment, Change]] = field(default_factory=list)
    seen: int = 0
    pods: int = 0

    def take(self, change: Change) -> None:
        """Take in one change, and look at its namespace."""
        if change.place[0] == "agentpolicies":
            self.specs.append((change.at, change.place, self.stored.get(change.place)))
        if change.obj is None:
            self.stored.pop(change.place, None)
        else:
            self.pods += change.place[0] == "pods" and change.place not in self.stored
            self.stored[change.place] = change.obj
        namespace = change.place[1]
        if namespace in self.namespaces:
            self.seen += 1
            self._look(namespace, change)

    def _look(self, namespace: str, change: Change) -> None:
        now = isolation.weaknesses(self.stored, namespace, release=self.release)
        for weakness in [item for item in self.began if item.namespace == namespace and item not in now]:
            moment, cause = self.began.pop(weakness)
            self.over.append((replace(moment, until=change.at), cause))
        for weakness in now:
            if weakness not in self.began:
                in_flight = weakness.rule in BY_SPEC and self._in_flight(weakness, change)
                moment = Moment(weakness, change.revision, change.place, change.at, in_flight=in_flight)
                self.began[weakness] = moment, change

    def _in_flight(self, weakness: Weakness, change: Change) -> bool:
        """Tell whether it would be none under a spec of a moment ago. What changed right now is no such spec."""
        self.specs = [item for item in self.specs if change.at - item[0] <= IN_FLIGHT_SECONDS]
        if change.place[0] == "agentpolicies":
            return False
        for _, place, former in self.specs:
            if place[1] != weakness.namespace:
                continue
            before = {**self.stored}
            if former is None:
                before.pop(place, None)
            else:
                before[place] = former
            if weakness not in isolation.weaknesses(before, weakness.namespace, release=self.release):
                return True
        return False

    def moments(self) -> list[tuple[Moment, Change]]:
        """Give all moments, in the order in which they began, with the change that began each."""
        return sorted([*self.over, *self.began.values()], key=lambda item: item[0].revision)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One moment and who began it; `calm_seconds`: the longest stretch in which it could have been ended."""

    moment: Moment
    ours: bool
    calm_seconds: float

    @property
    def guilty(self) -> bool:
        """Tell whether the operator is to blame."""
        return not (self.ours or self.moment.in_flight) or self.calm_seconds > RESTORE_SECONDS


def sentences(
    moments: Iterable[tuple[Moment, Change]],
    *,
    hand: Hand,
    impediments: Collection[calm.Impediment],
    end: float,
) -> list[Sentence]:
    """Say of each moment who began it and how long it could have been ended and was not."""
    return [
        Sentence(
            moment,
            hand.began(moment, cause),
            calm.longest_calm(moment.since, end if moment.until is None else moment.until, impediments),
        )
        for moment, cause in moments
    ]
