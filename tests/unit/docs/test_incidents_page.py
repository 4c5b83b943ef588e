"""The page about Incidents says what the API says."""

import re
from pathlib import Path
from typing import Any

import yaml

from zaum_api import contract, incidents
from zaum_api.v1alpha1 import containment, defaults
from zaum_api.v1alpha1 import incident as incident_api

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/incidents.md").read_text()
BLOCKS: list[dict[str, Any]] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def first_cells(heading: str) -> list[str]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_condition_has_a_row_in_its_order() -> None:
    shown = first_cells("How each step is confirmed")
    assert shown == [*(kind.value for kind in incidents.Condition), *(word.value for word in incidents.Word)]


def test_every_step_and_action_has_a_row() -> None:
    steps = containment.Containment.model_json_schema()["properties"]["onRunaway"]["anyOf"][0]["enum"]
    assert first_cells("The ladder") == steps
    assert first_cells("What an open Incident contains") == [action.value for action in incidents.Action]


def test_every_cause_has_a_row_and_the_breaches_that_are_named_are_there() -> None:
    causes = {cause.value for cause in incidents.Cause} - {incidents.Cause.MANUAL.value}
    assert set(first_cells("Reasons")) == causes
    assert {"RunawayCPU", "RunawayDenied", "GatewayContact"} <= set(incidents.REASONS)
    assert f"`{incidents.Cause.MANUAL.value}`" in PAGE


def test_the_defaults_are_those_of_the_api() -> None:
    assert BLOCKS[0]["spec"]["containment"] == {
        "onRunaway": defaults.ON_RUNAWAY,
        "killsBeforeQuarantine": defaults.KILLS_BEFORE_QUARANTINE,
        "onBudget": defaults.ON_BUDGET,
    }


def test_the_incident_by_hand_is_a_good_one() -> None:
    (found,) = [block for block in BLOCKS if block.get("kind") == contract.KIND_INCIDENT]
    incident_api.Incident.model_validate(found)


def test_the_role_of_a_responder_holds_the_right_to_release() -> None:
    (role,) = [block for block in BLOCKS if block.get("kind") == "Role"]
    (verbs,) = [rule["verbs"] for rule in role["rules"] if rule["resources"] == [contract.PLURAL_INCIDENT]]
    assert incidents.RELEASE_VERB in verbs


def test_the_words_that_are_quoted_are_the_contracts() -> None:
    assert f"`{contract.Rule.QUARANTINED.value}`" in PAGE
    assert f"`{contract.LABEL_QUARANTINED}`" in PAGE
    assert f"at most {incidents.LOGS_MAX} characters" in PAGE
