"""One reconcile: observe, plan, act, say. Every trigger ends here; run again, it changes nothing."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster import act, observe
from zaum_operator.cluster.port import Api
from zaum_operator.core import actions, kinds, plan, report, sweep, verdict
from zaum_operator.core.keys import EVERY, Key, of_policy
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Site, Snapshot

logger = logging.getLogger(__name__)

SOON_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a reconcile: whether to back off, when to look again (seconds), which other keys to look at."""

    failed: bool = False
    again_after: float | None = None
    also: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Reconciles keys against one API server."""

    api: Api
    site: Site
    ca_file: Path
    clock: Clock

    async def reconcile(self, key: Key) -> Result:
        """Bring what a key names to what it should be. Raises RequestError when it could not even look."""
        if key.name == EVERY:
            policies = await self.api.list(kinds.POLICY, key.namespace)
            return Result(also=tuple(of_policy(policy) for policy in policies))
        if key.whole_namespace:
            return await self._namespace(key.namespace)
        snapshot = await observe.policy(self.api, key, self.site, self.ca_file)
        if snapshot.policy is None:
            return await self._absent(snapshot)
        return await self._present(snapshot, snapshot.policy)

    async def _namespace(self, namespace: str) -> Result:
        snapshot = await observe.namespace(self.api, namespace, self.site)
        steps = sweep.of_namespace(snapshot, self.site)
        failure = await self._carry_out(Key(namespace), steps)
        return Result(failed=failure is not None)

    async def _absent(self, snapshot: Snapshot) -> Result:
        failure = await self._carry_out(snapshot.key, plan.of_absence(snapshot))
        return Result(failed=failure is not None, also=(Key(snapshot.key.namespace),))

    async def _present(self, snapshot: Snapshot, policy: Object) -> Result:
        now, salt = self.clock.now(), self.clock.digits(5)
        planned = plan.of_policy(snapshot, policy, self.site, now=now, suffix=lambda _: self.clock.digits(5))
        failure = await self._carry_out(snapshot.key, planned.actions)
        verdicts = verdict.conclude(snapshot, planned, failure)
        status = report.status(snapshot, planned, verdicts, now=now, failure=failure)
        if report.changed(snapshot, status):
            await self._say(policy, status, report.events(snapshot, verdicts, now=now, suffix=salt))
        if failure is not None:
            return Result(failed=True)
        if planned.stale:
            return Result(again_after=SOON_SECONDS)
        again = planned.again_at
        return Result(again_after=None if again is None else max(again - now, timedelta()).total_seconds())

    async def _say(self, policy: Object, status: dict[str, object], events: tuple[Object, ...]) -> None:
        """Write the status, then the events. A policy that went away meanwhile needs neither."""
        metadata = policy["metadata"]
        body = {
            "apiVersion": kinds.POLICY.api_version,
            "kind": kinds.POLICY.name,
            # The uid makes the API server refuse to make a policy that is gone, or to mark its successor.
            "metadata": {key: metadata[key] for key in ("name", "namespace", "uid")},
            "status": status,
        }
        try:
            await self.api.apply_status(kinds.POLICY, body)
            for event in events:
                await self.api.create(kinds.EVENT, event)
        except (errors.NotFoundError, errors.ConflictError, errors.TerminatingError) as error:
            logger.debug("the status was not written: %s", error)

    async def _carry_out(self, key: Key, steps: tuple[actions.Action, ...]) -> verdict.Failure | None:
        failure = await act.carry_out(self.api, steps)
        for step in steps:
            if failure is not None and step is failure.action:
                break
            logger.info("%s/%s: %s", key.namespace, key.name, actions.describe(step))
        if failure is not None:
            who, what = failure.error.who.value, actions.describe(failure.action)
            logger.warning("%s/%s: %s failed (%s): %s", key.namespace, key.name, what, who, failure.error.message)
        return failure
