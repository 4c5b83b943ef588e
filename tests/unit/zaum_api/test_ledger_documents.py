"""What watchdogs and the ledger tell each other is read strictly, written canonically, and says everything once."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from zaum_api import contract, documents, reading
from zaum_api.documents import meters

SYNC: dict[str, Any] = {
    "version": "v1",
    "session": "b8f1.7",
    "sequence": 12,
    "config": "sha256:00",
    "generation": 7,
    "replicas": 3,
    "ordinal": 2,
    "meters": [
        {"scope": "policy", "kind": "requests", "window": "minute", "limit": 60, "burst": 10},
        {"scope": "policy", "kind": "connections", "window": "now", "limit": 32, "burst": 0},
        {"scope": "route/openai", "kind": "tokens", "window": "day", "limit": 0, "burst": 0},
        {"scope": "host/*.example.org", "kind": "bytesOut", "window": "hour", "limit": 52428800, "burst": 0},
    ],
    "spent": [{"lease": "4-1", "amount": 70}],
    "returned": ["4-1"],
    "wants": [{"meter": "route/openai:tokens/day", "amount": 900}],
    "demand": [{"meter": "policy:requests/minute", "used": 20, "asked": 31}],
    "counters": {
        "requests": 9,
        "denied": 1,
        "wouldDeny": 2,
        "tokens": 800,
        "cost": 1200,
        "bytesOut": 4096,
        "bytesIn": 65536,
    },
    "latched": "RunawayCPU",
    "created": 1_795_392_000,
}
SYNCED: dict[str, Any] = {
    "version": "v1",
    "session": "b8f1.7",
    "sequence": 12,
    "leases": [{"id": "4-2", "meter": "route/openai:tokens/day", "amount": 900, "seconds": 60}],
    "shares": [{"meter": "policy:requests/minute", "amount": 40, "burst": 7, "seconds": 15, "carried": 3}],
    "refused": [{"meter": "policy:cost/day", "remaining": 12, "seconds": 3600}],
    "usage": [{"meter": "policy:cost/day", "used": 9_999_988, "limit": 10_000_000, "seconds": 3600}],
    "orders": [{"number": 3, "action": "cut", "reason": "Manual"}],
}
USAGE: dict[str, Any] = {
    "version": "v1",
    "policies": [
        {
            "namespace": "agents",
            "policy": "researcher",
            "pods": 3,
            "heard": 4,
            "meters": SYNCED["usage"],
            "counters": SYNC["counters"],
        }
    ],
    "after": "agents/researcher",
}
ORDERS: dict[str, Any] = {"version": "v1", "orders": SYNCED["orders"]}
ERROR: dict[str, Any] = {"error": "session", "message": "the session has ended; start anew"}
CONTAINED: dict[str, Any] = SYNC | {
    "version": "v2",
    "containment": {"onRunaway": "Kill", "killsBeforeQuarantine": 3, "onBudget": "Throttle"},
    "facts": [{"name": "cpu", "value": "100 % for 120 s"}],
    "breached": 1795424000123,
    "needs": SYNC["wants"],
}
WATCHED: dict[str, Any] = USAGE | {
    "version": "v2",
    "policies": [USAGE["policies"][0] | {"kills": 2, "silent": [{"pod": "uid-0", "ordinal": 1, "seconds": 31}]}],
    "serving": 900,
}
POSTED: dict[str, Any] = {
    "version": "v1",
    "namespace": "agents",
    "policy": "researcher",
    "action": "kill",
    "incident": "researcher-0123456789",
    "reason": "RunawayCPU",
    "pod": "6e1c6f2e-2a4b-4b0e-9d55-8b3f0c0d9f11",
}
SEEN: dict[str, Any] = {
    "version": "v1",
    "ready": True,
    "listed": 40,
    "incidents": [
        {
            "namespace": "agents",
            "name": "researcher-0123456789",
            "uid": "incident-uid",
            "resourceVersion": "77",
            "inForce": True,
            "problem": "",
        }
    ],
    "pods": [{"uid": "uid-0", "life": "live", "refused": True, "rung": "Cut", "since": 1795424000123}],
    "degraded": "",
    "mark": "0f9a",
}
PARSERS: dict[str, tuple[dict[str, Any], Callable[[bytes], Any]]] = {
    "sync": (SYNC, documents.Sync.parse),
    "synced": (SYNCED, documents.Synced.parse),
    "usage": (USAGE, documents.UsagePage.parse),
    "orders": (ORDERS, documents.Orders.parse),
    "error": (ERROR, documents.LedgerError.parse),
    "contained": (CONTAINED, documents.Sync.parse),
    "watched": (WATCHED, documents.UsagePage.parse),
    "posted": (POSTED, documents.Posted.parse),
    "seen": (SEEN, documents.Seen.parse),
}


def raw(document: Any) -> bytes:
    return json.dumps(document).encode()


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place at which a field of an object stands."""
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in [(*at, key), *places(item, (*at, key))]]
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in places(item, (*at, index))]
    return []


