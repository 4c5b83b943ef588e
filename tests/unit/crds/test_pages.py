"""The pages of docs/ say what the models say: every field, every default, every reason."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

import definitions
from reference import conditions as conditions_page
from reference import fields
from tests.support import schemas
from zaum_api import conditions, reasons
from zaum_api.v1alpha1 import defaults

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = fields.page()
DEFAULTS: Final[dict[str, Any]] = {
    "mode": defaults.MODE,
    "type": defaults.TYPE,
    "replicas": defaults.REPLICAS,
    "resources.cpu": defaults.CPU,
    "resources.memory": defaults.MEMORY,
    "resources.ephemeralStorage": defaults.EPHEMERAL_STORAGE,
    "workspace.size": defaults.WORKSPACE_SIZE,
    "liveness.httpGet.path": defaults.LIVENESS_PATH,
    "liveness.initialDelaySeconds": defaults.LIVENESS_INITIAL_DELAY_SECONDS,
    "liveness.periodSeconds": defaults.LIVENESS_PERIOD_SECONDS,
    "liveness.timeoutSeconds": defaults.LIVENESS_TIMEOUT_SECONDS,
    "liveness.failureThreshold": defaults.LIVENESS_FAILURE_THRESHOLD,
    "tolerations[].operator": defaults.TOLERATION_OPERATOR,
    "routes[].api": defaults.ROUTE_API,
    "routes[].credential.header": defaults.CREDENTIAL_HEADER,
    "requireProof": str(defaults.REQUIRE_PROOF).lower(),
    "token.lifetime": defaults.IDENTITY_TOKEN_LIFETIME,
    "hosts[].ports": list(defaults.HOST_PORTS),
    "name": defaults.ingress_name(0).replace("0", "&lt;port>"),
    "requests.perMinute": defaults.REQUESTS_PER_MINUTE,
    "requests.burst": defaults.REQUESTS_BURST,
    "connections": defaults.CONNECTIONS,
    "cpu.abovePercent": defaults.CPU_ABOVE_PERCENT,
    "cpu.for": defaults.CPU_FOR,
    "processes.above": defaults.PROCESSES_ABOVE,
    "processes.for": defaults.PROCESSES_FOR,
    "denied.above": defaults.DENIED_ABOVE,
    "denied.per": defaults.DENIED_PER,
    "onRunaway": defaults.ON_RUNAWAY,
    "killsBeforeQuarantine": defaults.KILLS_BEFORE_QUARANTINE,
    "onBudget": defaults.ON_BUDGET,
    "onTampering": defaults.ON_TAMPERING,
    "onCrashLoop": defaults.ON_CRASH_LOOP,
    "onWidenedEgress": defaults.ON_WIDENED_EGRESS,
}


def rows(page: str) -> list[list[str]]:
    """The cells of every table's rows."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines() if line[:1] == "|"]


def test_every_default_in_the_code_is_the_one_on_the_page() -> None:
    said = {(cells[0].strip("`"), re.split(",| and ", cells[2])[0]) for cells in rows(PAGE) if len(cells) == 4}
    assert {(field, str(value)) for field, value in DEFAULTS.items()} <= said


@pytest.mark.parametrize("definition", definitions.ALL, ids=lambda definition: definition.kind)
def test_every_field_has_a_row_or_a_section(definition: definitions.Definition) -> None:
    section = PAGE.partition(f"\n## {definition.kind}\n")[2].partition("\n## ")[0]
    shown = {cells[0].strip("`").removesuffix("[]") for cells in rows(section)}
    headings = set(re.findall(rf"^### {definition.kind} (?:spec|status)\.(\w+)$", section, re.MULTILINE))
    for place, node in schemas.nodes(definition.schema()):
        parts = place.removeprefix(".").split(".")
        if parts[0] not in {"spec", "status"} or len(parts) == 1 or place.endswith(("[]", "{}")):
            continue
        below = ".".join(parts[2:])
        assert parts[1].removesuffix("[]") in headings | shown, place
        assert not below or below in shown, place
        assert node["description"]


@pytest.mark.parametrize("definition", definitions.ALL, ids=lambda definition: definition.kind)
def test_the_rules_of_a_kind_stand_in_a_list_and_not_in_its_prose(definition: definitions.Definition) -> None:
    section = PAGE.partition(f"\n## {definition.kind}\n")[2].partition("\n### ")[0]
    rules = [rule["message"] for rule in definition.schema().get("x-kubernetes-validations", ())]
    assert [line for line in section.splitlines() if line.startswith("- ")] == [f"- {rule}" for rule in rules]
    assert not any(rule in section.partition("\nRules:\n")[0] for rule in rules)


def test_every_reason_is_explained_and_has_a_row_on_the_page() -> None:
    assert set(reasons.EXPLAINED) == set(conditions.Reason)
    shown = {cells[1].strip("`") for cells in rows(conditions_page.page()) if len(cells) == 5}
    assert {reason.value for reason in conditions.Reason} <= shown


def test_who_must_act_is_told_what_to_do_and_nobody_is_told_nothing() -> None:
    for reason, explained in reasons.EXPLAINED.items():
        assert explained.on, reason
        assert explained.means.endswith("."), reason
        if explained.who is not reasons.Who.NOBODY:
            assert explained.act.endswith("."), reason


def test_true_is_good_on_every_type_but_degraded() -> None:
    for reason, explained in reasons.EXPLAINED.items():
        for kind, status in explained.on:
            good = status is (
                conditions.Status.FALSE if kind is conditions.ConditionType.DEGRADED else conditions.Status.TRUE
            )
            assert not good or explained.who is reasons.Who.NOBODY, f"{reason} on {kind}"


def test_the_page_on_reading_a_status_names_every_type_and_field_and_no_other() -> None:
    text = (ROOT / "docs/status.md").read_text()
    named = set(re.findall(r"`(\w+)`", text))
    fields_ = set(definitions.POLICY.schema()["properties"]["status"]["properties"])
    assert {kind.value for kind in conditions.ConditionType} | fields_ - {"conditions"} <= named
    sources = {"Policy", "Default", "Ceiling"}
    assert named <= {kind.value for kind in conditions.ConditionType} | fields_ | sources


def test_a_ceiling_that_caps_has_no_defaults_of_a_policy_in_its_rows() -> None:
    section = PAGE.partition("\n## AgentCeiling\n")[2].partition("\n## ")[0]
    assert {cells[2] for cells in rows(section) if len(cells) == 4} <= {"", "default", "---", "*required*"} | {
        "Equal",
        "for ever",
    }
