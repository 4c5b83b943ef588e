"""What is metered on a route, and what a call that was read may ask for.

A route of a priced API has terms where its models are listed or tokens or cost are limited. What its requests say is
read then before anything of them leaves. Without a limit of tokens or cost only the model is looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from zaum_api import contract, documents
from zaum_watchdog.core import headers, refusals, routes
from zaum_watchdog.core.metering import asked, charging, endpoints, prices, splicing

OUTPUT_DEFAULT: Final = 4096
"""Tokens of an answer to a request that does not say how long it may get."""
_COUNTED: Final = frozenset({documents.Kind.TOKENS, documents.Kind.COST})
_READ: Final = frozenset({b"content-type", b"content-encoding"})
_JSON: Final = b"application/json"
_PLAIN: Final = "one header Content-Type: application/json and no Content-Encoding"
_AS_IT_SHOULD_BE: Final = [(b"content-type", _JSON)]
_EMBEDDINGS: Final = endpoints.Endpoint.EMBEDDINGS
NOTHING: Final = charging.Most(0, 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """Those of one route. `meters`: the limits of tokens and cost that count there, the policy's and its own."""

    api: str
    models: frozenset[str] = frozenset()
    prices: Mapping[str, documents.Price] = field(default_factory=dict)
    meters: tuple[documents.Meter, ...] = ()
    reports: bool = False
    """The mode Report: what limits refuse is passed on, and counted."""
    priced: bool = field(init=False)
    """Tokens or cost are limited, so that nothing may be asked for that has no price."""
    tokens: int | None = field(init=False)
    """The least of the limits of tokens, None where there is none."""
    cost: int | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out once what each call goes by."""
        object.__setattr__(self, "priced", bool(self.meters))
        object.__setattr__(self, "tokens", _least(self.meters, documents.Kind.TOKENS, {}))
        object.__setattr__(self, "cost", _least(self.meters, documents.Kind.COST, {}))


@dataclass(slots=True)
class Call:
    """A request to a model that may leave, once `most` is reserved for it.

    No answer of it gets longer than `output` tokens, by `edits` of its body; 0 and none where nothing is limited.
    """

    asked: asked.Asked
    price: documents.Price | None = None
    output: int = 0
    most: charging.Most = NOTHING
    edits: tuple[splicing.Edit, ...] = ()


def table(config: documents.WatchdogConfig) -> dict[str, Terms]:
    """Give the terms of the routes that have some, by name."""
    found = ((route.name, _terms(config, route)) for route in config.routes if route.api in documents.PRICED_APIS)
    return {name: terms for name, terms in found if terms.models or terms.meters}


def _terms(config: documents.WatchdogConfig, route: documents.Route) -> Terms:
    scopes = {documents.POLICY, f"route/{route.name}"}
    meters = tuple(meter for meter in config.meters if meter.kind in _COUNTED and meter.scope in scopes)
    reports = config.mode is documents.Mode.REPORT
    return Terms(route.api, frozenset(route.models), config.prices_of(route), meters, reports)


def begin(terms: Terms, asked_: routes.Asked) -> endpoints.Endpoint | endpoints.Other | refusals.Refusal:
    """Decide by a request's head whether its body is read, and how; Other passes as it is."""
    endpoint = endpoints.of(terms.api, asked_.request.method, asked_.path)
    if isinstance(endpoint, endpoints.Endpoint):
        return unreadable(asked_) or endpoint
    match endpoint:
        case endpoints.Other.FREE:
            return endpoint
        case endpoints.Other.UNPRICED:
            return _unknown(terms, asked_) or endpoint
        case _ as never:
            assert_never(never)


def _unknown(terms: Terms, asked_: routes.Asked) -> refusals.Refusal | None:
    if terms.priced and not terms.reports:
        text = f"what {asked_.path[:256]} costs cannot be told before it is asked, and tokens or cost are limited"
        return _refusal(asked_, contract.Rule.UNPRICED, text, "an endpoint that says its usage")
    if terms.models:
        text = f"which model {asked_.path[:256]} asks for cannot be told, and the route lists its models"
        return _refusal(asked_, contract.Rule.MODEL_NOT_ALLOWED, text, "an endpoint whose requests are known")
    return None


def unreadable(asked_: routes.Asked) -> refusals.Refusal | None:
    """Refuse a body that cannot be read: it is to be JSON, and nothing else under it."""
    said = [item for item in asked_.request.headers if item[0] in _READ]
    if said == _AS_IT_SHOULD_BE:
        return None
    found = headers.gathered(said, _READ)
    coded = found.get(b"content-encoding", [])
    if any(value.lower() != b"identity" for value in coded):
        return _refusal(asked_, contract.Rule.REQUEST_TYPE, "the body is compressed, so it cannot be read", _PLAIN)
    kinds = [value.partition(b";")[0].strip().lower() for value in found.get(b"content-type", [])]
    if kinds != [_JSON]:
        return _refusal(asked_, contract.Rule.REQUEST_TYPE, "the body is said to be no JSON", _PLAIN)
    return None


def refused(asked_: routes.Asked, found: asked.Refused) -> refusals.Refusal:
    """Refuse by what was found in the body."""
    return _refusal(asked_, found.rule, found.message, _ALLOWED.get(found.rule, ""), found.field)


_ALLOWED: Final = {
    contract.Rule.MODEL_NOT_ALLOWED: "spec.egress.routes[].models with this model",
    contract.Rule.UNPRICED: "the request without it, or a route without limits of tokens and cost",
    contract.Rule.REQUEST_MALFORMED: "a request as the provider's documentation has it",
}


def judge(terms: Terms, read: asked.Asked, left: Mapping[str, int]) -> Call | asked.Refused:
    """Decide how long the answers may get, and what to reserve for that.

    `left`: what is known to be left of meters; of the others their limit is. A request that does not fit asks for its
    least, and whoever reserves it says why not.
    """
    if terms.models and read.model not in terms.models:
        return asked.Refused(contract.Rule.MODEL_NOT_ALLOWED, "model", f"is {read.model}, which is no longer allowed")
    if not terms.priced:
        return Call(read)
    price = terms.prices.get(read.model)
    if price is None and terms.cost is not None:
        return asked.Refused(contract.Rule.PRICE_MISSING, "model", f"is {read.model}, which has no price")
    output = OUTPUT_DEFAULT if read.output is None else read.output
    tokens, budget = terms.tokens, terms.cost
    if left:
        tokens = _least(terms.meters, documents.Kind.TOKENS, left)
        budget = _least(terms.meters, documents.Kind.COST, left)
    most = charging.most(read, output, price)
    fits = (tokens is None or most.tokens <= tokens) and (budget is None or most.cost <= budget)
    if not fits and not terms.reports:
        affordable = prices.output_affordable(read, tokens=tokens, budget=budget, price=price)
        output = max(affordable, min(read.least, output))
        most = charging.most(read, output, price)
    if read.endpoint is _EMBEDDINGS:
        output = 0
    if output == read.output and not read.stream:
        return Call(read, price, output, most)
    return Call(read, price, output, most, tuple(read.edits(None if terms.reports else output)))


def _least(meters: Iterable[documents.Meter], kind: documents.Kind, left: Mapping[str, int]) -> int | None:
    return min(
        (min(meter.limit, left.get(meter.id, meter.limit)) for meter in meters if meter.kind is kind), default=None
    )


def _refusal(asked_: routes.Asked, rule: contract.Rule, text: str, would: str, field_: str = "") -> refusals.Refusal:
    at = asked_.route.authority
    return refusals.Refusal(rule, text, would, at.host.name, at.port, field=field_)
