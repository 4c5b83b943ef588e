"""What the operator can say of a policy stands on the page of conditions, with that status."""

import re
from pathlib import Path
from typing import Final

from zaum_api import conditions, reasons

OPERATOR: Final = Path(__file__).resolve().parents[3] / "operator/zaum_operator"
SOURCE: Final = "\n".join(path.read_text() for path in sorted(OPERATOR.rglob("*.py")))
SAID: Final = {
    "yes": conditions.Status.TRUE,
    "no": conditions.Status.FALSE,
    "NoToken": conditions.Status.FALSE,
    "_failed": conditions.Status.FALSE,
    "_unknown": conditions.Status.UNKNOWN,
}
"""How a finding is written in the operator's core, and the status that it has then."""


def found() -> set[tuple[conditions.Status, conditions.Reason]]:
    """Every status with its reason that stands in the source as one call."""
    calls = re.findall(rf"\b({'|'.join(SAID)})\(\s*Reason\.(\w+)", SOURCE)
    full = re.findall(r"\b(?:Finding|Outcome)\(\s*Status\.(\w+),\s*Reason\.(\w+)", SOURCE)
    return {(SAID[word], conditions.Reason[reason]) for word, reason in calls} | {
        (conditions.Status[status], conditions.Reason[reason]) for status, reason in full
    }


def test_what_the_operator_says_is_explained_with_its_status() -> None:
    explained = {(status, reason) for reason, entry in reasons.EXPLAINED.items() for _, status in entry.on}
    assert len(found()) > 30
    assert found() - explained == set()
