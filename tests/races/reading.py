"""Read the accounts of a race from what was printed, seen and stored."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.races import judge
from zaum_ledger.core import stored

Object = Mapping[str, Any]
_MILLION: Final = 1_000_000


def calls(lines: Iterable[Object], pod: str) -> list[judge.Call]:
    """Read what an agent printed."""
    begun: dict[str, float] = {}
    ended: dict[str, Object] = {}
    for line in lines:
        if "begun" in line:
            begun[line["call"]] = line["begun"]
        elif "ended" in line:
            ended[line["call"]] = line
    return [_call(name, pod, at, ended.get(name)) for name, at in begun.items()]


def _call(name: str, pod: str, begun: float, over: Object | None) -> judge.Call:
    if over is None:
        return judge.Call(name, pod, begun)
    return judge.Call(
        name, pod, begun, over["ended"], over["status"], over["rule"], over["fault"], over["whole"], over["tokens"],
        over.get("problem", ""),
    )  # fmt: skip


def cost(used: Object, price: Mapping[str, int]) -> int:
    """Give what the provider charges for `input`, `cached` and `output` tokens by micro-dollars per million of each."""
    fresh = used["input"] - used["cached"]
    parts: int = fresh * price["input"] + used["cached"] * price["cached"] + used["output"] * price["output"]
    return -(-parts // _MILLION)


def done(records: Iterable[Object], price: Mapping[str, int]) -> list[judge.Done]:
    """Read the witness: calls that have a name, which begins with their pod's and a dot."""
    found = []
    for record in records:
        told = record["detail"]
        if told.get("call") and told["input"] + told["output"]:
            tokens, pod = told["input"] + told["output"], told["call"].partition(".")[0]
            found.append(judge.Done(told["call"], pod, record["t"], tokens, cost(told, price)))
    return found


def charges(records: Iterable[Object], pod: str) -> list[judge.Charge]:
    """Read a watchdog's records."""
    return [
        judge.Charge(pod, record["tokens"], record["cost"], record["doubt"])
        for record in records
        if record.get("kind") == "request" and "reservedTokens" in record
    ]


def book(backup: Iterable[str], policy: str, meter: str) -> judge.Book:
    """Read one meter of a policy (`namespace/name`) in a backup of the ledger; nothing where it is not there."""
    for line in backup:
        row = json.loads(line)
        if row.get("key") == policy:
            account = stored.parse(row["value"].encode("ascii"))
            held = account.books.get(meter)
            if held is not None:
                unproven = sum(max(0, lease.amount - lease.spent) for lease in held.leases.values())
                return judge.Book(held.used(account.time), unproven)
    return judge.Book(0, 0)
