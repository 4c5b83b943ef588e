"""Pace what the installation changes: at most so many policies at once replace pods for it.

A new watchdog image makes every agent pod outdated at the same moment. A policy needs a permit before its pods are
replaced for nothing else; there are `most` of them.

| a policy's pods                                        | without a permit | with one                                |
|--------------------------------------------------------|------------------|-----------------------------------------|
| some outdated by the installation alone                | waits, or takes  | keeps it                                |
| all of this installation, and it is ready              | needs none       | gives it back                           |
| all of this installation, not ready, nor was it before | needs none       | gives it back once its watchdogs are up|
| all of this installation, not ready, but it was before | needs none       | keeps it                                |

The last row is what a bad image comes to: a policy that was ready and does not get ready again keeps its permit for
as long as that lasts, so the rollout stops by itself once it has hit `most` policies. Deleting or stopping such a
policy gives its permit back too.

Nothing is stored. After a restart the permits are read off the pods (`Standing.rolling`), before any is given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from zaum_api import contract
from zaum_api.v1alpha1 import defaults
from zaum_operator.core import pods
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object

PATIENCE: Final = timedelta(minutes=5)
"""How long a pod may take to get ready, and a policy to make progress, before that counts as stuck."""
TASK: Final = "Task"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a policy is with this installation's part of its pods. Tasks are never replaced, and need nothing."""

    outdated: int = 0
    """Live pods of another installation, or of none that is known."""
    leaving: int = 0
    """Terminating ones of another installation."""
    fresh: int = 0
    """Live pods of this installation."""
    unsettled: int = 0
    """Fresh pods that are young and not ready, or whose watchdog did not come up, or restarted, at any age."""
    missing: bool = False
    """It asks for more pods than live."""
    ready: bool = False
    """The policy's last word was Ready, and its pods still look like it."""

    @property
    def rolling(self) -> bool:
        """Say whether the pods look like a policy in the middle of it. On the safe side: a new one may look so, too."""
        begun = self.leaving > 0 or (self.outdated > 0 and self.fresh > 0)
        return begun or (not self.ready and (self.missing or self.unsettled > 0))


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where the rollout stands, for metrics and the log."""

    rolling: tuple[Key, ...]
    """Who holds a permit."""
    stuck: tuple[Key, ...]
    """Those of them that made no progress for PATIENCE."""
    waiting: int
    stopped: bool
    """All permits are with stuck policies: nothing goes on before one of them is ready, stopped or deleted."""


@dataclass(slots=True)
class _Permit:
    was_ready: bool | None
    """None: not known, because an operator before this one began."""
    outdated: int
    """The fewest outdated pods that were seen, with those that leave."""
    since: datetime
    """When there was one outdated pod less than before."""
    met: bool = True
    """Somebody has looked at the policy since the permit was taken over; what nobody looked at had no chance yet."""


class Pacer:
    """The permits of one operator. Times are given by the caller and never go back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Key, _Permit] = {}
        self._waiting: dict[Key, None] = {}
        self._primed = False

    def prime(self, standings: Mapping[Key, Standing], *, now: datetime) -> None:
        """Take over what an operator before left in the middle. Until then no permit is given."""
        for key, standing in standings.items():
            if standing.rolling and key not in self._held:
                old = standing.outdated + standing.leaving
                self._held[key] = _Permit(was_ready=None, outdated=old, since=now, met=False)
        self._primed = True

    def may_roll(self, key: Key, standing: Standing, *, now: datetime) -> bool:
        """Take in how a policy stands, and say whether pods of it may be replaced for the installation's sake."""
        if key in self._held:
            return not self.settle(key, standing, now=now) and standing.outdated > 0
        if not standing.outdated:
            self._waiting.pop(key, None)
            return False
        if not self._primed or self.free <= 0:
            self._waiting.setdefault(key)
            return False
        self._waiting.pop(key, None)
        self._held[key] = _Permit(was_ready=standing.ready, outdated=standing.outdated + standing.leaving, since=now)
        return True

    def settle(self, key: Key, standing: Standing, *, now: datetime) -> bool:
        """Take a permit back if it is over, and say whether it was; what a policy has just been said to be counts too.

        Nothing is given here: the word on a policy comes after what was done for it, and no event need follow it.
        """
        permit = self._held.get(key)
        if permit is None:
            return False
        if not permit.met:
            permit.met, permit.since = True, now
        _note(permit, standing, now=now)
        if over := _is_over(permit, standing, now=now):
            self.forget(key)
        return over

    def forget(self, key: Key) -> None:
        """Take a policy's permit back, or its place among those who wait: it is over, or the policy is gone."""
        self._held.pop(key, None)
        self._waiting.pop(key, None)

    @property
    def free(self) -> int:
        """Count the permits that are left; below zero after a restart with a smaller `most`."""
        return self._most - len(self._held)

    def next_up(self) -> tuple[Key, ...]:
        """Name those who wait and may have a permit now, the longest waiting first: look at them again."""
        return tuple(self._waiting)[: max(self.free, 0)] if self._primed else ()

    def rollout(self, *, now: datetime) -> Rollout:
        """Say where the rollout stands."""
        stuck = tuple(key for key, permit in self._held.items() if now - permit.since > PATIENCE)
        waiting = len(self._waiting)
        stopped = waiting > 0 and self.free <= 0 and len(stuck) == len(self._held)
        return Rollout(rolling=tuple(self._held), stuck=stuck, waiting=waiting, stopped=stopped)


