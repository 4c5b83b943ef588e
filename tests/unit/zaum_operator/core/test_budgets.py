"""What the ledger says of a policy: the condition, the status, events; and what nobody can keep or price."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support import planned, rendered, specs
from zaum_api import documents
from zaum_operator.core import budgets, report

COST, DAY = "policy:cost/day", "policy:tokens/day"
OUT, IN, RATE = "policy:bytesOut/hour", "policy:bytesIn/hour", "policy:requests/minute"
SPEC = specs.provider(models=["small-1"]) | {
    "limits": {"cost": {"perDay": "1.00"}, "tokens": {"perDay": 1000}, "bytes": {"outPerHour": 1024, "inPerHour": 0}}
}


def kept(**amounts: int) -> documents.PolicyUsage:
    names = {"cost": COST, "tokens": DAY, "out": OUT, "into": IN, "rate": RATE, "old": "route/gone:cost/day"}
    limits = {"cost": 1_000_000, "tokens": 1000, "out": 1024, "into": 0, "rate": 60, "old": 1}
    meters = tuple(documents.Used(names[key], amount, limits[key], 9) for key, amount in amounts.items())
    return documents.PolicyUsage("agents", "researcher", 1, 0, meters, documents.Counters())


def world(spec: Any = SPEC, said: documents.PolicyUsage | None = None, **fields: Any) -> planned.Planned:
    made = planned.Planned(books=said, **fields)
    made.policy(spec)
    made.settle()
    return made


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, ("Unknown", "NoUsage")),
        (kept(), ("True", "WithinLimits")),
        (kept(cost=999_999, tokens=999, out=1023, rate=59), ("True", "WithinLimits")),
        (kept(cost=1_000_000), ("False", "CostExceeded")),
        (kept(tokens=1000), ("False", "TokensExceeded")),
        (kept(out=5000), ("False", "BytesExceeded")),
        (kept(rate=60), ("False", "RequestsExceeded")),
        (kept(rate=60, out=1024, cost=1_000_000), ("False", "CostExceeded")),
        (kept(into=0), ("True", "WithinLimits")),
        (kept(old=10), ("True", "WithinLimits")),
    ],
)
def test_the_condition_says_which_limit_is_spent(said: documents.PolicyUsage | None, found: tuple[str, str]) -> None:
    assert world(said=said).condition("WithinLimits")[:2] == found


def test_pods_that_run_and_say_nothing_of_what_they_spend_are_no_proof_that_no_limit_is_spent() -> None:
    made = world(said=replace(kept(), pods=0))
    assert made.condition("WithinLimits")[:2] == ("True", "WithinLimits"), "while no pod is there it is proof enough"
    made.run_pods()
    made.settle()
    assert made.condition("WithinLimits")[:2] == ("Unknown", "NoUsage")
    made.books = replace(kept(cost=1_000_000), pods=0)
    made.settle()
    assert made.condition("WithinLimits")[:2] == ("False", "CostExceeded"), "what is spent stays spent"


@pytest.mark.parametrize("said", [kept(), kept(cost=1_000_000)])
def test_an_operator_that_has_just_begun_says_what_was_said_before(said: documents.PolicyUsage) -> None:
    made = world(said=said)
    before = made.condition("WithinLimits")
    assert before[0] != "Unknown"
    made.books, made.books_awaited = None, True
    assert made.settle() == []
    made.site = replace(made.site, ledger=False)
    made.settle()
    assert made.condition("WithinLimits")[0] == "Unknown", (
        "where there is no ledger any more, nobody waits for its word"
    )
    made.site = replace(made.site, ledger=True)
    made.settle()
    assert made.condition("WithinLimits")[:2] == ("Unknown", "NoUsage"), "what was not known before is not known now"


def test_a_ledger_of_which_no_pod_runs_is_missing() -> None:
    made = world(books_missing=True)
    status, reason, message = made.condition("WithinLimits")
    assert (status, reason) == ("Unknown", "LedgerMissing")
    assert "limits.ledgerUnavailable" in message
    assert "StorageClass" in message
    made.books_missing = False
    made.settle()
    assert made.condition("WithinLimits")[:2] == ("Unknown", "NoUsage"), "one that runs and is silent may come back"
    made.books = kept()
    made.settle()
    assert made.condition("WithinLimits")[:2] == ("True", "WithinLimits")


def test_every_spent_limit_is_named_with_its_amount_and_none_of_what_moves() -> None:
    text = world(said=kept(rate=61, cost=1_200_000)).condition("WithinLimits")[2]
    assert text == "Spent: policy:cost/day of 1.00, policy:requests/minute of 60."


def test_the_status_says_what_is_spent_of_the_day_and_keeps_it_while_the_ledger_is_silent() -> None:
    made = world(said=kept(cost=125_000, tokens=17, out=5, into=6))
    usage = made.look().policy["status"]["usage"]  # type: ignore[index]
    assert usage == {
        "requests": 0, "denied": 0, "wouldDeny": 0, "tokens": 17, "cost": "0.125", "bytesOut": 5, "bytesIn": 6,
        "windowStart": f"{made.now:%Y-%m-%d}T00:00:00Z",
    }  # fmt: skip
    made.books = None
    made.settle()
    assert made.look().policy["status"]["usage"] == usage  # type: ignore[index]
    assert "usage" not in world().look().policy["status"], "the control"  # type: ignore[index]


def events(made: planned.Planned) -> list[tuple[str, str]]:
    snapshot = made.look()
    return [
        (item["reason"], item["metadata"]["name"]) for item in report.near_limits(snapshot, made.plan(), now=made.now)
    ]


def test_at_80_and_at_100_percent_an_event_says_so_once_in_a_window() -> None:
    made = world(said=kept(cost=799_999, out=819))
    assert events(made) == []
    made.books = kept(cost=800_000)
    ((reason, name),) = events(made)
    assert reason == "LimitNear"
    made.books = kept(cost=900_000)
    assert events(made) == [(reason, name)], "told again it is the same event"
    made.books = kept(cost=1_000_000)
    ((spent, other),) = events(made)
    assert (spent, other != name) == ("LimitSpent", True)
    made.now += timedelta(days=1)
    assert events(made)[0][1] not in {name, other}, "another day is another event"


def test_what_comes_back_within_a_minute_is_no_event() -> None:
    assert events(world(said=kept(rate=60))) == []


@pytest.mark.parametrize(
    ("before", "now", "step"),
    [
        (None, None, False),
        (None, kept(cost=0), True),
        (kept(cost=0), None, True),
        (kept(cost=0), kept(cost=99_999), False),
        (kept(cost=0), kept(cost=100_000), True),
        (kept(cost=790_000), kept(cost=800_000), True),
        (kept(cost=999_999), kept(cost=1_000_000), True),
        (kept(cost=900_000), kept(cost=0), True),
        (kept(cost=0), kept(cost=0, tokens=0), True),
    ],
)
def test_a_status_is_written_in_steps(before: Any, now: Any, step: bool) -> None:
    assert budgets.is_a_step(before, now) is step


def test_a_model_without_a_price_is_said_to_be_denied() -> None:
    status, reason, text = world(specs.provider(models=["small-1", "other"])).condition("Degraded")
    assert (status, reason) == ("True", "PriceMissing")
    assert "Route model denies models other" in text
    assert 'prices: [{model: other, input: "...", output: "..."}]' in text
    assert "the chart's value prices.OpenAI" in text
    assert world().condition("Degraded")[0] == "False", "the control"


def test_a_limit_that_needs_a_ledger_says_so_where_there_is_none_and_a_default_does_not() -> None:
    site = replace(rendered.SITE, ledger=False)
    made = world(site=site)
    assert made.condition("Degraded")[:2] == ("True", "LedgerMissing")
    assert made.condition("WithinLimits")[:2] == ("Unknown", "LedgerMissing")
    assert COST in made.condition("WithinLimits")[2]
    assert world(specs.agent(), site=site).condition("Degraded")[0] == "False"
