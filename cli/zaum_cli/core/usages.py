"""What policies have spent, as their status says it, in a table or as JSON."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from zaum_cli.core import columns

ABSENT: Final = columns.ABSENT
_NUMBERS: Final = ("requests", "denied", "tokens", "bytesOut", "bytesIn")
_LIMITS: Final = {
    "tokens": "limits.tokens.perDay",
    "cost": "limits.cost.perDay",
    "bytesOut": "limits.bytes.outPerHour",
    "bytesIn": "limits.bytes.inPerHour",
}
"""By which field of `status.effective` each amount is limited."""
_HEAD: Final = ("NAMESPACE", "NAME", "WITHIN", "REQUESTS", "DENIED", "TOKENS", "COST", "OUT", "IN")


@dataclass(frozen=True, slots=True)
class Usage:
    """One policy. An amount that nobody has told is absent; `limits` are as the status writes them."""

    namespace: str
    name: str
    within: str
    """The reason of the condition WithinLimits."""
    amounts: dict[str, int | str]
    limits: dict[str, str]

    def document(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "withinLimits": self.within,
            "usage": dict(self.amounts),
            "limits": dict(self.limits),
        }


def read(policy: dict[str, Any]) -> Usage:
    """Read a policy as the API server gives it. A status of a later version may say more, and none says nothing."""
    metadata, status = policy["metadata"], policy.get("status") or {}
    usage = status.get("usage") or {}
    fields = {item.get("field"): item.get("value") for item in (status.get("effective") or {}).get("fields") or ()}
    conditions = {item.get("type"): item.get("reason") for item in status.get("conditions") or ()}
    names = (*_NUMBERS, "cost", "windowStart")
    return Usage(
        namespace=metadata["namespace"],
        name=metadata["name"],
        within=str(conditions.get("WithinLimits") or ABSENT),
        amounts={name: usage[name] for name in names if name in usage},
        limits={name: str(fields[field]) for name, field in _LIMITS.items() if field in fields},
    )


def table(usages: Iterable[Usage]) -> str:
    """Write the table: what is spent, and behind a stroke of how much."""
    return columns.align([_HEAD, *((usage.namespace, usage.name, usage.within, *cells(usage)) for usage in usages)])


def write_json(usages: Iterable[Usage]) -> str:
    """Write a list with one object for each policy."""
    return json.dumps([usage.document() for usage in usages], indent=2, ensure_ascii=False) + "\n"


def cells(usage: Usage) -> tuple[str, ...]:
    """Give the amounts as the table has them, from REQUESTS on."""
    plain = [str(usage.amounts.get(name, ABSENT)) for name in ("requests", "denied")]
    return (*plain, *(_of(usage, name) for name in _LIMITS))


def _of(usage: Usage, name: str) -> str:
    """Write an amount and its limit, without whose ceiling it is."""
    amount, limit = usage.amounts.get(name, ABSENT), usage.limits.get(name, "").partition(" (")[0]
    return f"{amount}/{limit}" if limit and amount != ABSENT else str(amount)
