"""Resolve limits into meters, and what models cost, under the namespace's ceilings."""

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from zaum_api import documents, money, quantities
from zaum_api.documents import Kind, Meter, Price, Window
from zaum_api.v1alpha1 import defaults, policy
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import prices as prices_api
from zaum_operator.core.ceiling import Cap
from zaum_operator.core.ceilings import Ceilings
from zaum_operator.core.choice import Choice

_CAPS: Final = {
    (Kind.REQUESTS, Window.MINUTE): Cap.REQUESTS_PER_MINUTE,
    (Kind.BYTES_OUT, Window.HOUR): Cap.BYTES_OUT,
    (Kind.BYTES_IN, Window.HOUR): Cap.BYTES_IN,
    (Kind.TOKENS, Window.MINUTE): Cap.TOKENS_PER_MINUTE,
    (Kind.TOKENS, Window.DAY): Cap.TOKENS_PER_DAY,
    (Kind.COST, Window.DAY): Cap.COST,
}
UNKEPT: Final = "none (no ledger in this installation)"
_TEXT_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Metered:
    """All meters beside the policy's requests and connections, and which of them nobody has asked for."""

    meters: tuple[Meter, ...] = ()
    defaults: frozenset[str] = frozenset()
    """Ids of those that are in force because neither policy nor ceiling says anything."""


NOTHING: Final = Metered()


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A route whose cost is limited and of whose models no price is known. Empty `models`: of none at all."""

    route: str
    models: tuple[str, ...]
    api: str


def resolve(
    choice: Choice,
    spec: policy.Spec,
    *,
    hosts: tuple[documents.HostRule, ...],
    routes: tuple[documents.Route, ...],
    ledger: bool,
) -> Metered:
    """Resolve all limits but the policy's requests and connections; `hosts` and `routes` are those in force.

    Without a ledger a default that needs one is not in force; what policy or ceiling states is, and denies.
    """
    own = tuple(_policy(choice, spec.limits or limits_api.Limits(), ledger=ledger))
    metered = any(route.api in documents.PRICED_APIS for route in routes)
    mine = [meter for meter, _ in own if metered or meter.kind not in {Kind.TOKENS, Kind.COST}]
    unasked = frozenset(meter.id for meter, by_default in own if by_default)
    of_routes = tuple(_routes(choice, spec, {route.name for route in routes}))
    of_hosts = tuple(_hosts(choice, spec, {rule.host for rule in hosts}))
    found = tuple(sorted((*mine, *of_routes, *of_hosts), key=lambda meter: meter.id))
    return Metered(found, unasked & {meter.id for meter in found})


def prices(asked: Iterable[prices_api.Price], table: tuple[Price, ...], ceilings: Ceilings) -> tuple[Price, ...]:
    """Give a route's own prices. Where a ceiling caps the cost, none of them is less than the installation's."""
    known = {price.model: price for price in table} if ceilings.cap(Cap.COST) is not None else {}
    own = (prices_api.price(one) for one in asked)
    return tuple(sorted((_dearer(one, known.get(one.model)) for one in own), key=lambda price: price.model))


def unpriced(
    routes: Iterable[documents.Route], tables: tuple[documents.PriceTable, ...], found: Metered
) -> tuple[Unpriced, ...]:
    """Name the routes on which models will be denied because nobody knows what they cost."""
    limited = {meter.scope for meter in found.meters if meter.kind is Kind.COST}
    lacking = []
    for route in routes:
        if route.api not in documents.PRICED_APIS or limited.isdisjoint({documents.POLICY, f"route/{route.name}"}):
            continue
        known = {price.model for price in (*route.prices, *table_of(tables, route.api))}
        missing = tuple(sorted(set(route.models) - known))
        if missing or not known:
            lacking.append(Unpriced(route.name, missing, route.api))
    return tuple(lacking)


def table_of(tables: tuple[documents.PriceTable, ...], api: str) -> tuple[Price, ...]:
    """Give the installation's prices of one API."""
    return next((table.prices for table in tables if table.api == api), ())


def _policy(choice: Choice, limits: limits_api.Limits, *, ledger: bool) -> Iterator[tuple[Meter, bool]]:
    """Yield the policy's meters, and whether nobody has asked for them; record each."""
    octets, tokens = limits.bytes or limits_api.Bytes(), limits.tokens or limits_api.Tokens()
    cost = None if limits.cost is None or limits.cost.per_day is None else money.micros(limits.cost.per_day)
    asked = (
        (Kind.BYTES_OUT, Window.HOUR, _bytes(octets.out_per_hour), quantities.whole(defaults.BYTES_OUT_PER_HOUR)),
        (Kind.BYTES_IN, Window.HOUR, _bytes(octets.in_per_hour), quantities.whole(defaults.BYTES_IN_PER_HOUR)),
        (Kind.TOKENS, Window.MINUTE, tokens.per_minute, defaults.TOKENS_PER_MINUTE),
        (Kind.TOKENS, Window.DAY, tokens.per_day, defaults.TOKENS_PER_DAY),
        (Kind.COST, Window.DAY, cost, money.micros(defaults.COST_PER_DAY)),
    )
    for kind, window, chosen, default in asked:
        cap = _CAPS[kind, window]
        by_default = chosen is None and choice.ceilings.cap(cap) is None
        meter = Meter(documents.POLICY, kind, window, 0)
        if by_default and not ledger and not meter.shared_by_shares:
            choice.record(cap.value, UNKEPT, documents.Source.DEFAULT)
            continue
        limit = choice.capped(cap, chosen, default, functools.partial(amount, kind))
        yield Meter(documents.POLICY, kind, window, limit), by_default


