"""What a policy says about its agent's breaches, and what the ceilings of its namespace add."""

from dataclasses import dataclass
from typing import Literal

from zaum_api import incidents
from zaum_api.v1alpha1 import defaults
from zaum_api.v1alpha1 import policy as policy_api
from zaum_operator.core.containment.counting import Answer

Asked = Literal["Ignore", "Kill", "Quarantine"]


@dataclass(frozen=True, slots=True)
class Rule:
    """`on`: the answer to a breach; `allowed`: after how many kills within a day the next is a quarantine.

    `budget`: the answer to one that is spent. `tampering`, `crash_loop`, `widened`: to what the operator alone can see.
    """

    on: Answer = "Kill"
    allowed: int = defaults.KILLS_BEFORE_QUARANTINE
    task: bool = False
    budget: Answer = "Throttle"
    tampering: Asked = "Ignore"
    crash_loop: Asked = "Ignore"
    widened: Asked = "Ignore"

    def answer(self, reason: str) -> Answer:
        """Give the answer to what an Incident's reason names. Who reported what is ignored by now meant a kill."""
        if reason == incidents.Cause.BUDGET_SPENT.value:
            return self.budget
        own: dict[str, Asked] = {
            incidents.Cause.TAMPERING.value: self.tampering,
            incidents.Cause.CRASH_LOOP.value: self.crash_loop,
            incidents.Cause.EGRESS_WIDENED.value: self.widened,
        }
        asked = own.get(reason)
        if asked is None:
            return self.on
        return "Kill" if asked == "Ignore" else asked


def of(spec: policy_api.Spec | None) -> Rule:
    """Read it off a spec; what is absent, or cannot be read, is the default."""
    if spec is None:
        return Rule()
    stated = spec.containment
    task = spec.agent.type == "Task"
    if stated is None:
        return Rule(task=task)
    allowed = stated.kills_before_quarantine
    return Rule(
        on=stated.on_runaway or "Kill",
        allowed=defaults.KILLS_BEFORE_QUARANTINE if allowed is None else allowed,
        task=task,
        budget=stated.on_budget or "Throttle",
        tampering=stated.on_tampering or "Ignore",
        crash_loop=stated.on_crash_loop or "Ignore",
        widened=stated.on_widened_egress or "Ignore",
    )
