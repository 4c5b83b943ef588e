"""The page of `zaum watch`."""

from datetime import UTC, datetime
from typing import Any

import pytest

from zaum_api import contract, documents, incidents
from zaum_cli.core import live

NOW = datetime(2026, 11, 23, 5, 10, tzinfo=UTC)
AT = "2026-11-23T05:09:00Z"


def policy(name: str = "a", **status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "agents", "name": name}, "status": status}


def pod(name: str = "zaum-a-0-abcde", *, said: str = "", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    state = {"terminated": {"message": said}} if said else {"running": {}}
    return {
        "metadata": {"namespace": "agents", "name": name, "creationTimestamp": AT, **metadata},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if phase == "Running" else "False"}],
            "containerStatuses": [{"name": contract.CONTAINER_AGENT, "state": {"terminated": {"message": "Lies"}}}],
            "initContainerStatuses": [{"name": contract.CONTAINER_WATCHDOG, "state": state}],
        },
    }


def incident(action: str = "Quarantine", *true: str, name: str = "a-1", about: str = "a") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "agents", "name": name, "creationTimestamp": AT},
        "spec": {"policyRef": {"name": about}, "reason": "RunawayDenied", "action": action},
        "status": {"conditions": [{"type": kind, "status": "True"} for kind in true]},
    }


def page(*policies: Any, pods: Any = (), found: Any = (), everywhere: bool = False) -> str:
    return live.page(live.Seen("agents", list(policies), list(pods), list(found), everywhere), NOW)


def test_a_quiet_namespace_says_so() -> None:
    assert page() == "agents, 2026-11-23 05:10:00 UTC\n\nno policies\n\nno pods\n\nno Incident\n"


def test_the_page_shows_usage_pods_and_what_an_incident_waits_for() -> None:
    spent = policy(
        conditions=[{"type": "Ready", "status": "False", "reason": "Quarantined"}],
        usage={"requests": 12, "denied": 21, "cost": "1.25"},
        replicas=1,
        readyReplicas=0,
    )
    text = page(spent, pods=[pod(said="RunawayDenied\n", phase="Failed")], found=[incident("Quarantine", "Cut")])
    _, policies, pods, opened = text.split("\n\n")
    assert policies.splitlines()[1].split() == [
        "a", "False", "Quarantined", "0/1", "Quarantine", "(RunawayDenied)", "12", "21", "-", "1.25", "-", "-"
    ]  # fmt: skip
    assert pods.splitlines()[1].split() == ["zaum-a-0-abcde", "Failed", "no", "no", "RunawayDenied", "60s"]
    assert opened.splitlines()[1].split()[:6] == ["a-1", "a", "RunawayDenied", "Quarantine", "Cut", "60s"]
    assert "not confirmed yet: Killed" in opened


@pytest.mark.parametrize(
    ("told", "found", "shown"),
    [
        ({}, [], "-"),
        ({"rung": "Free"}, [], "Free"),
        ({"rung": "Throttled", "breach": "RunawayCPU"}, [], "Throttled (RunawayCPU)"),
        ({"rung": "Free"}, [incident("Kill")], "Kill (RunawayDenied)"),
        ({"rung": "Free"}, [incident("Kill"), incident()], "Quarantine (RunawayDenied)"),
        ({"rung": "Cut"}, [incident("Quarantine", incidents.Condition.CLOSED)], "Cut"),
        ({"rung": "Cut"}, [incident(about="aa")], "Cut"),
    ],
)
def test_the_ladder_is_the_furthest_step(told: dict[str, str], found: list[Any], shown: str) -> None:
    assert live.ladder(policy(containment=told), found) == shown


def test_every_rung_of_a_watchdog_is_shown_as_it_is() -> None:
    for rung in documents.Rung:
        assert live.ladder(policy(containment={"rung": rung.value}), []) == rung.value


def test_a_verdict_is_the_watchdogs_word_or_the_operators_mark_and_never_the_agents() -> None:
    assert live.verdict(pod()) == "-"
    assert live.verdict(pod(said="RunawayCPU\nand more")) == "RunawayCPU"
    assert live.verdict(pod(said="not a word of ours")) == "-"
    assert live.verdict(pod(annotations={contract.ANNOTATION_BREACH: "GatewayContact"})) == "GatewayContact"
    before = pod()
    before["status"]["initContainerStatuses"][0] |= {"lastState": {"terminated": {"message": "RunawayForks\n"}}}
    assert live.verdict(before) == "RunawayForks", "of a watchdog that was started again"


def test_a_quarantined_pod_and_one_that_is_ending_are_marked() -> None:
    marked = pod(labels={contract.LABEL_QUARANTINED: "true"}, deletionTimestamp=AT)
    assert page(pods=[marked]).split("\n\n")[2].splitlines()[1].split()[1:4] == ["Ending", "yes", "yes"]


def test_closed_incidents_are_counted_and_across_namespaces_names_are_whole() -> None:
    text = page(policy(), found=[incident("Kill", incidents.Condition.CLOSED)], everywhere=True)
    assert "no open Incident; 1 closed" in text
    assert "agents/a " in text
