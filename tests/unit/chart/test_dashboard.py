"""The dashboard asks for series that the ledger gives."""

import json
import re
from pathlib import Path

from zaum_api import documents

ROOT = Path(__file__).resolve().parents[3]
BOARD = json.loads((ROOT / "charts/zaum/files/dashboards/limits.json").read_text())
METRICS = (ROOT / "ledger/zaum_ledger/shell/metrics.py").read_text()
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def test_every_series_is_one_that_the_ledger_gives() -> None:
    counters = {re.sub("([A-Z])", r"_\1", name).lower() for name in documents.Counters().write()}
    asked = {name for text in EXPRESSIONS for name in re.findall(r"zaum_[a-z_]+", text)}
    assert len(asked) > 5
    for name in asked:
        bare = name.removesuffix("_total").removeprefix("zaum_policy_").removeprefix("zaum_ledger_")
        assert f'"{bare}"' in METRICS or bare in counters, name


def test_kinds_and_windows_are_those_of_meters() -> None:
    for text in EXPRESSIONS:
        assert set(re.findall('kind="([^"]+)"', text)) <= set(documents.Kind)
        assert set(re.findall('window="([^"]+)"', text)) <= set(documents.Window)


def test_no_two_panels_share_an_id_and_each_has_a_title() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["title"] for panel in BOARD["panels"])
