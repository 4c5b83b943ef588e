"""What the object says of its cages, from what watchdogs and authorizers say of its pods."""

import dataclasses
from typing import Any

import pytest

from tests.support import rendered, specs
from tests.support.planned import Planned
from zaum_api import contract, documents
from zaum_operator.core import kinds
from zaum_operator.core.snapshot import Reported
from zaum_operator.core.usage import Usage

KEY = {"secretKeyRef": {"name": "model", "key": "api-key"}}
CAGE = (
    documents.CageTarget("apiServer", documents.Transport.TCP, "10.96.0.1", 443),
    documents.CageTarget("dns", documents.Transport.DNS, "10.96.0.10", 53),
    documents.CageTarget("canary", documents.Transport.TCP, "192.0.2.1", 80),
)
GATEWAY = dataclasses.replace(rendered.GATEWAY, authorizer=("10.96.7.8",))
METADATA = documents.Escape("metadata", "169.254.169.254:80", "connected")
EVERYTHING = (
    documents.Escape("apiServer", "10.96.0.1:443", "connected"),
    documents.Escape("authorizer", "10.96.7.8:15445", "refused"),
    documents.Escape("dns", "10.96.0.10:53", "answered"),
)
CONTROL = documents.Escape("control", "cage.invalid:443", "gateway.unavailable")
DOUBT = documents.Escape("node", "192.168.1.1:10250", "EMFILE")


def world(replicas: int = 1, **spec: Any) -> Planned:
    made = Planned(site=dataclasses.replace(rendered.SITE, cage=CAGE), gateway=GATEWAY)
    made.policy(specs.agent(replicas=replicas) | spec)
    made.settle()
    return made


def report(**fields: Any) -> Reported:
    quiet: dict[str, Any] = {"tested": 3, "escapes": (), "requests": 5, "denied": 2, "would_deny": 1}
    return Reported(documents.Report(**{"config": "", "problem": "", **quiet, **fields}))


def proven(made: Planned, *said: Reported | None) -> tuple[str, str]:
    """Let the pods say this, in order of their ordinals, and give what the object says."""
    pods = sorted(made.pods(), key=lambda pod: str(pod["metadata"]["name"]))
    found = dict(zip((pod["metadata"]["uid"] for pod in pods), said, strict=True))
    made.reports = {uid: one for uid, one in found.items() if one is not None}
    made.settle()
    return made.condition("EnforcementProven")[:2]


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ([None, None], ("Unknown", "NoReport")),
        ([report(), None], ("Unknown", "NoReport")),
        ([report(), report(tested=0)], ("Unknown", "NotTestedYet")),
        ([report(), report()], ("True", "CageHeld")),
        ([report(), report(escapes=(METADATA,))], ("False", "CageLeaks")),
        ([None, report(escapes=(METADATA,))], ("False", "CageLeaks")),
        ([report(tested=0), report(escapes=(METADATA,))], ("False", "CageLeaks")),
        ([report(), report(escapes=EVERYTHING)], ("False", "NotEnforced")),
        ([report(), report(escapes=(METADATA, *EVERYTHING))], ("False", "NotEnforced")),
        ([report(), report(escapes=EVERYTHING[1:])], ("False", "CageLeaks")),
        ([report(), report(escapes=(CONTROL,))], ("Unknown", "TestInconclusive")),
        ([report(), report(escapes=(DOUBT,))], ("Unknown", "TestInconclusive")),
        ([report(), report(escapes=(CONTROL, METADATA))], ("False", "CageLeaks")),
    ],
)
def test_the_cage_is_proven_by_every_pod_or_not_at_all(said: list[Reported | None], condition: tuple[str, str]) -> None:
    assert proven(world(2), *said) == condition


def test_a_leak_is_said_by_pod_target_address_and_outcome() -> None:
    made = world()
    proven(made, report(escapes=(METADATA,)))
    text = made.condition("EnforcementProven")[2]
    assert made.pods()[0]["metadata"]["name"] in text
    assert "metadata (169.254.169.254:80): connected" in text