def changed(document: Any, place: tuple[Any, ...], change: Callable[[Any, Any], Any]) -> Any:
    made = json.loads(json.dumps(document))
    parent = made
    for step in place[:-1]:
        parent = parent[step]
    change(parent, place[-1])
    return made


EVERYWHERE = [(name, place) for name, (whole, _) in PARSERS.items() for place in places(whole)]


@pytest.mark.parametrize("name", PARSERS)
def test_a_whole_document_is_read_and_written_back_unchanged(name: str) -> None:
    whole, parse = PARSERS[name]
    assert parse(raw(whole)).dump() == reading.canonical(whole)


@pytest.mark.parametrize(("name", "place"), EVERYWHERE)
def test_every_field_must_be_there(name: str, place: tuple[Any, ...]) -> None:
    whole, parse = PARSERS[name]
    with pytest.raises(reading.DocumentError, match=str(place[-1])):
        parse(raw(changed(whole, place, lambda parent, key: parent.pop(key))))


@pytest.mark.parametrize(("name", "place"), EVERYWHERE)
def test_a_field_that_nobody_knows_is_refused_wherever_it_stands(name: str, place: tuple[Any, ...]) -> None:
    whole, parse = PARSERS[name]
    with pytest.raises(reading.DocumentError, match="novel"):
        parse(raw(changed(whole, place, lambda parent, _: parent.update(novel=1))))


@pytest.mark.parametrize("odd", [None, -1, 2**60, 1.5, True, "", "\x00", "a b", {}, [[]]])
@pytest.mark.parametrize(("name", "place"), EVERYWHERE)
def test_an_odd_value_is_refused_or_written_back_as_it_was(name: str, place: tuple[Any, ...], odd: Any) -> None:
    whole, parse = PARSERS[name]
    document = changed(whole, place, lambda parent, key: parent.update({key: odd}))
    try:
        read = parse(raw(document))
    except reading.DocumentError:
        return
    assert read.dump() == reading.canonical(document)
    assert isinstance(odd, str) or document == whole, "no number and no object stands anywhere without a bound"


@pytest.mark.parametrize("name", [name for name, (whole, _) in PARSERS.items() if "version" in whole])
def test_another_version_is_refused(name: str) -> None:
    whole, parse = PARSERS[name]
    with pytest.raises(reading.DocumentError, match="version"):
        parse(raw(whole | {"version": "v3"}))


@pytest.mark.parametrize(("before", "after"), [("sync", "contained"), ("usage", "watched")])
def test_a_field_stands_in_the_version_that_knows_it_alone(before: str, after: str) -> None:
    for name, version in ((before, "v2"), (after, "v1")):
        whole, parse = PARSERS[name]
        with pytest.raises(reading.DocumentError):
            parse(raw(whole | {"version": version}))


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("sync", ("sequence",), 0),
        ("sync", ("replicas",), 101),
        ("sync", ("ordinal",), 100),
        ("sync", ("meters", 0, "limit"), -1),
        ("sync", ("meters", 0, "scope"), "route/Upper"),
        ("sync", ("meters", 0, "kind"), "money"),
        ("sync", ("meters", 1, "burst"), 1),
        ("sync", ("wants", 0, "amount"), 0),
        ("sync", ("wants", 0, "meter"), "policy:tokens:day"),
        ("sync", ("demand", 0, "asked"), 19),
        ("sync", ("latched",), "not a word"),
        ("sync", ("session",), "a/b"),
        ("synced", ("session",), ""),
        ("synced", ("leases", 0, "amount"), 0),
        ("synced", ("leases", 0, "seconds"), 86_401),
        ("synced", ("orders", 0, "action"), "dance"),
        ("usage", ("policies", 0, "pods"), -1),
        ("orders", ("orders", 0, "number"), 0),
        ("contained", ("containment", "onRunaway"), "Dance"),
        ("contained", ("containment", "killsBeforeQuarantine"), 101),
        ("contained", ("facts", 0, "value"), "a\nb"),
        ("contained", ("facts", 0, "value"), "x" * 129),
        ("contained", ("facts", 0, "name"), "a b"),
        ("watched", ("policies", 0, "silent", 0, "ordinal"), 100),
        ("posted", ("action",), "dance"),
        ("posted", ("policy",), "a/b"),
        ("posted", ("pod",), "a/b"),
        ("contained", ("breached",), -1),
        ("seen", ("pods", 0, "life"), "undead"),
        ("seen", ("pods", 0, "rung"), "cut"),
        ("seen", ("pods", 0, "since"), -1),
        ("seen", ("mark",), "a mark"),
    ],
)
def test_out_of_range_is_refused_by_name(name: str, place: tuple[Any, ...], value: Any) -> None:
    whole, parse = PARSERS[name]
    with pytest.raises(reading.DocumentError, match=str(place[-1])):
        parse(raw(changed(whole, place, lambda parent, key: parent.update({key: value}))))


