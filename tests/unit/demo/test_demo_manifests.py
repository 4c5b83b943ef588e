"""The demo's manifests fit its programs, the API and each other."""

import pathlib
import re
from typing import Any

import yaml

from tests.demo import budget, loop, story
from zaum_api import contract
from zaum_api.v1alpha1 import policy

DEMO = pathlib.Path(__file__).parents[3] / "examples/demo"


def manifest(name: str) -> Any:
    return yaml.safe_load((DEMO / name).read_text())


def required_environment(program: str) -> set[str]:
    """List the variables without which a program stops."""
    return set(re.findall(r'os\.environ\["([A-Z_]+)"\]', (DEMO / program).read_text()))


def named(environment: list[dict[str, str]]) -> set[str]:
    return {variable["name"] for variable in environment}


def test_the_policy_is_valid() -> None:
    policy.AgentPolicy.model_validate(manifest("policy.yaml"))


def test_the_policy_gives_the_agent_what_it_reads() -> None:
    given = named(manifest("policy.yaml")["spec"]["agent"]["env"]) | contract.agent_environment().keys()
    assert required_environment("agent.py") <= given


def test_the_budgets_policy_is_valid_and_gives_its_agent_what_it_reads() -> None:
    body = manifest("budget.yaml")
    policy.AgentPolicy.model_validate(body)
    (route,) = body["spec"]["egress"]["routes"]
    given = named(body["spec"]["agent"]["env"]) | {f"{route['name'].upper()}_BASE_URL"}
    assert required_environment("spender.py") <= given


def test_the_runaways_policy_is_valid_and_gives_its_agent_what_it_reads() -> None:
    body = manifest("runaway.yaml")
    policy.AgentPolicy.model_validate(body)
    (route,) = body["spec"]["egress"]["routes"]
    given = named(body["spec"]["agent"]["env"]) | {f"{route['name'].upper()}_BASE_URL"}
    assert required_environment("runaway.py") <= given
    assert body["metadata"]["name"] == loop.POLICY


def test_the_runaway_is_throttled_before_it_trips_and_quarantined_the_second_time() -> None:
    spec = manifest("runaway.yaml")["spec"]
    assert spec["limits"]["requests"]["burst"] < spec["runaway"]["repeated"]["same"]
    assert set(spec["runaway"]) == {"repeated", "denied"}
    assert spec["containment"] == {"onRunaway": "Kill", "killsBeforeQuarantine": 1}


def test_every_program_that_a_policy_runs_from_the_files_is_among_them() -> None:
    commands = [manifest(name)["spec"]["agent"]["command"] for name in ("budget.yaml", "runaway.yaml")]
    assert {command[1].removeprefix("/files/") for command in commands} < set(story.PROGRAMS)
    assert all((DEMO / name).exists() for name in story.PROGRAMS)


def test_the_first_call_that_ended_so_is_told_by_its_time_after_the_breach() -> None:
    rule = contract.Rule.LATCHED.value
    said = [
        {"t": 9.0, "outcome": "429", "rule": "limits.tokens.perMinute"},
        {"t": 10.25, "outcome": "403", "rule": rule},
        {"t": 11.0, "outcome": "403", "rule": rule},
    ]
    assert loop.after(loop.first(said, "403", rule), 10.0) == f" +0.25 s  403 {rule}"
    assert loop.after(loop.first(said, "429", "limits."), 10.0) == " -1.00 s  429 limits.tokens.perMinute"
    assert loop.first(said, "429", rule) is loop.first(said, "200", "") is None
    assert loop.after(None, 10.0) == "never"


def test_only_the_pods_own_incident_whose_steps_are_all_confirmed_is_the_proof() -> None:
    def incident(phase: str) -> dict[str, Any]:
        return {"spec": {"pod": {"uid": "a"}}, "status": {"phase": phase}}

    assert [loop.is_proven(incident(phase), "a") for phase in ("Contained", "Closed", "Killed")] == [True, True, False]
    assert not loop.is_proven(incident("Contained"), "b")
    assert not loop.is_proven({"spec": {}}, "a")


def test_the_budget_and_its_prices_are_those_that_the_story_adds_up_by() -> None:
    spec = manifest("budget.yaml")["spec"]
    ((price,),) = (route["prices"] for route in spec["egress"]["routes"])
    assert float(spec["limits"]["cost"]["perDay"]) * 1_000_000 == budget.BUDGET
    assert (int(price["input"]), int(price["output"])) == (budget.INPUT, budget.OUTPUT)


def test_what_is_spent_is_what_the_providers_books_say_of_this_agent() -> None:
    def told(call: str, output: int) -> dict[str, Any]:
        return {"detail": {"call": call, "input": 3, "output": output}}

    assert budget.spent([told(budget.CALL, 10), told("other", 10), {"detail": {}}, told(budget.CALL, 1)]) == 110_006


def test_calls_are_counted_up_to_the_one_that_a_limit_refuses() -> None:
    lines = [{"outcome": word} for word in ("200", "APITimeoutError", "429", "200", "402", "200")]
    assert budget.until_refused(iter(lines)) == (2, {"outcome": "402"})


def test_who_asks_on_is_heard_for_longer_than_a_word_of_the_ledger_lasts() -> None:
    lines = [{"t": float(at), "outcome": "200" if at < 100 else "402"} for at in range(90, 130)]
    assert budget.asked_on(iter(lines), after=99.5) == {"402"}
    assert budget.asked_on(iter(lines), after=98.5) == {"200", "402"}


def test_the_control_pod_gets_what_it_reads() -> None:
    [container] = manifest("control.yaml")["spec"]["containers"]
    assert required_environment("control.py") <= named(container["env"])


def test_the_agent_stops_asking_only_beyond_the_policy_s_limit() -> None:
    spec = manifest("policy.yaml")["spec"]
    told = {variable["name"]: variable["value"] for variable in spec["agent"]["env"]}
    assert int(told["REQUESTS_PER_MINUTE"]) == spec["limits"]["requests"]["perMinute"]


def test_both_pods_read_the_same_doors() -> None:
    [source] = manifest("policy.yaml")["spec"]["agent"]["files"]
    control = manifest("control.yaml")["spec"]
    assert control["volumes"][0]["configMap"]["name"] == source["configMap"]
    assert control["containers"][0]["volumeMounts"][0]["mountPath"] == source["mountPath"]


def test_the_control_pod_is_as_locked_down_as_pod_security_restricted_asks() -> None:
    control = manifest("control.yaml")["spec"]
    [container] = control["containers"]
    assert control["securityContext"]["runAsNonRoot"] is True
    assert control["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
