"""I07 with the ledger: budgets of all pods, over restarts and a new policy, and what the owner is told of them."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster import addresses
from tests.cluster.world import llm
from tests.e2e.test_failures import absent
from tests.support.e2e import install
from tests.support.e2e.agents import READY_SECONDS, Agents
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.spending import LEDGER, NO_VERDICT, command, credential
from zaum_api import contract

TOLD_SECONDS = 60.0
"""The operator asks every 5 s, and writes of one policy every 15 s at most."""
UNKNOWN_SECONDS = 90.0
LENIENT: Object = {"requests": {"perMinute": 6000, "burst": 1000}}
CALLS = """
import json, os, time, urllib.error, urllib.request
BODY = json.dumps({
    "model": %(model)r, "max_completion_tokens": 10,
    "messages": [{"role": "user", "content": "one two three four five six seven eight"}],
}).encode()
served = 0
while True:
    request = urllib.request.Request(
        os.environ["MODELS_BASE_URL"] + "/chat/completions", BODY, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            said, head = {"status": answer.status, "rule": ""}, answer.headers
            said["tokens"] = json.load(answer)["usage"]["total_tokens"]
            served += 1
    except urllib.error.HTTPError as error:
        said, head = {"status": error.code, "rule": error.headers.get("x-zaum-rule", "")}, error.headers
        said["error"] = json.loads(error.read() or b"{}").get("error", {})
    except OSError as error:
        said, head = {"status": 0, "rule": str(error)}, {}
    names = ("ratelimit", "ratelimit-policy", "x-zaum-warning", "retry-after", "x-should-retry")
    print(json.dumps(said | {name: head.get(name) for name in names} | {"served": served}), flush=True)
    time.sleep(%(pause)s)
"""
TUNNELS = """
import json, sys, time
sys.path.insert(0, "/files")
import probe
while True:
    print(json.dumps(probe.try_one({"probe": "proxy", "host": %(host)r, "path": "/"})), flush=True)
    time.sleep(0.05)
"""


def model(**route: Any) -> Object:
    """A route to the world's models; ten words of an answer cost a tenth of a dollar."""
    return {
        "name": "models",
        "api": "OpenAI",
        "upstream": f"https://{addresses.LLM_NAME}/v1",
        "credential": {"secretKeyRef": {"name": "model", "key": "key"}},
        "allow": [{"methods": ["POST"], "path": "/chat/completions"}],
        "prices": [{"model": llm.MODELS[0], "input": "1", "output": "10000"}],
    } | route


def spender(agents: Agents, name: str, *, pause: float = 0.3, **spec: Any) -> Object:
    """Run an agent that asks a model again and again."""
    program = CALLS % {"model": llm.MODELS[0], "pause": pause}
    return agents.run(name, program, **{"egress": {"routes": [model()]}, "runaway": NO_VERDICT} | spec)


def until_said(agents: Agents, pod: Object, holds: Callable[[Object], bool], *, seconds: float = 120) -> list[Object]:
    """Read what an agent prints until something holds; give all of it."""
    found: list[Object] = []
    for line in agents.lines(pod, seconds=seconds):
        found.append(line)
        if holds(line):
            return found
    raise AssertionError(f"not said within {seconds} s; the last was {found[-3:]}")


def within(api: Api, agents: Agents, name: str, reason: str, *, seconds: float = TOLD_SECONDS) -> Object:
    """Wait until WithinLimits has a reason; give the policy."""
    return api.until(
        "agentpolicies", agents.namespace, name, lambda seen: condition(seen, "WithinLimits").get("reason") == reason,
        seconds=seconds, what=f"WithinLimits {reason} of {name}",
    )  # fmt: skip


def usage(agents: Agents, name: str) -> Object:
    """What `zaum usage` says of a policy."""
    told = command(sys.executable, "-m", "zaum_cli", "usage", name, "-n", agents.namespace, "-o", "json")
    (found,) = json.loads(told)
    return dict(found)


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i07_a_days_money_is_spent_once_over_pods_and_a_policy_of_the_same_name(agents: Agents, api: Api) -> None:
    credential(agents)
    limits = LENIENT | {"cost": {"perDay": "1.00"}}
    pod = spender(agents, "frugal", limits=limits)
    *calls, spent = until_said(agents, pod, lambda line: line["status"] == 402)
    assert {line["status"] for line in calls} == {200}
    assert 7 <= len(calls) <= 10, "each is a tenth of the limit, and the worst case of one more does not fit"
    assert (spent["rule"], spent["x-should-retry"]) == (contract.Rule.COST_PER_DAY.value, "false")
    assert spent["error"]["type"] == "insufficient_quota"
    assert any("policy:cost/day" in (line["x-zaum-warning"] or "") for line in calls), "from 80 % on"
    assert all('"policy:cost/day"' in line["ratelimit"] for line in calls)

    # Another policy of the same name begins where that one ended.
    api.delete("agentpolicies", agents.namespace, "frugal")
    api.until_gone("pods", agents.namespace, pod["metadata"]["name"], seconds=READY_SECONDS)
    again = spender(agents, "frugal", limits=limits)
    first = until_said(agents, again, lambda line: line["status"] in {200, 402})[-1]
    assert (first["status"], first["rule"]) == (402, contract.Rule.COST_PER_DAY.value)


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_what_is_spent_is_told_by_status_condition_events_and_the_command_line(agents: Agents, api: Api) -> None:
    limits = LENIENT | {"bytes": {"outPerHour": "64Ki"}}
    program = TUNNELS % {"host": addresses.WEBSITE_NAME}
    hosts = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
    pod = agents.run("sender", program, limits=limits, egress=hosts, runaway=NO_VERDICT)
    *sent, spent = until_said(agents, pod, lambda line: line["outcome"] == "402")
    assert len(sent) > 5, "the control: it could send before"
    assert spent["rule"] == contract.Rule.BYTES_OUT_PER_HOUR.value

    policy = within(api, agents, "sender", "BytesExceeded")
    assert "policy:bytesOut/hour of 64Ki" in condition(policy, "WithinLimits")["message"]
    assert policy["status"]["usage"]["bytesOut"] >= 60 * 1024
    event = agents.event("100 % of a limit are spent", "policy:bytesOut/hour")
    assert (event["reason"], event["type"]) == ("LimitSpent", "Warning")
    told = usage(agents, "sender")
    assert (told["withinLimits"], told["limits"]["bytesOut"].partition(" ")[0]) == ("BytesExceeded", "64Ki")
    assert told["usage"]["bytesOut"] == policy["status"]["usage"]["bytesOut"]


@pytest.mark.alone
@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i07_without_the_ledger_nothing_is_spent_that_was_not_leased(agents: Agents, api: Api) -> None:
    credential(agents)
    pod = spender(agents, "orphan", limits=LENIENT | {"cost": {"perDay": "1000.00"}})
    lines = agents.lines(pod, seconds=240)
    assert next(line for line in lines if line["status"] == 200)
    with absent(api, LEDGER):
        refused = next(line for line in lines if line["status"] != 200)
        assert (refused["status"], refused["rule"]) == (503, contract.Rule.LEDGER_UNAVAILABLE.value)
    assert next((line for line in lines if line["status"] == 200), None), "served again"


@pytest.mark.alone
def test_a_silent_ledger_is_said_to_be_unknown_and_one_that_is_back_is_heard(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("idle", command=["true"], agent={"replicas": 0}))
    within(api, agents, "idle", "WithinLimits")
    with absent(api, LEDGER):
        within(api, agents, "idle", "LedgerMissing", seconds=UNKNOWN_SECONDS)
    within(api, agents, "idle", "WithinLimits")


def test_a_model_without_a_price_is_named_with_what_to_write(agents: Agents, api: Api) -> None:
    routes = [model(models=[llm.MODELS[0], "unheard-of"])]
    policy = agents.policy("unpriced", command=["true"], egress={"routes": routes}, agent={"replicas": 0})
    agents.api.apply("agentpolicies", policy)
    found = api.until(
        "agentpolicies", agents.namespace, "unpriced",
        lambda seen: condition(seen, "Degraded").get("reason") == "PriceMissing",
        seconds=READY_SECONDS, what="Degraded PriceMissing",
    )  # fmt: skip
    message = condition(found, "Degraded")["message"]
    assert 'prices: [{model: unheard-of, input: "...", output: "..."}]' in message
    assert llm.MODELS[0] not in message
    priced = [model(models=[llm.MODELS[1]], prices=[])]
    api.merge("agentpolicies", agents.namespace, "unpriced", {"spec": {"egress": {"routes": priced}}})
    api.until(
        "agentpolicies", agents.namespace, "unpriced",
        lambda seen: condition(seen, "Degraded").get("status") == "False",
        seconds=READY_SECONDS, what="the installation's table has the price",
    )  # fmt: skip


@pytest.mark.alone
def test_the_books_are_backed_up_while_the_ledger_runs_and_never_put_back_over_others() -> None:
    here = ("kubectl", "-n", install.NAMESPACE, "exec", f"deploy/{LEDGER}", "--")
    own = (*here, "python3", "-m", "zaum_ledger")
    said = command(*own, "backup", "/tmp/books.backup")
    assert said.startswith("backup: ")
    lines = command(*here, "cat", "/tmp/books.backup").splitlines()
    assert len(lines) >= 2
    refused = subprocess.run([*own, "restore", "/tmp/books.backup"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1, "a ledger runs on them"
    assert refused.stderr.startswith("zaum_ledger: ")
