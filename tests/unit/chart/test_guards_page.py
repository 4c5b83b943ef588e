"""The page about the guards knows every admission policy of the chart, and tests that show each."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/guards.md").read_text()
ROWS = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `zaum-")]


def test_every_policy_of_the_chart_has_a_row() -> None:
    written = "\n".join(path.read_text() for path in (ROOT / "charts/zaum/templates").glob("admission-*.yaml"))
    named = re.findall(r'policyHead" \(dict.*"name" "([^"]+)"', written)
    assert sorted(row[1].strip(" `") for row in ROWS) == sorted(named)


def test_every_row_names_tests_that_are_there() -> None:
    written = "\n".join(path.read_text() for path in (ROOT / "tests/e2e").glob("*.py"))
    there = set(re.findall(r"def (test_\w+)", written))
    for row in ROWS:
        named = set(re.findall(r"`(test_\w+)`", row[4]))
        assert named, row[1]
        assert named <= there, row[1]