def observe(policy: Object, found: Iterable[Object], *, site: str, now: datetime) -> Standing:
    """See how a policy stands, by its status and its pods; `site` is the digest that fresh pods carry."""
    outdated = leaving = fresh = unsettled = 0
    settled = True
    for body in found:
        metadata = body["metadata"]
        if (metadata.get("labels") or {}).get(contract.LABEL_TYPE) == TASK:
            return Standing()
        pod = pods.read(body)
        ours = (metadata.get("annotations") or {}).get(contract.ANNOTATION_SITE) == site
        if pod.phase is pods.Phase.ENDED:
            unsettled += ours and pod.watchdog_restarts > 0
        elif pod.terminating:
            leaving += not ours
        else:
            outdated, fresh = outdated + (not ours), fresh + ours
            unsettled += ours and _is_unsettled(pod, body, now=now)
            settled = settled and pod.ready
    missing = outdated + fresh < _asked(policy)
    ready = settled and not leaving and _said_ready(policy)
    return Standing(outdated, leaving, fresh, unsettled, missing=missing, ready=ready)


def _is_over(permit: _Permit, standing: Standing, *, now: datetime) -> bool:
    if standing.outdated or standing.leaving:
        return False
    if standing.ready or permit.was_ready:
        return standing.ready
    # Between two pods of a policy there is none to look at.
    return not standing.unsettled and (permit.was_ready is False or now - permit.since > PATIENCE)


def _note(permit: _Permit, standing: Standing, *, now: datetime) -> None:
    if (old := standing.outdated + standing.leaving) < permit.outdated:
        permit.outdated, permit.since = old, now


def _is_unsettled(pod: pods.Pod, body: Object, *, now: datetime) -> bool:
    if pod.ready or pod.unschedulable:
        return False
    return now - pod.created < PATIENCE or pod.watchdog_restarts > 0 or not _watchdog_is_up(body)


def _watchdog_is_up(body: Object) -> bool:
    listed = (body.get("status") or {}).get("initContainerStatuses") or ()
    return any(item.get("name") == contract.CONTAINER_WATCHDOG and item.get("started") is True for item in listed)


def _asked(policy: Object) -> int:
    """Count the pods that the policy asks for; a ceiling may grant it fewer."""
    spec = policy.get("spec") or {}
    asked = (spec.get("agent") or {}).get("replicas", defaults.REPLICAS)
    return 0 if spec.get("desiredState") == "Stopped" or not isinstance(asked, int) else asked


def _said_ready(policy: Object) -> bool:
    """Read the policy's own word, if it was said of this generation."""
    status, generation = policy.get("status") or {}, policy["metadata"].get("generation")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Ready":
            fits = condition.get("observedGeneration", generation) == generation
            return bool(fits and condition.get("status") == "True")
    return False