def test_where_nothing_is_enforced_the_object_says_what_to_do() -> None:
    made = world()
    proven(made, report(escapes=(METADATA, *EVERYTHING)))
    text = made.condition("EnforcementProven")[2]
    assert "network plugin" in text
    for reached in (METADATA, *EVERYTHING):
        assert f"{reached.target} ({reached.address}): {reached.outcome}" in text


@pytest.mark.parametrize("required", [True, False])
def test_a_pod_that_must_be_proven_first_is_not_ended_for_waiting_and_the_object_says_what_for(required: bool) -> None:
    made = Planned()
    made.policy(specs.agent() | {"egress": {"requireProof": required}})
    made.step()
    (pod,) = made.pods()
    (watchdog,) = (item for item in pod["spec"]["initContainers"] if item["name"] == contract.CONTAINER_WATCHDOG)
    probe = watchdog["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == (86_400 if required else 60)
    made.step()
    status, reason, text = made.condition("Ready")
    assert (status, reason) == ("False", "Progressing")
    assert ("EnforcementProven" in text) is required


def test_without_a_target_that_surely_answers_nothing_is_said_of_the_whole_cluster() -> None:
    made = Planned()
    made.policy()
    made.settle()
    assert proven(made, report(escapes=EVERYTHING)) == ("False", "CageLeaks")


def test_what_pods_said_that_have_ended_or_belong_to_nobody_proves_nothing() -> None:
    made = world()
    (pod,) = made.pods()
    made.reports = {pod["metadata"]["uid"]: report(), "another": report(escapes=(METADATA,))}
    made.end(pod, code=1)
    made.settle()
    assert made.condition("EnforcementProven")[:2] == ("Unknown", "NoReport")


def test_a_new_pod_is_not_proven_by_those_before_it() -> None:
    made = world()
    assert proven(made, report()) == ("True", "CageHeld")
    made.policy(specs.agent(replicas=2))
    made.settle()
    assert made.condition("EnforcementProven")[:2] == ("Unknown", "NoReport")


def test_a_missing_credential_is_named_with_route_and_secret_and_goes_when_it_is_there() -> None:
    made = world(egress={"routes": [specs.route(credential=KEY)]})
    proven(made, report(missing=("model", "unknown")))
    status, reason, text = made.condition("Degraded")
    assert (status, reason) == ("True", "CredentialMissing")
    assert "Route model" in text
    assert "key api-key of Secret model" in text
    proven(made, report())
    assert made.condition("Degraded")[:2] == ("False", "AsInstalled")


def test_a_document_that_a_watchdog_refuses_is_said() -> None:
    made = world()
    proven(made, report(problem="routes[0].api: 'X'\nis not known"))
    status, reason, text = made.condition("Degraded")
    assert (status, reason) == ("True", "ConfigRefused")
    assert made.pods()[0]["metadata"]["name"] in text
    assert "routes[0].api: 'X' is not known" in text


def usage(made: Planned) -> dict[str, int] | None:
    found: dict[str, int] | None = made.api.all(kinds.POLICY)[0]["status"].get("usage")
    return found


def test_usage_moves_by_a_tenth_and_stays_when_nothing_is_heard() -> None:
    made = world()
    assert usage(made) is None
    made.usage = Usage(100, 10, 0)
    made.settle()
    assert usage(made) == {"requests": 100, "denied": 10, "wouldDeny": 0}
    made.usage = Usage(109, 10, 0)
    assert made.step() == [], "less than a tenth is no reason to write"
    made.usage = None
    assert made.step() == []
    made.usage = Usage(110, 10, 0)
    made.settle()
    assert usage(made) == {"requests": 110, "denied": 10, "wouldDeny": 0}
    made.usage = Usage(110, 10, 1)
    made.settle()
    assert usage(made) == {"requests": 110, "denied": 10, "wouldDeny": 1}, "the first of its kind is news"


def test_what_a_status_of_another_version_says_of_usage_is_written_anew() -> None:
    made = world()
    place = ("agentpolicies", "agents", "researcher")
    for strange in ("much", {"requests": "5", "denied": 1, "wouldDeny": 0}, {"requests": 5}):
        made.api.objects[place]["status"]["usage"] = strange
        made.usage = Usage(5, 1, 0)
        made.settle()
        assert usage(made) == {"requests": 5, "denied": 1, "wouldDeny": 0}
