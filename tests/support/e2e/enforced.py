"""When the cluster's network enforces what is written now.

Whoever enforces NetworkPolicies, or leads to Services, asks an API server that was away again after a pause that
doubles: for up to a minute new pods are as free as if nothing had been written. What is judged by what pods reach
begins after that.
"""

from typing import Final

from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Object, condition

SECONDS: Final = 120.0
"""From a new policy to the proof of its cage."""
NAME: Final = "canary"


def wait(agents: Agents) -> None:
    """Wait until the cage of a new agent is proven; raise NotSeenError where it is not in time."""
    agents.api.apply("agentpolicies", agents.policy(NAME, command=["sleep", "3600"]))
    agents.api.until("agentpolicies", agents.namespace, NAME, _caged, seconds=SECONDS, what="a new cage is proven")
    agents.api.delete("agentpolicies", agents.namespace, NAME)
    agents.api.until_gone("agentpolicies", agents.namespace, NAME, seconds=SECONDS)


def _caged(policy: Object) -> bool:
    return condition(policy, "EnforcementProven").get("status") == "True"
