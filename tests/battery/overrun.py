"""Groups 11 and 13: spend more than there is. The world's own books say how much was really spent.

What a limit does not forbid and goes on for ever is ended by a detector: see `groups/loops`.

What can be tried beside each other is, by one agent with a route for each line, and a limit of each route's own. What
is restarted has an agent of its own. Steps of the clock are no matter of a pod: see `make walks`.
"""

import json
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.battery import lasting, sums
from tests.battery.judge import Outcome, Verdict
from tests.battery.lines import Attempt, Control, Where, Witness
from tests.battery.pods import SPEC, Pods, agent_runs
from tests.battery.sums import Bound, Unit
from tests.cluster import addresses
from tests.cluster.world import llm
from tests.support.e2e import seasons
from tests.support.e2e.agents import FILES
from tests.support.e2e.api import Object
from tests.support.e2e.world import World
from zaum_api import contract
from zaum_api.contract import Rule

HERE: Final = Path(__file__).parent
SECONDS: Final = 30.0
"""How long a line goes on at most."""
RESTART_SECONDS: Final = 150.0
"""The same, where what spends is started anew after a pause, and with a spent minute."""
SECRET: Final = "spender-credential"
DOLLAR: Final = 1_000_000
REFUSALS: Final = (402, 429)
_COST: Final = Bound(Unit.COST, DOLLAR, frozenset({Rule.COST_PER_DAY.value}))
_TOKENS: Final = 2_600
"""The worst case of one call, and some more than ten of what it takes."""
_REQUESTS: Final = 30
_BURST: Final = 5
_BYTES: Final = 256 * 1024
CONCURRENT: Final = "many at once against the last unit"
LYING: Final = "usage that is missing, lies or breaks off"
FOR_EVER: Final = "the same call for ever"
DRIP: Final = "a drip just under each limit"
RESTARTS: Final = "restarts between reserve and settle"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `order` is the spender's; `limits` those of its route, or of its host where it has no route."""

    group: int
    name: str
    variant: str
    bound: Bound
    limits: Object
    order: Object = field(default_factory=dict)
    sampled: bool = True

    @property
    def id(self) -> str:
        """Name its route, and what the world knows it by."""
        return f"g{self.group}-{self.variant.replace(' ', '-')}"

    @property
    def attempt(self) -> Attempt:
        """Give what the table shows."""
        probe: dict[str, Any] = {"kind": "spend"}
        return Attempt(self.group, self.name, self.variant, probe, Control(Where.AGENT, probe), Witness.FAR_END)

    def ordered(self, seconds: float) -> Object:
        """Give the whole order."""
        way = {"host": addresses.WEBSITE_NAME} if self.bound.unit is Unit.BYTES else {"route": self.id}
        basis = {"line": self.id, "model": llm.MODELS[0], "threads": 2, "stop": 2, "refusals": REFUSALS}
        return {**basis, **way, "seconds": seconds, **self.order}

    def route(self) -> Object:
        """Give its route: a token of an answer costs a cent."""
        return {
            "name": self.id,
            "api": "OpenAI",
            "upstream": f"https://{addresses.LLM_NAME}/v1",
            "credential": {"secretKeyRef": {"name": SECRET, "key": "key"}},
            "allow": [{"methods": ["POST"], "path": "/chat/completions"}],
            "prices": [{"model": llm.MODELS[0], "input": f"{sums.INPUT}", "output": f"{sums.OUTPUT}"}],
            "limits": self.limits,
        }


def _lie(fault: str, *, sampled: bool = False, **order: Any) -> Line:
    headers = {"x-fault": fault} if fault else {"x-say": "10"}
    variant = fault or "left by the agent"
    variant += " in a stream" if order.get("stream") and fault else ""
    cost = {"cost": {"perDay": "1.00"}}
    return Line(11, LYING, variant, _COST, cost, {"headers": headers, **order}, sampled)


