"""The page on limits says the fields, defaults, rules and bounds that the code has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from zaum_api import contract, documents, money
from zaum_api.v1alpha1 import defaults, redaction
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import policy as policies
from zaum_api.v1alpha1 import prices as prices_api
from zaum_ledger.core import accounts, windows
from zaum_operator.core import books, budgets, prices
from zaum_watchdog.core import answers
from zaum_watchdog.core.limits import reservations
from zaum_watchdog.core.metering import charging, ratelimit, terms
from zaum_watchdog.core.metering import prices as priced

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/limits.md").read_text()
EXAMPLE = yaml.safe_load((ROOT / "examples/limits.yaml").read_text())
WHOLE, OF_ROUTE, OF_CHART = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
_CELL = r" (.*?) \|"
COUNTED = re.findall(
    rf"^\| (`(?:requests|conn|bytes|tokens|cost).*?) \|{_CELL} .*? \|{_CELL * 3} ([0-9]{{3}}) `([\w.]+)`",
    PAGE,
    re.MULTILINE,
)
ROWS = re.findall(r"^\| ([0-9]{3}) \| (.*?) \|", PAGE, re.MULTILINE)
MAYBE_DONE = [str(status) for status in range(400, 500) if not charging.undone(status)]
NOT_BEGUN = [str(status) for status in range(500, 600) if charging.undone(status)]
DEFAULTS = {
    "`requests.perMinute`, `burst`": f"{defaults.REQUESTS_PER_MINUTE}, {defaults.REQUESTS_BURST}",
    "`connections`": str(defaults.CONNECTIONS),
    "`bytes.outPerHour`": defaults.BYTES_OUT_PER_HOUR,
    "`bytes.inPerHour`": defaults.BYTES_IN_PER_HOUR,
    "`tokens.perMinute`": str(defaults.TOKENS_PER_MINUTE),
    "`tokens.perDay`": str(defaults.TOKENS_PER_DAY),
    "`cost.perDay`": f'"{defaults.COST_PER_DAY}"',
}


@pytest.mark.parametrize("manifest", [WHOLE, EXAMPLE], ids=["page", "example"])
def test_the_policies_are_some_and_every_model_has_its_price(manifest: Any) -> None:
    read = policies.AgentPolicy.model_validate(manifest)
    assert read.spec.egress is not None
    (route,) = list(read.spec.egress.routes or ())
    assert {price.model for price in route.prices or ()} == set(route.models or ())


def test_the_table_has_every_limit_with_its_default() -> None:
    assert {row[0]: row[1] for row in COUNTED} == DEFAULTS


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row[0])
def test_a_limit_is_there_where_the_table_says_so_and_answers_as_it_says(row: tuple[str, ...]) -> None:
    name, where, status, rule = row[0], row[2:5], row[5], row[6]
    group = re.sub(r"[`.,].*", "", name.strip("`"))
    models = (limits_api.Limits, limits_api.RouteLimits, limits_api.HostLimits)
    assert [group in model.model_fields for model in models] == [said == "yes" for said in where]
    assert answers.status_of(contract.Rule(rule)) == int(status)


@pytest.mark.parametrize(("status", "rules"), ROWS)
def test_every_refusal_has_the_status_of_the_page(status: str, rules: str) -> None:
    named = re.findall(r"`([\w.]+)`", rules)
    assert named
    assert {answers.status_of(contract.Rule(name)) for name in named} == {int(status)}


def test_every_rule_of_limits_is_in_the_table_of_refusals() -> None:
    named = {name for _, rules in ROWS for name in re.findall(r"`([\w.]+)`", rules)}
    assert {rule.value for rule in contract.Rule if rule.value.startswith("limits.")} <= named


def test_the_prices_are_some() -> None:
    for entry in OF_ROUTE["prices"]:
        prices_api.price(prices_api.Price.model_validate(entry))
    tables = prices.read(json.dumps(OF_CHART["prices"]).encode())
    assert {table.api for table in tables} == set(documents.PRICED_APIS)
    absent = prices_api.price(prices_api.Price(model="m", input="2", output="1"))
    assert (absent.cached_input, absent.cache_write) == (money.micros("2"), money.micros("4"))


def test_every_class_and_action_of_redaction_is_named() -> None:
    text = PAGE[PAGE.index("## Redaction") :]
    fields = {field.alias or name for name, field in redaction.Classes.model_fields.items()}
    assert {f"`{name}`" for name in fields} <= set(re.findall(r"`\w+`", text))
    assert {f"`{action.value}`" for action in documents.Redact} <= set(re.findall(r"`\w+`", text))


@pytest.mark.parametrize(
    "said",
    [
        f"{priced.OVERHEAD} for what the provider adds, {priced.IMAGE}",
        f"{terms.OUTPUT_DEFAULT} is put in",
        f"within {reservations.PATIENCE // 10**9} s",
        f"steps of {budgets.STEP_PERCENT} % and at most every {books.LEAST_SECONDS:.0f} s",
        f"at {budgets.STEPS[0]} % (`LimitNear`) and at {budgets.STEPS[1]} %",
        f"`{ratelimit.HEADER_WARNING}` from {ratelimit.WARN_PERCENT} % on",
        f"within {accounts.QUIET // windows.SECOND} s of the ledger's own start",
        f"more than {accounts.APART // windows.SECOND} s after the ledger began to serve",
        f"port {contract.LEDGER_HEALTH_PORT}",
        f"`{documents.Meter(documents.POLICY, documents.Kind.COST, documents.Window.DAY, 1).id}`",
    ],
)
def test_bounds_are_those_of_the_code(said: str) -> None:
    assert said in re.sub(r"\s+", " ", PAGE)
