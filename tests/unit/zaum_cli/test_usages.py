"""`zaum usage` says what the status says, and nothing where it says nothing."""

import json
from typing import Any

from zaum_cli.core import usages

FIELDS = [
    {"field": "limits.cost.perDay", "value": "2.00 (AgentCeiling owner)", "source": "Ceiling"},
    {"field": "limits.tokens.perDay", "value": "1000", "source": "Policy"},
    {"field": "agent.replicas", "value": "2", "source": "Policy"},
]
SPENT: dict[str, Any] = {
    "metadata": {"namespace": "agents", "name": "researcher"},
    "status": {
        "usage": {
            "requests": 12, "denied": 1, "wouldDeny": 0, "tokens": 900, "cost": "1.25", "bytesOut": 5,
            "windowStart": "2026-03-01T00:00:00Z", "novel": 1,
        },
        "effective": {"fields": FIELDS},
        "conditions": [{"type": "WithinLimits", "reason": "CostExceeded"}],
    },
}  # fmt: skip
NEW: dict[str, Any] = {"metadata": {"namespace": "agents", "name": "new"}}


def test_the_table_says_what_is_spent_and_of_how_much() -> None:
    head, line, new = usages.table([usages.read(SPENT), usages.read(NEW)]).splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "WITHIN", "REQUESTS", "DENIED", "TOKENS", "COST", "OUT", "IN"]
    assert line.split() == ["agents", "researcher", "CostExceeded", "12", "1", "900/1000", "1.25/2.00", "5", "-"]
    assert new.split() == ["agents", "new", *["-"] * 7], "what nobody has told is no zero"
    assert head.index("COST") == line.index("1.25/2.00")


def test_the_json_carries_numbers_money_as_text_and_limits_as_they_stand() -> None:
    (one, new) = json.loads(usages.write_json([usages.read(SPENT), usages.read(NEW)]))
    assert one["usage"] == {
        "requests": 12, "denied": 1, "tokens": 900, "bytesOut": 5, "cost": "1.25",
        "windowStart": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    assert one["limits"] == {"tokens": "1000", "cost": "2.00 (AgentCeiling owner)"}
    assert (one["withinLimits"], new["usage"], new["limits"]) == ("CostExceeded", {}, {})