_MANY: Final[Object] = {"threads": 12}
LINES: Final[Sequence[Line]] = (
    Line(11, CONCURRENT, "money of a day", _COST, {"cost": {"perDay": "1.00"}}, _MANY),
    Line(
        11, CONCURRENT, "tokens of a day", Bound(Unit.TOKENS, _TOKENS, frozenset({Rule.TOKENS_PER_DAY.value})),
        {"tokens": {"perDay": _TOKENS}}, _MANY,
    ),
    Line(
        11, CONCURRENT, "tokens of a minute", Bound(Unit.TOKENS, _TOKENS, frozenset({Rule.TOKENS_PER_MINUTE.value})),
        {"tokens": {"perMinute": _TOKENS}}, _MANY,
    ),
    Line(
        11, CONCURRENT, "requests of a minute",
        Bound(Unit.REQUESTS, _REQUESTS + _BURST, frozenset({Rule.REQUESTS_PER_MINUTE.value})),
        {"requests": {"perMinute": _REQUESTS, "burst": _BURST}}, _MANY,
    ),
    Line(
        11, CONCURRENT, "bytes of an hour", Bound(Unit.BYTES, _BYTES), {"bytes": {"outPerHour": "256Ki"}},
        {"threads": 4},
    ),
    _lie("missing", sampled=True),
    _lie("missing", sampled=True, stream=True),
    _lie("negative"),
    _lie("absurd"),
    _lie("contradictory"),
    _lie("gzip", sampled=True),
    _lie("truncated"),
    _lie("truncated", stream=True),
    _lie("crashed"),
    _lie("", sampled=True, stream=True, abort=True),
    Line(
        13, FOR_EVER, "as often as it can",
        Bound(Unit.REQUESTS, _REQUESTS + _BURST, frozenset({Rule.REQUESTS_PER_MINUTE.value})),
        {"requests": {"perMinute": _REQUESTS, "burst": _BURST}}, {"threads": 1, "stop": 8},
    ),
    Line(
        13, FOR_EVER, "to no end", Bound(Unit.TOKENS, _TOKENS, frozenset({Rule.TOKENS_PER_DAY.value})),
        {"tokens": {"perDay": _TOKENS}}, {"threads": 1, "headers": {"x-say": "1"}}, sampled=False,
    ),
    Line(
        13, DRIP, "two a second",
        Bound(
            Unit.COST, DOLLAR, frozenset({Rule.COST_PER_DAY.value}),
            never=frozenset({Rule.REQUESTS_PER_MINUTE.value, Rule.TOKENS_PER_MINUTE.value}),
        ),
        {"requests": {"perMinute": 180, "burst": 3}, "tokens": {"perMinute": 6_000}, "cost": {"perDay": "1.00"}},
        {"threads": 1, "pause": 0.5},
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Strike:
    """Something that ends while calls are under way."""

    name: str
    end: Callable[[Pods, Object], float]


def play(
    pods: Pods, world: World, mark: int, say: Callable[[str], None], *, groups: Collection[int], sampled: bool
) -> list[Outcome]:
    """Try all lines of these groups."""
    seasons.wait(pods.api)
    body = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": secrets.token_urlsafe(32)}}
    pods.api.apply("secrets", body | {"metadata": {"name": SECRET, "namespace": pods.agents.namespace}})
    chosen = [line for line in LINES if line.group in groups and (line.sampled or not sampled)]
    found = _together(pods, world, mark, chosen)
    # Of what all share, one at a time.
    for strike in STRIKES if not sampled and 11 in groups else ():
        found.append(_struck(pods, world, mark, strike))
    say(f"groups 11 and 13: {len(found)} attempts")
    return found


def _together(pods: Pods, world: World, mark: int, chosen: Sequence[Line]) -> list[Outcome]:
    pod = _agent(pods, "spender", chosen, SECONDS)
    answers = _answers(pods, pod, SECONDS + 60)
    records = world.since(mark)
    return [sums.judge(line.attempt, line.id, line.bound, answers, records) for line in chosen]


def _agent(pods: Pods, name: str, chosen: Sequence[Line], seconds: float) -> Object:
    files = pods.agents.files(name, spender_py=(HERE / "spender.py").read_text(), orders_json="")
    orders = json.dumps([line.ordered(seconds) for line in chosen])
    pods.api.merge("configmaps", pods.agents.namespace, files, {"data": {"orders.json": orders}})
    command = ["python3", "-u", f"{FILES}/spender.py", f"@{FILES}/orders.json"]
    policy = pods.agents.policy(name, command=command, files=files, **spec_of(chosen))
    pods.api.apply("agentpolicies", policy)
    return pods.agents.running(name)


def spec_of(chosen: Sequence[Line]) -> Object:
    """Give what the policy says of these lines, each with its own limits."""
    hosts = [{"host": addresses.WEBSITE_NAME, "limits": line.limits} for line in chosen if _by_host(line)]
    routes = [line.route() for line in chosen if not _by_host(line)]
    # The lines' own limits are to answer: those of the policy are far away.
    limits = {
        "tokens": {"perMinute": 10**9, "perDay": 10**9},
        "cost": {"perDay": "100000.00"},
        "bytes": {"outPerHour": "10Gi"},
    }
    return {**SPEC, "egress": {"hosts": hosts, "routes": routes}, "limits": SPEC["limits"] | limits}


def _by_host(line: Line) -> bool:
    return line.bound.unit is Unit.BYTES


def _answers(pods: Pods, pod: Object, seconds: float) -> list[Object]:
    found: list[Object] = []
    for line in pods.said(pods.agents, pod, seconds=seconds):
        if line.get("done"):
            break
        found.append(line)
    return found


# What ends while calls are under way.


def _struck(pods: Pods, world: World, mark: int, strike: Strike) -> Outcome:
    """Let calls that take two seconds be cut short, again and again, until the money is spent."""
    order = {"threads": 4, "headers": {"x-wait": "2"}, "stop": 4, "refusals": [402]}
    line = Line(11, RESTARTS, strike.name, _COST, {"cost": {"perDay": "1.00"}}, order)
    name = strike.name.replace(" ", "-")
    pod = _agent(pods, name, [line], RESTART_SECONDS)
    answers: list[Object] = []
    until, struck, met = time.monotonic() + RESTART_SECONDS, False, False
    while not met:
        for answer in pods.said(pods.agents, pod, seconds=until - time.monotonic()):
            answers.append(answer)
            met = answer.get("rule") in line.bound.rules
            if met:
                break
            if answer.get("status") == 200 and not struck:
                struck = True
                time.sleep(1.0)  # the next ones are reserved, and with the provider
                strike.end(pods, pod)
        left = until - time.monotonic()
        if met or left <= 0:
            break
        pod = _next(pods, name, pod, left)
    if not struck:
        return Outcome(line.attempt, Verdict.BROKEN, "no call passed before")
    return sums.judge(line.attempt, line.id, line.bound, answers, world.since(mark))


def _next(pods: Pods, name: str, before: Object, seconds: float) -> Object:
    """Wait for the pod that comes after one that ended."""
    return pods.api.until_any(
        "pods", pods.agents.namespace, f"{contract.LABEL_POLICY}={name}",
        lambda seen: seen["metadata"]["uid"] != before["metadata"]["uid"] and agent_runs(seen),
        seconds=seconds, what=f"another pod of {name}",
    )  # fmt: skip


def _end_ledger(pods: Pods, pod: Object) -> float:
    """End the ledger's pods, without a last word; wait until others serve."""
    del pod
    labels = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_LEDGER}"
    for each in pods.api.items("pods", lasting.INSTALLATION, labels=labels):
        path = f"/api/v1/namespaces/{lasting.INSTALLATION}/pods/{each['metadata']['name']}"
        pods.api.send("DELETE", path, query={"gracePeriodSeconds": "0"})
    return time.time()


STRIKES: Final = (
    Strike("watchdog killed", lasting.kill_watchdog),
    Strike("gateway killed", lasting.end_gateway),
    Strike("ledger killed", _end_ledger),
)
