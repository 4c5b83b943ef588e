"""The act of the budget: an agent spends half a dollar, is stopped, and nothing that restarts gives it any back."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.demo.timeline import Timeline
from tests.support.e2e import install
from tests.support.e2e.agents import agent_started
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.world import World
from zaum_api import contract

POLICY: Final = "budget"
LABEL: Final = f"{contract.LABEL_POLICY}={POLICY}"
LEDGER: Final = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_LEDGER}"
BUDGET: Final = 500_000
"""Micro-dollars, as the manifest says in dollars."""
INPUT, OUTPUT = 1, 10_000
"""Micro-dollars for a token, as the manifest says in dollars for a million."""
CALL: Final = "demo-spender"
TOLD_SECONDS: Final = 60.0
BACK_SECONDS: Final = 60.0
WORD_SECONDS: Final = 15.0
"""A watchdog asks the ledger every ten."""


@dataclass(frozen=True)
class Act:
    """Where it is played. `steps` reads what a pod of the agent prints."""

    api: Api
    world: World
    line: Timeline
    steps: Callable[[Object], Iterator[Object]]

    def begin(self, manifest: Object) -> int:
        """Let the agent spend, while other things are told; give the place in the world's log."""
        mark = self.world.mark()
        self.api.apply("agentpolicies", manifest)
        return mark

    def tell(self, namespace: str, mark: int) -> None:
        """Tell what it came to, since a place in the world's log."""
        self.line.headline("a budget: half a dollar a day, and an agent that does not look at what it spends")
        pod = self.api.until_any("pods", namespace, LABEL, agent_started, seconds=60, what="the spender runs")
        passed, refused = until_refused(self.steps(pod))
        seen = f"{passed} calls, then {refused['outcome']} {refused.get('rule')}"
        holds = passed > 0 and refused.get("rule") == contract.Rule.COST_PER_DAY.value
        self.line.check("it spends, and is stopped", holds=holds, seen=seen)
        kind = str(refused.get("type"))
        self.line.check("the openai SDK raises what it always raises", holds=kind == "insufficient_quota", seen=kind)
        self._books(mark, "the provider's own books agree")
        self._told(namespace)
        self._kill_ledger()
        words = asked_on(self.steps(pod), after=time.time())
        self.line.check("it asks on, and another ledger knows", holds=words == {"402"}, seen=", ".join(sorted(words)))
        self._books(mark, "and nothing more was bought")
        self.api.merge("agentpolicies", namespace, POLICY, {"spec": {"desiredState": "Stopped"}})

    def _told(self, namespace: str) -> None:
        policy = self.api.until(
            "agentpolicies", namespace, POLICY, _told_enough, seconds=TOLD_SECONDS, what="the policy says what is spent"
        )
        within = condition(policy, "WithinLimits")
        self.line.note(f"WithinLimits: {within.get('status')}, {within.get('message')}")
        self.line.note(f"zaum usage {POLICY} --namespace {namespace}")
        command = [sys.executable, "-m", "zaum_cli", "usage", POLICY, "--namespace", namespace]
        self.line.quote(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)

    def _kill_ledger(self) -> None:
        """End its pods without a last word, and wait for others."""
        before = self.api.items("pods", install.NAMESPACE, labels=LEDGER)
        began = time.monotonic()
        for item in before:
            path = f"/api/v1/namespaces/{install.NAMESPACE}/pods/{item['metadata']['name']}"
            self.api.send("DELETE", path, query={"gracePeriodSeconds": "0"})
        old = {item["metadata"]["uid"] for item in before}
        self.api.until_any(
            "pods", install.NAMESPACE, LEDGER, lambda item: item["metadata"]["uid"] not in old and _ready(item),
            seconds=BACK_SECONDS, what="another ledger serves",
        )  # fmt: skip
        self.line.note(f"the ledger was killed, another one serves after {time.monotonic() - began:.1f} s")

    def _books(self, mark: int, name: str) -> None:
        amount = spent(self.world.since(mark))
        self.line.check(name, holds=0 < amount <= BUDGET, seen=f"${amount / 1e6:.2f} of ${BUDGET / 1e6:.2f}")


def until_refused(lines: Iterator[Object]) -> tuple[int, Object]:
    """Count the calls that passed, up to one that a limit refuses; what was not answered yet is asked again."""
    passed = 0
    for step in lines:
        if step.get("outcome") == "200":
            passed += 1
        elif step.get("outcome") == "402":
            return passed, step
    raise AssertionError("no limit refused the agent")


def asked_on(lines: Iterator[Object], *, after: float) -> set[str]:
    """Give how calls end after a time (epoch, seconds), for longer than a pod goes on without the ledger's word."""
    words = set[str]()
    for step in lines:
        if step["t"] > after:
            words.add(step["outcome"])
        if step["t"] > after + WORD_SECONDS:
            return words
    raise AssertionError("the agent asks no more")


def spent(records: list[Object]) -> int:
    """Add up the provider's books."""
    mine = [record["detail"] for record in records if record["detail"].get("call") == CALL]
    return sum(INPUT * told["input"] + OUTPUT * told["output"] for told in mine)


def _told_enough(policy: Object) -> bool:
    """Tell whether the status has most of it: the worst case of one more call did not fit into the rest."""
    return float(policy.get("status", {}).get("usage", {}).get("cost", "0")) * 1_000_000 >= BUDGET * 0.6


def _ready(pod: Object) -> bool:
    found = pod.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in found)
