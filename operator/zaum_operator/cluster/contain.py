"""Contain what open Incidents hold: send what is next, one request after the other, and write what was confirmed.

A request that fails stops no other one: each pod is contained by itself. Everything that is remembered stands in the
API; what this process knows beyond (answers of authorizers, how long logs have been asked for) is asked again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster import act
from zaum_operator.cluster.store import Store
from zaum_operator.core import actions, kinds
from zaum_operator.core.actions import Action
from zaum_operator.core.containment import course, logs, ordering, record, telling, view
from zaum_operator.core.containment.asking import Asking
from zaum_operator.core.containment.bodies import Body
from zaum_operator.core.containment.incident import Incident
from zaum_operator.core.containment.scene import Scene
from zaum_operator.core.containment.view import View
from zaum_operator.core.kinds import Object

logger = logging.getLogger(__name__)

STEPS_AT_ONCE: Final = 4
"""How many steps are taken one after the other, when each is all that the next one was waiting for."""
AGAIN_SECONDS: Final = 1.0
"""How soon to look again while something is not confirmed and no event need come of it."""
LOGS_SECONDS: Final = 30.0
"""How long a dead agent's log is asked for while its node does not give it."""


@dataclass
class Containment:
    """Contains pods by one API server. `poke` is called when there is something else to ask the authorizers."""

    store: Store
    clock: Clock
    asking: Asking = field(default_factory=Asking)
    poke: Callable[[], None] = lambda: None
    order: Callable[[documents.Posted], None] = lambda posted: None
    """Is given what watchdogs are to be ordered, by whoever can tell them."""
    _logs_since: dict[str, float] = field(default_factory=dict)
    """Since when the log of a dead pod has been asked for, by uid."""

    async def take(self, seen: View) -> float | None:
        """Make the Incidents that are lacking, take the next step on each contained pod, and write what is confirmed.

        Gives when to look again, in seconds; None when an event will come of whatever happens next.
        """
        key = seen.snapshot.key
        for posted in ordering.of(seen, now=self.clock.now()):
            self.order(posted)
        if not seen.held.incidents and not seen.owed:
            self.asking.drop(key)
            return None
        now = self.clock.now()
        for body in view.made(seen, now=now):
            await self._send(actions.Create(kinds.INCIDENT, body))
        for _ in range(STEPS_AT_ONCE):
            refused, went = await self._step(seen)
            self._ask(seen)
            after = self._again(seen) if went else None
            if after is None:
                break
            seen = after  # What was written may be all that the next step was waiting for.
        return AGAIN_SECONDS if view.unproven(seen) or seen.owed or refused else None

    async def _step(self, seen: View) -> tuple[dict[str, str], bool]:
        """Take the next step on each pod, and write what is so; give refusals, and whether anything is different."""
        refused: dict[str, str] = {}
        went = False
        for name, step in view.steps(seen):
            if (why := await self._send(step)) is not None:
                refused[name] = why
            else:
                went = True
        return refused, await self._record(seen, refused) or went

    def _again(self, seen: View) -> View | None:
        """Look once more at pods and Incidents; None where a pod is missed: it may be gone, or have lost its labels."""
        cache, key = self.store.cache, seen.snapshot.key
        pods, incidents = cache.of_policy(kinds.POD, key), cache.of_policy(kinds.INCIDENT, key)
        there = {pod["metadata"].get("uid") for pod in pods}
        if seen.snapshot.strays or any(pod["metadata"].get("uid") not in there for pod in seen.snapshot.pods):
            return None
        return view.renewed(seen, there=pods, known=incidents)

    async def _send(self, step: Action) -> str | None:
        """Send one request; give the API server's words where it failed."""
        failure = await act.carry_out(self.store, (step,))
        if failure is None:
            logger.info("containment: %s", actions.describe(step))
            return None
        if isinstance(step, actions.Create) and isinstance(failure.error, errors.ConflictError):
            return None  # somebody else has reported the same
        logger.warning("containment: %s failed: %s", actions.describe(step), failure.error)
        return f"{actions.describe(step)}: {failure.error.status or 'no answer'}: {failure.error.message}"

    async def _record(self, seen: View, refused: dict[str, str]) -> bool:
        """Write the status of each open Incident that says something else now; say whether there was one."""
        sight = self.asking.sight(seen.snapshot.key, at=self.clock.seconds())
        written = [
            await self._write(scene, await self._logs(seen, scene.incident))
            for scene in view.scenes(seen, sight, refused=refused)
        ]
        return any(written)

    async def _write(self, scene: Scene, kept: dict[str, str] | None) -> bool:
        incident, now = scene.incident, self.clock.now()
        status = record.status(scene, now=now, logs=kept)
        if not record.changed(incident, status):
            return False
        try:
            await self.store.apply_status(kinds.INCIDENT, _body(incident, status))
        except errors.RequestError as error:
            logger.warning("containment: the status of Incident %s was not written: %s", incident.name, error)
            return False
        for event in telling.events(incident, status, now=now):
            await self._tell(event)
        return True

    async def _tell(self, event: Object) -> None:
        try:
            await self.store.api.create(kinds.EVENT, event)
        except errors.RequestError as error:
            logger.debug("no event %s: %s", event["metadata"]["name"], error)

    async def _logs(self, seen: View, incident: Incident) -> dict[str, str] | None:
        """Read the last words of the agent that an Incident is about, once it is dead.

        A kubelet and an API server that have just started say for a moment that there are none, or that nobody may.
        """
        body = course.wants_logs(incident, seen.bodies)
        if body is None:
            return None
        try:
            text = await self.store.api.log(incident.key.namespace, body.ref.name, contract.CONTAINER_AGENT)
        except errors.InvalidError as error:
            return self._said(body, f"(the log could not be read: {error.message})")
        except errors.RequestError as error:
            since = self._logs_since.setdefault(body.ref.uid, self.clock.seconds())
            if self.clock.seconds() - since < LOGS_SECONDS:
                return None
            return self._said(body, f"(the log could not be read in {LOGS_SECONDS:.0f} s: {error.message})")
        return self._said(body, text)

    def _said(self, body: Body, text: str) -> dict[str, str]:
        self._logs_since.pop(body.ref.uid, None)
        return {"agent": logs.kept(text), "pod": body.ref.name}

    def _ask(self, seen: View) -> None:
        """Have the authorizers asked about what is not confirmed yet."""
        there, gone = view.pods_of(seen)
        at = self.clock.seconds()
        if self.asking.put(seen.snapshot.key, view.unproven(seen), gone=gone, there=there, at=at):
            self.poke()


def _body(incident: Incident, status: dict[str, object]) -> Object:
    """Give what is applied; the uid makes the API server refuse to mark another Incident of the same name."""
    metadata = {"name": incident.name, "namespace": incident.key.namespace, "uid": incident.uid}
    kind = kinds.INCIDENT
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "status": status}