@pytest.mark.parametrize("field", ["meters", "spent", "returned", "wants", "demand"])
def test_a_watchdog_says_one_thing_of_each(field: str) -> None:
    with pytest.raises(reading.DocumentError, match=f"{field}: names the same thing twice"):
        documents.Sync.parse(raw(SYNC | {field: SYNC[field] + SYNC[field][:1]}))


@pytest.mark.parametrize("field", ["facts", "needs"])
def test_a_watchdog_that_contains_says_one_thing_of_each_too(field: str) -> None:
    with pytest.raises(reading.DocumentError, match=f"{field}: names the same thing twice"):
        documents.Sync.parse(raw(CONTAINED | {field: CONTAINED[field] + CONTAINED[field][:1]}))


@pytest.mark.parametrize("field", ["leases", "shares"])
def test_the_ledger_says_one_thing_of_each(field: str) -> None:
    with pytest.raises(reading.DocumentError, match=f"{field}: names the same thing twice"):
        documents.Synced.parse(raw(SYNCED | {field: SYNCED[field] * 2}))


def test_orders_come_in_the_order_of_their_numbers() -> None:
    later = ORDERS["orders"][0] | {"number": 4}
    assert len(documents.Orders.parse(raw(ORDERS | {"orders": [ORDERS["orders"][0], later]})).orders) == 2
    with pytest.raises(reading.DocumentError, match="order of their numbers"):
        documents.Orders.parse(raw(ORDERS | {"orders": [later, ORDERS["orders"][0]]}))


def test_a_request_of_any_size_costs_no_memory() -> None:
    with pytest.raises(reading.DocumentError, match="larger"):
        documents.Sync.parse(raw(SYNC | {"config": "x" * documents.SYNC_MAX_BYTES}))


def test_an_error_of_a_later_release_can_still_be_read() -> None:
    assert documents.LedgerError.parse(raw(ERROR | {"error": "unheardOf"})).error == "unheardOf"


def test_every_refusal_has_a_status() -> None:
    assert set(documents.REFUSAL_STATUS) == set(documents.Refusal)
    assert all(400 <= status < 600 for status in documents.REFUSAL_STATUS.values())


SCOPES = {"policy": "policy", "route": "route/openai-2", "host": "host/*.example.org"}


@pytest.mark.parametrize("possible", sorted(meters.POSSIBLE))
def test_whatever_there_are_meters_of_can_be_asked_for(possible: tuple[str, meters.Kind, meters.Window]) -> None:
    word, kind, window = possible
    meter = meters.Meter(SCOPES[word], kind, window, 5)
    assert documents.Want.read({"meter": meter.id, "amount": 1}, "").meter == meter.id


def test_i12_the_ledgers_audiences_and_tokens_are_apart_from_the_others() -> None:
    names = [name for name in dir(contract) if name.startswith("AUDIENCE_") and name != "AUDIENCE_PREFIX"]
    assert len({getattr(contract, name) for name in names}) == len(names) == 4
    assert len({contract.LEDGER_TOKEN_PATH, contract.TOKEN_PATH, contract.IDENTITY_TOKEN_PATH}) == 3
