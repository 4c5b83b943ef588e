"""What the documents say is run or compared: a sentence that no test holds is deleted."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from zaum_api import contract, incidents
from zaum_api.v1alpha1 import incident as incident_api
from zaum_api.v1alpha1 import policy as policies

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
INVARIANTS = (ROOT / "docs/invariants.md").read_text()
CONTROLS = (ROOT / "docs/controls.md").read_text()
TESTS = {
    suite: set(
        re.findall(r"def (test_\w+)", "\n".join(path.read_text() for path in (ROOT / "tests" / suite).rglob("*.py")))
    )
    for suite in ("unit", "integration", "e2e")
}


def rows(text: str, start: str) -> list[list[str]]:
    """The cells of a table's rows whose first cell matches."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [cells for cells in found if re.fullmatch(start, cells[0])]


@pytest.mark.parametrize("cells", rows(INVARIANTS.partition("\n## ")[0], r"I\d\d"), ids=lambda cells: cells[0])
def test_every_invariant_is_named_by_tests_in_the_suites_that_its_row_names(cells: list[str]) -> None:
    number, _, shown = cells
    if shown == "later":
        return
    for suite in shown.split(", "):
        assert any(name.startswith(f"test_{number.lower()}_") for name in TESTS[suite]), f"{number}: none in {suite}"


def test_every_file_that_proves_containment_is_there_and_names_what_it_proves() -> None:
    section = INVARIANTS.partition("\n## Where containment is proven\n")[2].partition("\n## ")[0]
    found = {cells[0]: cells[2] for cells in rows(section, r"I\d\d")}
    assert found.keys() == {"I08", "I09", "I10"}
    for number, said in found.items():
        files = [path for text in re.findall(r"`(tests/[^`]+)`", said) for path in _spelled(text)]
        assert [path for path in files if not (ROOT / path).exists()] == []
        assert any(f"test_{number.lower()}_" in (ROOT / path).read_text() for path in files), number


def _spelled(text: str) -> list[str]:
    """Write out `a/{b,c}.py`."""
    begin, found, rest = re.fullmatch(r"([^{]*)(?:\{([^}]*)\})?(.*)", text).groups()  # type: ignore[union-attr]
    return [f"{begin}{name}{rest}" for name in found.split(",")] if found else [text]


def test_all_fifteen_invariants_have_a_row() -> None:
    table = INVARIANTS.partition("\n## ")[0]
    assert [cells[0] for cells in rows(table, r"I\d\d")] == [f"I{number:02}" for number in range(1, 16)]


def test_every_test_that_the_controls_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", CONTROLS))
    assert len(named) > 15
    assert named - set.union(*TESTS.values()) == set()


def test_a_control_without_a_test_claims_nothing() -> None:
    claims = [cells for cells in rows(CONTROLS, r"[^-].*") if cells[0] != "control"]
    silent = [cells[0] for cells in claims if cells[1] not in {"later", "OUT"} and "`test_" not in cells[3]]
    assert silent == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z0-9-]+)", README + (ROOT / "STYLE.md").read_text()))
    assert named
    assert named - targets == set()


def test_the_policy_in_the_readme_is_valid() -> None:
    text = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "kind: AgentPolicy" in block)
    manifest: dict[str, Any] = yaml.safe_load(text.replace("sha256:…", "sha256:" + "0" * 64))
    read = policies.AgentPolicy.model_validate(manifest)
    assert manifest["spec"]["egress"]["hosts"]
    assert read is not None
    assert manifest["spec"].keys() <= {"agent", "egress", "limits", "runaway", "containment"}


def test_the_budgets_in_the_readme_fit_into_its_policy() -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
    whole, budgets = (block for block in blocks if block.get("kind") != contract.KIND_INCIDENT)
    whole["spec"]["agent"]["image"] = "registry.example/researcher:1"
    for part, said in budgets.items():
        whole["spec"][part] |= said
    spec = policies.AgentPolicy.model_validate(whole).spec
    assert spec.egress is not None
    (route,) = list(spec.egress.routes or ())
    assert {price.model for price in route.prices or ()} == set(route.models or ())
    assert {"tokens", "cost"} <= budgets["limits"].keys()


def test_the_incident_in_the_readme_is_one_and_its_timeline_follows_from_what_was_seen() -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
    (shown,) = [block for block in blocks if block.get("kind") == contract.KIND_INCIDENT]
    incident_api.Incident.model_validate({"apiVersion": contract.API_VERSION} | shown)
    told = shown["status"]["timeline"]
    assert {item["step"] for item in told} == {step.value for step in incidents.STEPS}
    seen = datetime.fromisoformat(shown["spec"]["observedAt"])
    passed = {item["step"]: (datetime.fromisoformat(item["at"]) - seen).total_seconds() for item in told}
    assert list(passed.values()) == sorted(passed.values())
    named = {"cutConfirmed": "Cut", "dead": "Killed", "identity": "IdentityDead", "quarantined": "Quarantined"}
    (cut,) = [datetime.fromisoformat(item["observedAt"]) for item in told if item["step"] == "Cut"]
    assert shown["status"]["durations"]["cut"] == f"{(cut - seen).total_seconds():.2f}s"
    for duration, step in named.items():
        assert abs(float(shown["status"]["durations"][duration].removesuffix("s")) - passed[step]) < 0.011, step


def test_every_rule_and_status_that_the_readme_quotes_is_in_the_contract() -> None:
    groups = "egress|limits|identity|gateway|routes"
    quoted = set(re.findall(rf"`((?:{groups})\.[a-zA-Z.]+)`|x-zaum-rule: ([a-zA-Z.]+)`", README))
    rules = {first or second for first, second in quoted}
    assert rules
    assert rules <= {rule.value for rule in contract.Rule}
    assert f"statuscode: {contract.BREACH_STATUS[contract.Breach.RUNAWAY_CPU]}" in README


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            assert target.startswith("http") or (document.parent / target).exists(), f"{document}: {target}"


def test_the_examples_are_good_policies() -> None:

    for path in sorted((ROOT / "examples").glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            if manifest["kind"] == contract.KIND_POLICY:
                policies.AgentPolicy.model_validate(manifest)
