"""What is metered on a route, and what a call that was read may ask for."""

import dataclasses
import json

import pytest

from tests.unit.zaum_watchdog import routed
from zaum_api import contract, documents
from zaum_watchdog.core import refusals, routes
from zaum_watchdog.core.metering import asked, endpoints, splicing, terms

PRICE = documents.Price("m", 1_000_000, 1_000_000, 1_000_000, 2_000_000)
TOKENS = documents.Meter("policy", documents.Kind.TOKENS, documents.Window.DAY, 50_000)
COST = documents.Meter("route/openai", documents.Kind.COST, documents.Window.DAY, 30_000)
LIMITED = terms.Terms("OpenAI", prices={"m": PRICE}, meters=(TOKENS, COST))
JSON = "Content-Type: application/json"


def begun(*lines: str, path: str = "/chat/completions", start: str = "POST") -> routes.Asked:
    request = routed.understood(routed.raw(*lines, "Content-Length: 2", start=f"{start} /openai{path} HTTP/1.1"))
    return routes.Asked(routes.Route.of(routed.route(), "routes[0]"), request, path)


def read(**more: object) -> asked.Asked:
    reading = asked.Reading(endpoints.Endpoint.CHAT)
    reading.feed(json.dumps({"model": "m", "messages": [], **more}).encode())
    found = reading.end()
    assert isinstance(found, asked.Asked), found
    return found


def judged(at: terms.Terms = LIMITED, left: dict[str, int] | None = None, **more: object) -> terms.Call:
    found = terms.judge(at, read(**more), left or {})
    assert isinstance(found, terms.Call), found
    return found


def config(*meters: documents.Meter, **changes: object) -> documents.WatchdogConfig:
    route = dataclasses.replace(routed.route(), api="OpenAI", prices=(PRICE,), **changes)  # type: ignore[arg-type]
    other = dataclasses.replace(routed.route(name="other"), api="HTTP")
    return documents.WatchdogConfig(
        namespace="n",
        policy="p",
        gateway=documents.GatewayPeer(("127.0.0.1",), 1, "name", ""),
        hosts=(),
        requests=documents.RequestRate(60, 1),
        connections=1,
        runaway=documents.Runaway(None, None, None),
        routes=(route, other),
        limits=documents.Limits(meters),
    )


def test_a_route_has_terms_where_its_models_are_listed_or_tokens_or_cost_are_limited() -> None:
    assert terms.table(config()) == {}
    assert terms.table(config(models=("m",)))["openai"].priced is False
    found = terms.table(config(TOKENS, COST, dataclasses.replace(COST, scope="route/other")))
    assert {name: at.meters for name, at in found.items()} == {"openai": (TOKENS, COST)}
    assert found["openai"].prices == {"m": PRICE}


@pytest.mark.parametrize(
    ("lines", "path", "rule"),
    [
        ((JSON,), "/chat/completions", None),
        (("Content-Type: application/json; charset=utf-8",), "/chat/completions", None),
        ((), "/chat/completions", contract.Rule.REQUEST_TYPE),
        ((JSON, JSON), "/chat/completions", contract.Rule.REQUEST_TYPE),
        ((JSON, "Content-Encoding: gzip"), "/chat/completions", contract.Rule.REQUEST_TYPE),
        ((JSON,), "/images/generations", contract.Rule.UNPRICED),
        ((JSON,), "/moderations", None),
    ],
)
def test_i07_what_cannot_be_read_or_priced_is_refused_by_its_head(
    lines: tuple[str, ...], path: str, rule: contract.Rule | None
) -> None:
    found = terms.begin(LIMITED, begun(*lines, path=path))
    assert (found.rule if isinstance(found, refusals.Refusal) else None) is rule


def test_where_models_are_listed_an_endpoint_of_which_no_model_can_be_read_is_closed() -> None:
    listed = terms.Terms("OpenAI", models=frozenset({"m"}))
    found = terms.begin(listed, begun(JSON, path="/images/generations"))
    assert isinstance(found, refusals.Refusal)
    assert found.rule is contract.Rule.MODEL_NOT_ALLOWED
    reports = dataclasses.replace(LIMITED, reports=True)
    assert terms.begin(reports, begun(JSON, path="/images/generations")) is endpoints.Other.UNPRICED


def test_a_request_that_names_no_length_gets_one_and_one_that_does_keeps_it() -> None:
    call = judged()
    assert (call.output, call.most.tokens) == (terms.OUTPUT_DEFAULT, call.asked.size + 2048 + terms.OUTPUT_DEFAULT)
    assert call.edits == (splicing.Edit(1, 1, b'"max_completion_tokens":4096,'),)
    assert (judged(max_tokens=7).output, judged(max_tokens=7).edits) == (7, ())


def test_no_answer_may_get_longer_than_what_is_left_of_any_limit() -> None:
    by_cost = judged(max_tokens=1_000_000)
    assert by_cost.most.cost <= COST.limit
    assert by_cost.output == (COST.limit - by_cost.asked.size - 2048) // 2
    by_tokens = judged(left={TOKENS.id: 3000}, max_tokens=1_000_000)
    assert by_tokens.most.tokens == 3000
    assert judged(left={TOKENS.id: 100}).output == 1, "it asks for its least, and is told why not"


def test_a_model_without_a_price_is_refused_where_cost_is_limited_and_nowhere_else() -> None:
    unpriced = dataclasses.replace(LIMITED, prices={})
    found = terms.judge(unpriced, read(), {})
    assert isinstance(found, asked.Refused)
    assert found.rule is contract.Rule.PRICE_MISSING
    assert judged(dataclasses.replace(unpriced, meters=(TOKENS,))).most.cost == 0


def test_a_model_that_is_no_longer_listed_is_refused_when_it_was_read() -> None:
    found = terms.judge(terms.Terms("OpenAI", models=frozenset({"other"})), read(), {})
    assert isinstance(found, asked.Refused)
    assert terms.refused(begun(JSON), found).field == "model"


def test_without_a_limit_nothing_is_changed() -> None:
    call = judged(terms.Terms("OpenAI", models=frozenset({"m"})), stream=True)
    assert (call.edits, call.most) == ((), terms.NOTHING)


def test_the_mode_report_shortens_nothing_but_asks_a_stream_for_its_usage() -> None:
    call = judged(dataclasses.replace(LIMITED, reports=True), stream=True, max_tokens=1_000_000)
    assert [edit.text for edit in call.edits] == [b'"stream_options":{"include_usage":true},']
    assert call.output == 1_000_000


def test_many_small_pieces_of_a_body_are_held_as_few_large_ones() -> None:
    reading = asked.Reading(endpoints.Endpoint.CHAT)
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 20_000}]}).encode()
    for at in range(len(raw)):
        reading.feed(raw[at : at + 1])
    assert isinstance(reading.end(), asked.Asked)
    assert len(reading.pieces) <= 1 + len(raw) // (asked.JOINED_MAX // 2)
    assert b"".join(reading.pieces) == raw
