"""Run one race on the cluster: pods spend what they share, and what counts it is killed without a word."""

import json
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cluster import addresses
from tests.cluster.world import llm
from tests.races import judge, reading
from tests.support.e2e import install, kills
from tests.support.e2e.agents import FILES, ROOT, Agents
from tests.support.e2e.api import Api, NotSeenError, Object
from tests.support.e2e.following import Followed
from tests.support.e2e.spending import LEDGER, NO_VERDICT, command
from tests.support.e2e.world import World
from zaum_api import contract

REPLICAS = 3
WORKERS = 50
SECONDS = 36.0
"""From the policy to the last call."""
START_SECONDS = 60.0
SETTLED_SECONDS = 60.0
TOKENS_MINUTE = 24_000
COST_DAY = 4_000_000
PRICE = {"model": llm.MODELS[0], "input": "20", "cachedInput": "7.7", "cacheWrite": "40", "output": "300.654321"}
RATES = {"input": 20_000_000, "cached": 7_700_000, "output": 300_654_321}
LIMITS: Object = {
    "requests": {"perMinute": 60_000, "burst": 10_000},
    "connections": 600,
    "tokens": {"perMinute": TOKENS_MINUTE, "perDay": 10**9},
    "cost": {"perDay": "4.00"},
}
EVE_SECONDS = 300.0
"""So long before midnight no race begins: it would be about two days."""


def route(name: str, api: str, base: str, *paths: str) -> Object:
    """Give a route to a model with a price."""
    return {
        "name": name,
        "api": api,
        "upstream": f"https://{addresses.LLM_NAME}{base}",
        "credential": {"secretKeyRef": {"name": "model", "key": "key"}},
        "allow": [{"methods": ["POST"], "path": path} for path in paths],
        "prices": [PRICE],
    }


ROUTES = (
    route("gpt", "OpenAI", "/v1", "/chat/completions", "/responses"),
    route("claude", "Anthropic", "", "/v1/messages"),
)
URLS = {"openai": contract.route_url("gpt"), "anthropic": contract.route_url("claude")}


@dataclass
class Field:
    """What is killed, and when."""

    api: Api
    followed: Followed
    dice: random.Random
    killed: dict[str, float] = field(default_factory=dict)
    """Since when a pod's watchdog is dead, or a little before."""
    told: list[str] = field(default_factory=list)

    def part(self, component: str) -> Callable[[], None]:
        """Give what kills one process of a part of ours, or all that it has."""

        def strike() -> None:
            label = f"{contract.LABEL_COMPONENT}={component}"
            pods = self.api.items("pods", install.NAMESPACE, labels=label)
            chosen = pods if self.dice.random() < 0.5 else [self.dice.choice(pods)]
            self.told.append(f"{component} {[kills.kill(pod, component) for pod in chosen]}")

        return strike

    def watchdog(self) -> None:
        """Kill the watchdog of a pod, which costs the pod."""
        pod = self.dice.choice(self.followed.living())
        before = time.time()
        if kills.kill(pod, contract.CONTAINER_WATCHDOG):
            self.killed[pod["metadata"]["name"]] = before
            self.told.append("watchdog")


def not_at_midnight() -> None:
    left = 86_400 - time.time() % 86_400
    if left < EVE_SECONDS:
        time.sleep(left + 1)


def backup() -> list[str]:
    """Have the ledger write its books, and read them; it may be starting."""
    own = ("kubectl", "-n", install.NAMESPACE, "exec", f"deploy/{LEDGER}", "--")
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        try:
            command(*own, "python3", "-m", "zaum_ledger", "backup", "/tmp/race.backup")
            return command(*own, "cat", "/tmp/race.backup").splitlines()
        except (AssertionError, subprocess.TimeoutExpired):
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def accounts(policy: str, followed: Followed, killed: dict[str, float], seen: list[Object]) -> judge.Race:
    calls, charges = [], []
    for (pod, container), lines in followed.lines.items():
        if container == contract.CONTAINER_AGENT:
            calls += reading.calls(lines, pod)
        else:
            charges += reading.charges(lines, pod)
    names = {pod for pod, _ in followed.lines}
    done = [each for each in reading.done(seen, RATES) if each.pod in names]
    written = backup()
    tokens, cost = (reading.book(written, policy, f"policy:{kind}/day") for kind in ("tokens", "cost"))
    return judge.Race(TOKENS_MINUTE, COST_DAY, tuple(calls), tuple(done), tuple(charges), tokens, cost, killed)


def settled(found: judge.Race) -> bool:
    """Say whether there is nothing that could still be given back or settled."""
    return bool(found.killed) or not found.tokens.unproven + found.cost.unproven


def race(agents: Agents, api: Api, world: World, seed: int, *, watchdogs: int) -> judge.Race:
    """Run one race, and read all its accounts."""
    not_at_midnight()
    name, mark, dice = f"race-{seed}", world.mark(), random.Random(seed)
    files = agents.files(name, main_py=(ROOT / "tests/races/agent.py").read_text())
    given = {"urls": URLS, "workers": WORKERS, "seed": seed, "model": llm.MODELS[0], "stay": True}
    until = time.time() + SECONDS
    argument = json.dumps(given | {"until": until})
    agent = {"replicas": REPLICAS, "resources": {"cpu": "1", "memory": "192Mi"}}
    policy = agents.policy(
        name, command=["python3", "-u", f"{FILES}/main.py", argument], files=files, agent=agent,
        egress={"routes": list(ROUTES)}, limits=LIMITS, runaway=NO_VERDICT,
    )  # fmt: skip
    with Followed(agents.namespace, name, seconds=SECONDS + START_SECONDS + 180) as followed:
        api.apply("agentpolicies", policy)
        until_calls(followed)
        thing = Field(api, followed, dice)
        strikes = [thing.part("ledger"), thing.part("authorizer"), thing.part("ledger"), *[thing.watchdog] * watchdogs]
        dice.shuffle(strikes)
        for number, strike in enumerate(strikes):
            left = until - 5 - time.time()
            time.sleep(max(0.0, min(dice.uniform(1.0, 5.0), left / (len(strikes) - number))))
            strike()
        followed.until_all({"over": True}, contract.CONTAINER_AGENT, seconds=until + 90 - time.time())
        install.available(api, LEDGER)
        deadline = time.monotonic() + SETTLED_SECONDS
        while True:
            found = accounts(f"{agents.namespace}/{name}", followed, thing.killed, world.since(mark))
            if settled(found) or time.monotonic() > deadline:
                print(f"race of seed {seed}, killed {thing.told}: {judge.summary(found)}", flush=True)
                return found
            time.sleep(2.0)


def until_calls(followed: Followed) -> None:
    """Wait until all pods have had an answer."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        served = [
            pod for pod in list(followed.pods)
            if any(line.get("status") == 200 for line in followed.lines.get((pod, contract.CONTAINER_AGENT), ()))
        ]  # fmt: skip
        if len(served) == REPLICAS:
            return
        if time.monotonic() > deadline:
            raise NotSeenError(f"only {served} of {list(followed.pods)} were answered within {START_SECONDS} s")
        time.sleep(0.2)
