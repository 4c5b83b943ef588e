"""How a policy's agents have behaved: kills within a day, Incidents that are still to be made, orders that stand.

A breach counts once for each pod, whoever tells of it and how often. What it leads to is the policy's containment's to
say; the count belongs to the policy's name, so it outlives pods, restarts and the policy itself, until a release.
An Incident is due from the moment at which its breach is written down until the API server has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from zaum_api import contract, documents, incidents
from zaum_api.documents import Action, Containment, Fact, Step
from zaum_ledger.core import standing
from zaum_ledger.core.standing import Standing
from zaum_ledger.core.windows import DAY, MINUTE

KILLS_KEPT: Final = 1000
"""More than any policy asks for; an attacker who is killed more often a day is counted as often as that."""
BRIDGE: Final = MINUTE
"""For how long the ledger still cuts the other pods of a policy whose Incident somebody else has made."""
FACTS_MAX: Final = documents.containment.FACTS_MAX
_REASONS: Final = frozenset(incidents.REASONS)
_BLAMELESS: Final = frozenset(breach.value for breach in contract.BLAMELESS)


@dataclass(frozen=True, slots=True)
class Who:
    """The pod that is spoken of, as the API server signed it."""

    namespace: str
    policy: str
    pod: str
    """Its name."""
    uid: str

    @property
    def incident(self) -> str:
        """Name the Incident that a breach of this pod makes, whoever makes it."""
        return incidents.name(self.namespace, self.policy, self.uid)


@dataclass(frozen=True, slots=True)
class Due:
    """An Incident that is to be made. `at`: when the ledger heard; `kills`: those before it, within a day.

    `observed`: when the watchdog saw the breach, in milliseconds since the epoch by its node; 0 where it does not say.
    """

    pod: str
    """Its name; its uid is the key under which this stands."""
    reason: str
    action: incidents.Action
    at: int
    kills: int
    facts: tuple[Fact, ...] = ()
    observed: int = 0


@dataclass(frozen=True, slots=True)
class Conduct:
    """`kills`: by pod uid, when; those up to the time `forgiven` count no more. `due`: by pod uid."""

    kills: Mapping[str, int] = field(default_factory=dict)
    forgiven: int = 0
    due: Mapping[str, Due] = field(default_factory=dict)
    orders: standing.Orders = ()

    @property
    def counted(self) -> int:
        """Count the kills within a day and since the last release."""
        return sum(when > self.forgiven for when in self.kills.values())

    @property
    def clean(self) -> bool:
        """Say whether there is nothing that anybody has to remember."""
        return not (self.kills or self.due or standing.lasting(self.orders))


def at(conduct: Conduct, now: int) -> Conduct:
    """Let time pass: after a day a kill counts no more."""
    orders = standing.at(conduct.orders, now)
    if orders is conduct.orders and all(when > now - DAY for when in conduct.kills.values()):
        return conduct
    return replace(conduct, orders=orders, kills={uid: when for uid, when in conduct.kills.items() if when > now - DAY})


def breached(conduct: Conduct, who: Who, said: documents.Sync, now: int) -> Conduct:
    """Take down the breach for which a watchdog is ending its agent.

    A word that this version does not know is a verdict all the same, and stands in the evidence.
    """
    if not said.latched or said.latched in _BLAMELESS or who.uid in conduct.kills:
        return conduct
    containment = said.containment or Containment()
    step = Step.QUARANTINE if containment.on_runaway is Step.QUARANTINE else Step.KILL
    answer = containment.answer(step, conduct.counted)
    reason, facts = said.latched, said.facts
    if reason not in _REASONS:
        reason, facts = incidents.Cause.WATCHDOG_VERDICT.value, (Fact("word", said.latched), *facts[: FACTS_MAX - 1])
    return _due(conduct, who, Due(who.pod, reason, _ACTION[answer], now, conduct.counted, facts, said.breached))


def barred(conduct: Conduct, policy: Who, pods: Iterable[str], now: int) -> Conduct:
    """Cut the other pods of a policy of which a quarantine is due: until its Incident is there, nobody else does.

    `policy`: any pod of it; `pods`: the uids of those that run. A pod that starts later is told when it is heard.
    """
    due = {uid: due for uid, due in conduct.due.items() if due.action is incidents.Action.QUARANTINE}
    if not due:
        return conduct
    first, orders = min(due), conduct.orders
    name, reason = replace(policy, uid=first).incident, due[first].reason
    for uid in sorted(set(pods)):
        if uid not in conduct.due:
            orders = standing.added(orders, Standing(0, Action.CUT, name, reason, pod=uid), now)
    return conduct if orders == conduct.orders else replace(conduct, orders=orders)


def overspent(conduct: Conduct, who: Who, said: documents.Sync, now: int, *, meter: str, until: int) -> Conduct:
    """Take down that something was wanted of a budget that is spent, until a time at which some of it is back."""
    containment = said.containment or Containment()
    reason = incidents.Cause.BUDGET_SPENT.value
    match containment.on_budget:
        case Step.THROTTLE:
            return conduct  # What limits do anyway.
        case Step.CUT:
            cut = Standing(0, Action.CUT, f"budget/{meter}", reason, until=until)
            return replace(conduct, orders=standing.added(conduct.orders, cut, now))
        case Step.KILL | Step.QUARANTINE as step:
            if who.uid in conduct.kills:
                return conduct
            answer = containment.answer(step, conduct.counted)
            due = Due(who.pod, reason, _ACTION[answer], now, conduct.counted, (Fact("meter", meter[:128]),))
            kill = Standing(0, Action.KILL, who.incident, reason, pod=who.uid)
            conduct = _due(conduct, who, due)
            return replace(conduct, orders=standing.added(conduct.orders, kill, now))


def ordered(conduct: Conduct, posted: documents.Posted, now: int) -> Conduct:
    """Take an order. A kill counts, unless nobody blames the agent for it; a release forgives."""
    order = Standing(0, posted.action, posted.incident, posted.reason, posted.pod)
    known = any(one.same(order) for one in conduct.orders)
    conduct = replace(conduct, orders=standing.added(conduct.orders, order, now))
    if known:
        return conduct
    match posted.action:
        case Action.RELEASE:
            return replace(conduct, forgiven=now)
        case Action.KILL if posted.pod and posted.pod not in conduct.kills and posted.reason not in incidents.UNBLAMED:
            return _counted(conduct, posted.pod, now)
        case _:
            return conduct


def made(conduct: Conduct, uid: str, incident: str, now: int, *, ours: bool) -> Conduct:
    """Note that the API server has an Incident: `ours`, or one of the name that was there already."""
    rest = {pod: due for pod, due in conduct.due.items() if pod != uid}
    orders = conduct.orders if ours else standing.ending(conduct.orders, incident, now + BRIDGE)
    return replace(conduct, due=rest, orders=orders)


_ACTION: Final = {Step.KILL: incidents.Action.KILL, Step.QUARANTINE: incidents.Action.QUARANTINE}


def _due(conduct: Conduct, who: Who, due: Due) -> Conduct:
    return _counted(replace(conduct, due={**conduct.due, who.uid: due}), who.uid, due.at)


def _counted(conduct: Conduct, uid: str, now: int) -> Conduct:
    kills = {**conduct.kills, uid: now}
    while len(kills) > KILLS_KEPT:
        del kills[min(kills, key=lambda pod: kills[pod])]
    return replace(conduct, kills=kills)
