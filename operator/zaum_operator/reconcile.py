"""One reconcile: observe, plan, act, say. Every trigger ends here; run again, it changes nothing."""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from zaum_operator import errors
from zaum_operator.clock import Clock
from zaum_operator.cluster import act, contain, observe
from zaum_operator.cluster.contain import Containment
from zaum_operator.cluster.gateway import GatewayLook
from zaum_operator.cluster.store import AT_ONCE, Store
from zaum_operator.core import (
    actions,
    books,
    children,
    freshness,
    kinds,
    lagging,
    pace,
    plan,
    pods,
    report,
    service_ways,
    sweep,
    verdict,
)
from zaum_operator.core.ceilings import Ceilings
from zaum_operator.core.containment import held as containing
from zaum_operator.core.containment import noticing, rule, view
from zaum_operator.core.containment.view import View
from zaum_operator.core.keys import EVERY, Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.pace import Pacer
from zaum_operator.core.plan import Plan
from zaum_operator.core.render import installation
from zaum_operator.core.reports import Held
from zaum_operator.core.service_ways import Needs
from zaum_operator.core.snapshot import Site, Snapshot

logger = logging.getLogger(__name__)

SOON_SECONDS: Final = 1.0
DOUBT: Final = 2
"""After so many reconciles in a row that wrote, the policy itself is looked at live."""
SWEPT_MAX: Final = 10_000
AGAIN_FIRST: Final = 0.5
AGAIN_LONGEST: Final = 300.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a reconcile: whether to back off, when to look again (seconds), which other keys to look at."""

    failed: bool = False
    again_after: float | None = None
    also: tuple[Key, ...] = ()
    backlog: tuple[Key, ...] = ()
    """Keys that are looked at when there is nothing better to do."""
    skipped: bool = False
    """Nothing has changed since a reconcile that left nothing to do."""


@dataclass(slots=True)
class Reconciler:
    """Reconciles keys against one API server. What it remembers saves work; a restart loses nothing else."""

    store: Store
    site: Site
    gateway: GatewayLook
    clock: Clock
    pacer: Pacer = field(default_factory=lambda: Pacer(10))
    memory: freshness.Memory = field(default_factory=freshness.Memory)
    held: Held = field(default_factory=Held)
    """What watchdogs have said; whoever polls it fills it."""
    spent: books.Held = field(default_factory=books.Held)
    """What the ledger has said; whoever polls it fills it."""
    containment: Containment = field(init=False)
    noticed: noticing.Noticing = field(default_factory=noticing.Noticing)
    needs: Needs = field(default_factory=Needs)
    """Which Services policies name and use."""
    _writing: dict[Key, int] = field(default_factory=dict)
    """How many reconciles in a row have written something."""
    _lagging: dict[Key, int] = field(default_factory=dict)
    """How often in a row a policy's own quota has refused a pod because it counts late."""
    _told: dict[str, None] = field(default_factory=dict)
    """Names of events that are written once for all."""
    _swept: set[Key] = field(default_factory=set)
    """Policies that are gone, and whose PriorityClass was there to be deleted or was looked for."""

    def __post_init__(self) -> None:
        self.containment = Containment(self.store, self.clock)

    async def prime(self) -> None:
        """Take over what an operator before us left in the middle: once the cache is filled, before any reconcile."""
        now, site = self.clock.now(), installation.digest(self.site)
        cache = self.store.cache
        standings = {}
        self.needs.clear()
        self.noticed.clear()
        for count, place in enumerate(cache.places(kinds.POLICY)):
            key, item = Key(*place), cache.get(kinds.POLICY, *place)
            if item is None:  # it went while the others had their turn
                continue
            self.needs.note(item, service_ways.of_status(item.get("status")))
            standings[key] = pace.observe(item, cache.of_policy(kinds.POD, key), site=site, now=now)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        self.pacer.prime(standings, now=now)

    async def reconcile(self, key: Key) -> Result:
        """Bring what a key names to what it should be. Raises RequestError when it could not even look."""
        if key.name == EVERY:
            places = self.store.cache.places(kinds.POLICY, key.namespace)
            return Result(backlog=tuple(Key(*place) for place in places))
        if key.whole_namespace:
            return await self._namespace(key.namespace)
        if self._writing.get(key, 0) >= DOUBT:
            # Somebody undoes what we write: the garbage collector does, for a policy that is gone unnoticed.
            await self.store.refresh(kinds.POLICY, key.namespace, key.name)
        # First and by itself: what the rest asks of the API server may fail, and must not keep an agent alive.
        near = await observe.containment(self.store, key, held=self.held, spent=self.spent)
        seen = self._view(near)
        self.noticed.keep(key, (item.ref.uid for item in seen.owed))
        again = await self.containment.take(seen)
        try:
            result = _sooner(await self._whole(key), again)
        except errors.RequestError as error:
            if again is None:
                raise
            logger.warning("%s/%s: could not look: %s", key.namespace, key.name, error)
            return Result(again_after=again)
        # Until the Incident is there that was made of it, or its pod is gone.
        return _sooner(result, contain.AGAIN_SECONDS) if self.noticed.accused(key) else result

    async def _whole(self, key: Key) -> Result:
        gateway = self.gateway.gateway
        snapshot = await observe.policy(self.store, key, self.site, gateway, held=self.held, spent=self.spent)
        if snapshot.policy is None:
            return await self._absent(snapshot, self._view(snapshot).held)
        return await self._present(snapshot, snapshot.policy)

    def _view(self, snapshot: Snapshot) -> View:
        """Look at what is contained: the same, whether the policy is there, unreadable, or gone."""
        policy = snapshot.policy
        spec = None if policy is None else self.memory.readers.policy(policy).spec
        blocks = bool(snapshot.elsewhere) and bool(self._ceilings(snapshot).blocking)
        return view.of(
            snapshot, rule.of(spec), ledger=self.site.ledger, now=self.clock.now(), blocks=blocks,
            accused=self.noticed.accused(snapshot.key),
        )  # fmt: skip

    def _ceilings(self, snapshot: Snapshot) -> Ceilings:
        return plan.ceilings_for(snapshot.ceilings, snapshot.namespace, self.site, self.memory.readers)

    async def _namespace(self, namespace: str) -> Result:
        snapshot = await observe.namespace(self.store, namespace, self.site)
        steps = sweep.of_namespace(snapshot, self.site, readers=self.memory.readers)
        failure = await self._carry_out(Key(namespace), steps)
        return Result(failed=failure is not None)

    async def _absent(self, snapshot: Snapshot, held: containing.Held) -> Result:
        key = snapshot.key
        self.pacer.forget(key)
        self.memory.forget(key)
        self.noticed.forget(key)
        self.needs.forget(key)
        self._writing.pop(key, None)
        self._lagging.pop(key, None)
        if snapshot.priority_class is None:
            snapshot = replace(snapshot, priority_class=await self._unlabelled_class(key))
        failure = await self._carry_out(key, view.withheld(children.of_absence(snapshot), held))
        if failure is None:
            self._swept.add(key)
        return Result(failed=failure is not None, also=(Key(key.namespace), *self.pacer.next_up()))

    async def _unlabelled_class(self, key: Key) -> Object | None:
        """Look once for what no watch shows and nothing owns. Raises RequestError."""
        if self.site.namespaced or key in self._swept:
            return None
        if len(self._swept) >= SWEPT_MAX:
            self._swept.clear()
        return await observe.unlabelled_class(self.store, key)

    async def _present(self, snapshot: Snapshot, policy: Object) -> Result:
        now, salt, key = self.clock.now(), self.clock.digits(5), snapshot.key
        self._swept.discard(key)
        standing = pace.observe(policy, snapshot.pods, site=installation.digest(self.site), now=now)
        may_roll = self.pacer.may_roll(key, standing, now=now)
        mark = freshness.mark(snapshot, may_roll=may_roll)
        if self.memory.is_settled(key, mark):
            return Result(skipped=True, also=self.pacer.next_up())
        planned = plan.of_policy(
            snapshot, policy, self.site, now=now, suffix=lambda _: self.clock.digits(5),
            may_roll=may_roll, readers=self.memory.readers,
        )  # fmt: skip
        if not self.site.namespaced:
            self.needs.note(policy, service_ways.of_routes(planned.effective.routes if planned.effective else ()))
        held = await self._notice(snapshot, planned, now=now)
        planned = replace(planned, actions=view.withheld(planned.actions, held))
        if planned.unseen and await self._is_there(key, planned.unseen):
            return Result(again_after=SOON_SECONDS, also=(Key(key.namespace),))
        failure = await self._carry_out(key, planned.actions)
        await self._tell(snapshot, planned, now)
        await self._resize(planned)
        if lagging.passes(key, failure, before=self._lagging.get(key, 0)):
            self._lagging[key] = self._lagging.get(key, 0) + 1
            return Result(again_after=SOON_SECONDS)
        if failure is None:
            self._lagging.pop(key, None)
        verdicts = verdict.conclude(snapshot, planned, failure)
        status = report.status(snapshot, planned, verdicts, now=now, failure=failure)
        said = report.changed(snapshot, status)
        if said:
            await self._say(policy, status, report.events(snapshot, verdicts, now=now, suffix=salt))
            site = installation.digest(self.site)
            said_to_be = pace.observe(policy | {"status": status}, snapshot.pods, site=site, now=now)
            self.pacer.settle(key, said_to_be, now=now)
        if failure is not None:
            return Result(failed=True)
        again = self._again(key, planned, now=now)
        if again is None and not said:
            self.memory.settle(key, mark)
        return Result(again_after=again, also=self.pacer.next_up())

    async def _notice(self, snapshot: Snapshot, planned: Plan, *, now: datetime) -> containing.Held:
        """Accuse pods of what was done around them, before it is put right; give what is held then.

        Raises RequestError where a deletion was noticed, and nobody can say that the policy itself is still there.
        """
        key, uid, found = snapshot.key, planned.intent.uid, planned.standing
        edited = self.noticed.edited(key, uid, found)
        if any(child.state is noticing.State.MISSING for child in edited):
            # The garbage collector's word may be here before the one that the policy is gone.
            await self.store.look(kinds.POLICY, key.namespace, key.name)
            edited = edited if self._stands(snapshot, uid) else ()
        self.noticed.look(key, uid, found)
        if not (edited or planned.beside or self.noticed.accused(key)):
            return planned.held
        seen = self._view(snapshot)
        accused = noticing.about(edited, planned.beside, map(pods.read, snapshot.pods), seen.rule, now=now)
        if accused is None:
            return seen.held
        self.noticed.accuse(key, *accused)
        # With the pods that lost their labels: what containment is not shown it takes for gone.
        seen = self._view(await observe.containment(self.store, key, held=self.held, spent=self.spent))
        await self.containment.take(seen)
        return seen.held

    def _stands(self, snapshot: Snapshot, uid: str) -> bool:
        """Say whether neither the policy nor its namespace is going."""
        live = self.store.cache.get(kinds.POLICY, snapshot.key.namespace, snapshot.key.name)
        going = (snapshot.namespace or {}).get("metadata", {}).get("deletionTimestamp")
        meta = {} if live is None else live["metadata"]
        return not going and meta.get("uid") == uid and not meta.get("deletionTimestamp")

    async def _is_there(self, key: Key, pod: str) -> bool:
        """Look live for a task's pod before it is given up: its labels may be gone, or our view of it stale."""
        if not await self.store.api.list(kinds.POD, key.namespace, name=pod):
            return False
        await self.store.refresh(kinds.POD, key.namespace, pod)
        return True

    def _again(self, key: Key, planned: Plan, *, now: datetime) -> float | None:
        """Give when to look again, in seconds.

        After a write at once: what it led to may ask for more, and no event need come of what we know already. When
        each look writes again, something else undoes it, and the looks grow rare.
        """
        if planned.stale:
            return SOON_SECONDS
        if planned.actions:
            written = self._writing[key] = self._writing.get(key, 0) + 1
            return 0.0 if written == 1 else min(AGAIN_FIRST * 2.0 ** min(written - 2, 16), AGAIN_LONGEST)
        self._writing.pop(key, None)
        until = planned.again_at
        return None if until is None else max(until - now, timedelta()).total_seconds()

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
            await self.store.apply_status(kinds.POLICY, body)
            for event in events:
                await self.store.create(kinds.EVENT, event)
        except (errors.NotFoundError, errors.ConflictError, errors.TerminatingError) as error:
            logger.debug("the status was not written: %s", error)

    async def _tell(self, snapshot: Snapshot, planned: Plan, now: datetime) -> None:
        """Write the events about ended pods and spent limits, which name themselves: one that is there is enough."""
        limits = report.near_limits(snapshot, planned, now=now)
        for event in (*report.contacts(snapshot, planned, now=now), *limits):
            name = event["metadata"]["name"]
            if name in self._told:
                continue
            try:
                await self.store.api.create(kinds.EVENT, event)
            except errors.ConflictError:
                pass  # told before a restart of ours
            except errors.RequestError as error:
                logger.info("no event %s: %s", name, error)
                continue
            self._told[name] = None
            if len(self._told) > SWEPT_MAX:
                del self._told[next(iter(self._told))]

    async def _resize(self, planned: Plan) -> None:
        """Try what no cluster has to be able to do."""
        for step in planned.resizes:
            try:
                await self.store.resize(step.namespace, step.name, list(step.patch))
            except errors.RequestError as error:
                logger.info("%s/%s was not resized: %s", step.namespace, step.name, error)
            else:
                logger.info("%s/%s: resized in place", step.namespace, step.name)

    async def _carry_out(self, key: Key, steps: tuple[actions.Action, ...]) -> verdict.Failure | None:
        failure = await act.carry_out(self.store, steps)
        for step in steps:
            if failure is not None and step is failure.action:
                break
            logger.info("%s/%s: %s", key.namespace, key.name, actions.describe(step))
        if failure is not None:
            who, what = failure.error.who.value, actions.describe(failure.action)
            logger.warning("%s/%s: %s failed (%s): %s", key.namespace, key.name, what, who, failure.error.message)
        return failure


def _sooner(result: Result, again: float | None) -> Result:
    """Look again no later than this, in seconds, unless the look itself failed and backs off."""
    if again is None:
        return result
    if result.failed:
        # A plan that fails must not slow containment down, whose own requests do not depend on it.
        return replace(result, failed=False, again_after=again)
    return replace(result, again_after=again if result.again_after is None else min(result.again_after, again))