def _routes(choice: Choice, spec: policy.Spec, names: set[str]) -> Iterator[Meter]:
    for route in (spec.egress.routes if spec.egress else None) or ():
        if route.limits is None or route.name not in names:
            continue
        limits, scope = route.limits, f"route/{route.name}"
        tokens = limits.tokens or limits_api.Tokens()
        found = [
            *_requests(choice, scope, limits.requests),
            *_one(choice, scope, Kind.TOKENS, Window.MINUTE, tokens.per_minute),
            *_one(choice, scope, Kind.TOKENS, Window.DAY, tokens.per_day),
            *_one(choice, scope, Kind.COST, Window.DAY, money.micros(limits.cost.per_day) if limits.cost else None),
        ]
        choice.record(f"egress.routes[{route.name}].limits", _text(found), documents.Source.POLICY)
        yield from found


def _hosts(choice: Choice, spec: policy.Spec, names: set[str]) -> Iterator[Meter]:
    """Yield the meters of hosts; of two entries for the same host the lower limits hold."""
    least: dict[str, Meter] = {}
    for entry in (spec.egress.hosts if spec.egress else None) or ():
        if entry.limits is None or entry.host not in names:
            continue
        limits, scope = entry.limits, f"host/{entry.host}"
        octets = limits.bytes or limits_api.Bytes()
        for meter in (
            *_requests(choice, scope, limits.requests),
            *_one(choice, scope, Kind.BYTES_OUT, Window.HOUR, _bytes(octets.out_per_hour)),
            *_one(choice, scope, Kind.BYTES_IN, Window.HOUR, _bytes(octets.in_per_hour)),
        ):
            known = least.get(meter.id, meter)
            limit, burst = min(known.limit, meter.limit), min(known.burst, meter.burst)
            least[meter.id] = Meter(scope, meter.kind, meter.window, limit, burst)
    if least:
        text = "; ".join(f"{meter.scope.partition('/')[2]}: {_text([meter])}" for meter in least.values())
        fits = text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}…"
        choice.record("egress.hosts.limits", fits, documents.Source.POLICY)
    yield from least.values()


def _requests(choice: Choice, scope: str, asked: limits_api.OwnRequests | None) -> Iterator[Meter]:
    if asked is None:
        return
    rate = _capped(choice, Cap.REQUESTS_PER_MINUTE, asked.per_minute)
    wanted = min(defaults.REQUESTS_BURST, rate) if asked.burst is None else asked.burst
    burst = _capped(choice, Cap.REQUESTS_BURST, wanted) if rate else 0
    yield Meter(scope, Kind.REQUESTS, Window.MINUTE, rate, burst)


def _one(choice: Choice, scope: str, kind: Kind, window: Window, asked: int | None) -> Iterator[Meter]:
    if asked is not None:
        yield Meter(scope, kind, window, _capped(choice, _CAPS[kind, window], asked))


def _capped(choice: Choice, cap: Cap, asked: int) -> int:
    most = choice.ceilings.cap(cap)
    return asked if most is None else min(asked, most.value)


def _bytes(asked: int | str | None) -> int | None:
    return None if asked is None else quantities.whole(asked)


def _text(meters: Iterable[Meter]) -> str:
    return ", ".join(f"{meter.kind.value} {amount(meter.kind, meter.limit)}/{meter.window.value}" for meter in meters)


def amount(kind: Kind, value: int) -> str:
    """Write an amount of a meter as the spec spells it."""
    match kind:
        case Kind.BYTES_OUT | Kind.BYTES_IN:
            return quantities.write_bytes(value)
        case Kind.COST:
            return money.write(value)
        case Kind.REQUESTS | Kind.CONNECTIONS | Kind.TOKENS:
            return str(value)


def _dearer(one: Price, other: Price | None) -> Price:
    if other is None:
        return one
    return Price(
        model=one.model,
        input=max(one.input, other.input),
        cached_input=max(one.cached_input, other.cached_input),
        cache_write=max(one.cache_write, other.cache_write),
        output=max(one.output, other.output),
    )
