"""docs/detectors.md says what the code does."""

import re
from pathlib import Path

import pytest

from tests.support import specs
from zaum_api import contract, documents
from zaum_api.v1alpha1 import policy
from zaum_operator.core import effective
from zaum_watchdog.core import ladder
from zaum_watchdog.core.detectors import engine, errors

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/detectors.md").read_text()
ROWS = {
    cells[0].strip("` "): [cell.strip() for cell in cells]
    for cells in (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `"))
}
FIELDS = {
    item.field: item.value for item in effective.resolve(policy.Spec.model_validate(specs.agent())).fields
}  # fmt: skip


def test_every_detector_has_a_row_and_no_other() -> None:
    named = {"noProgress": "no_progress", "egressBytes": "egress_bytes", "lifetime.idle": "idle"}
    rungs = {rung.value for rung in documents.Rung}
    assert {named.get(row, row) for row in ROWS if row not in rungs} == {one.name for one in engine.ALL}


@pytest.mark.parametrize("detector", [row for row in ROWS if f"runaway.{row}.enabled" in FIELDS])
def test_a_row_has_the_defaults_in_force(detector: str) -> None:
    said = ROWS[detector][2]
    values = {name: value for name, value in FIELDS.items() if name.startswith(f"runaway.{detector}.")}
    assert values.pop(f"runaway.{detector}.enabled") == "true"
    assert len(values) >= 2
    assert {value for value in values.values() if not re.search(rf"\b{re.escape(value)}\b", said)} == set()


def test_idle_is_off_by_default() -> None:
    assert FIELDS["lifetime.idle"] == "none"
    assert ROWS["lifetime.idle"][2] == "off"


def test_every_rung_but_free_has_a_row() -> None:
    assert {rung.value for rung in documents.Rung} - set(ROWS) == {documents.Rung.FREE.value}


def test_the_statuses_that_do_not_count_are_said() -> None:
    assert f"not {', '.join(map(str, sorted(errors.BLAMELESS)))}, nor any from 500" in PAGE


def test_the_times_are_those_of_the_code() -> None:
    assert f"rested for {engine.CALM // 10**9} seconds" in PAGE
    assert f"lasts for {ladder.PATIENCE // 60_000_000_000} minutes more" in PAGE
    assert ladder.THROTTLED == 10
    assert "a tenth of" in PAGE


def test_what_blames_nobody_is_named() -> None:
    for breach in contract.BLAMELESS:
        assert f"`{breach.value}`" in PAGE
