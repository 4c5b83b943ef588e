"""What is metered: limits of the policy, of routes and hosts, prices, models, redaction."""

from typing import Any, Final

from tests.support.table.case import Case, Refusal, limits, spec
from tests.support.table.routes import route, routes

_S, _R = Refusal.SCHEMA, Refusal.RULE
_CLASSES: Final = ("cards", "iban", "email", "phone", "cloudKeys", "tokens")
_PRICE: Final = {"model": "large-1", "input": "1.25", "output": "10"}


def host(**fields: Any) -> dict[str, Any]:
    """Give a spec with one host that has these limits."""
    return spec(egress={"hosts": [{"host": "docs.example.com", "limits": fields}]})


def provider(**fields: Any) -> dict[str, Any]:
    """Give a spec with one route to a model's provider."""
    return routes(route(api="OpenAI", **fields))


def _price(**fields: Any) -> dict[str, Any]:
    return provider(prices=[{**_PRICE, **fields}])


def _redact(**fields: Any) -> dict[str, Any]:
    return routes(route(redact={"request": fields}))


GOOD: Final = (
    Case("bytes", limits(bytes={"outPerHour": "50Mi", "inPerHour": 1073741824})),
    Case("bytes that leave alone", limits(bytes={"outPerHour": "1Pi"})),
    Case("no bytes at all", limits(bytes={"outPerHour": 0, "inPerHour": "0"})),
    Case("bytes of nothing", limits(bytes={})),
    Case("bytes of null", limits(bytes=None)),
    Case("limited tokens", limits(tokens={"perMinute": 100000, "perDay": 2000000})),
    Case("no tokens at all", limits(tokens={"perMinute": 0, "perDay": 0})),
    Case("the most tokens", limits(tokens={"perDay": 10**12})),
    Case("tokens of null", limits(tokens={"perDay": None})),
    Case("money", limits(cost={"perDay": "10.00"})),
    Case("no money at all", limits(cost={"perDay": "0"})),
    Case("a hundredth of a cent", limits(cost={"perDay": "0.0001"})),
    Case("money of null", limits(cost={"perDay": None})),
    Case("a host's limits", host(requests={"perMinute": 6, "burst": 2}, bytes={"outPerHour": "1Mi", "inPerHour": 0})),
    Case("a host's requests", host(requests={"perMinute": 0})),
    Case("a host's most bytes", host(bytes={"outPerHour": "1Pi", "inPerHour": 2**50})),
    Case("a host's bytes in parts", host(bytes={"outPerHour": "1.5Gi", "inPerHour": "999.999T"})),
    Case("a host's limits of null", spec(egress={"hosts": [{"host": "docs.example.com", "limits": None}]})),
    Case("a route's requests", routes(route(limits={"requests": {"perMinute": 6, "burst": 0}}))),
    Case(
        "a route's limits",
        provider(
            limits={"requests": {"perMinute": 6}, "tokens": {"perMinute": 9, "perDay": 0}, "cost": {"perDay": "1"}}
        ),
    ),
    Case("a route's limits of null", provider(limits={"requests": None, "cost": {"perDay": "0.5"}})),
    Case("models", provider(models=["large-1", "org/small:2"])),
    Case("models of Anthropic", routes(route(api="Anthropic", models=["large-1"]))),
    Case("64 models", provider(models=[f"m{number}" for number in range(64)])),
    Case("prices", provider(prices=[_PRICE, _PRICE | {"model": "b", "cachedInput": "0", "cacheWrite": "1.5"}])),
    Case("a price of nothing", _price(input="0", output="0")),
    Case("a price with six digits", _price(input="0.000001", cachedInput=None)),
    Case("no prices", provider(prices=[])),
    Case("redaction", _redact(cards="Mask", email="Tokenise", tokens="Deny", phone="Off", iban=None)),
    Case(
        "all redaction",
        routes(route(redact=dict.fromkeys(("request", "response"), dict.fromkeys(_CLASSES, "Mask")))),
    ),
    Case("redaction of answers", routes(route(redact={"response": {"cloudKeys": "Deny", "iban": "Mask"}}))),
    Case("a cleared route", routes(route(redact={"restore": True}))),
    Case("redaction of null", routes(route(redact=None))),
    Case("redaction of no class", _redact()),
)

BAD: Final = (
    Case("bytes beyond the bound", limits(bytes={"outPerHour": "2Pi"}), _R, "limits.bytes.outPerHour must be"),
    Case("bytes in beyond the bound", limits(bytes={"inPerHour": "2Pi"}), _R, "limits.bytes.inPerHour must be"),
    Case("bytes below zero", limits(bytes={"outPerHour": -1}), _R, "limits.bytes.outPerHour must be"),
    Case("bytes in words", limits(bytes={"outPerHour": "much"}), _S),
    Case("bytes a minute", limits(bytes={"outPerMinute": 1}), _S),
    Case("tokens as text", limits(tokens={"perMinute": "9"}), _S),
    Case("tokens an hour", limits(tokens={"perHour": 9}), _S),
    Case("fewer tokens than none", limits(tokens={"perDay": -1}), _S),
    Case("tokens beyond the bound", limits(tokens={"perDay": 10**12 + 1}), _S),
    Case("half a token", limits(tokens={"perMinute": 0.5}), _S),
    Case("money as number", limits(cost={"perDay": 10}), _S),
    Case("money in exponents", limits(cost={"perDay": "1e9"}), _S),
    Case("money with a sign", limits(cost={"perDay": "$10"}), _S),
    Case("money below zero", limits(cost={"perDay": "-1"}), _S),
    Case("money in finer parts", limits(cost={"perDay": "0.00001"}), _S),
    Case("money with a comma", limits(cost={"perDay": "1,50"}), _S),
    Case("money without a whole", limits(cost={"perDay": ".5"}), _S),
    Case("money with a line break", limits(cost={"perDay": "1\n"}), _S),
    Case("money of other days", limits(cost={"perMonth": "10"}), _S),
    Case("a host's limits of nothing", host(), _R, "hosts.limits says nothing"),
    Case("a host's requests without a number", host(requests={"burst": 1}), _S),
    Case("a host's burst below zero", host(requests={"perMinute": 1, "burst": -1}), _S),
    Case("a host's bytes of nothing", host(bytes={}), _R, "limits.bytes says nothing"),
    Case("a host's bytes beyond the bound", host(bytes={"outPerHour": "2Pi"}), _S),
    Case("a host's bytes one beyond the bound", host(bytes={"inPerHour": 2**50 + 1}), _S),
    Case("a host's bytes in", host(bytes={"inPerHour": "2Pi"}), _S),
    Case("a host's bytes below zero", host(bytes={"inPerHour": -1}), _S),
    Case("a host's bytes with a line break", host(bytes={"inPerHour": "1Mi\n"}), _S),
    Case("a host's bytes in words", host(bytes={"inPerHour": "much"}), _S),
    Case("a host's bytes in exponents", host(bytes={"inPerHour": "1e3"}), _S),
    Case("a host's tokens", host(tokens={"perDay": 1}), _S),
    Case("a host's money", host(cost={"perDay": "1"}), _S),
    Case("a host's connections", host(connections=1), _S),
    Case("a route's limits of nothing", provider(limits={}), _R, "routes.limits says nothing"),
    Case("a route's tokens of nothing", provider(limits={"tokens": {}}), _R, "limits.tokens says nothing"),
    Case("a route's tokens below zero", provider(limits={"tokens": {"perMinute": -1, "perDay": -1}}), _S),
    Case("a route's requests as number", provider(limits={"requests": 5}), _S),
    Case("a route's burst alone", provider(limits={"requests": {"burst": 5}}), _S),
    Case("a route's burst as text", provider(limits={"requests": {"perMinute": "1", "burst": "5"}}), _S),
    Case("a route's money of nothing", provider(limits={"cost": {}}), _S),
    Case("a route's money as number", provider(limits={"cost": {"perDay": 1}}), _S),
    Case("a route's bytes", provider(limits={"bytes": {"outPerHour": 1}}), _S),
    Case(
        "tokens of an unknown api", routes(route(limits={"tokens": {"perDay": 1}})), _R, "limits.tokens and limits.cost"
    ),
    Case(
        "money of plain HTTP",
        routes(route(api="HTTP", limits={"cost": {"perDay": "1"}})),
        _R,
        "limits.tokens and limits.cost",
    ),
    Case("models of an unknown api", routes(route(models=["large-1"])), _R, "models and prices are for the apis"),
    Case("models of plain HTTP", routes(route(api="HTTP", models=["a"])), _R, "models and prices are for the apis"),
    Case("prices of an unknown api", routes(route(prices=[_PRICE])), _R, "models and prices are for the apis"),
    Case("no models", provider(models=[]), _S),
    Case("a model of null", provider(models=[None]), _S),
    Case("a model twice", provider(models=["a", "a"]), _S),
    Case("a model with a space", provider(models=["a b"]), _S),
    Case("65 models", provider(models=[f"m{number}" for number in range(65)]), _S),
    Case("a price without a model", provider(prices=[{"input": "1", "output": "1"}]), _S),
    Case("a price without output", provider(prices=[{"model": "a", "input": "1"}]), _S),
    Case("a price without input", provider(prices=[{"model": "a", "output": "1"}]), _S),
    Case("a price as number", _price(input=1.25), _S),
    Case("a price of output as number", _price(output=1), _S),
    Case("a price of cached input as number", _price(cachedInput=1), _S),
    Case("a price of writes below zero", _price(cacheWrite="-1"), _S),
    Case("a price in finer parts", _price(input="0.0000001"), _S),
    Case("a model's price twice", provider(prices=[_PRICE, _PRICE]), _S),
    Case("65 prices", provider(prices=[_PRICE | {"model": f"m{number}"} for number in range(65)]), _S),
    Case("redaction of nothing", routes(route(redact={})), _R, "redact says nothing"),
    Case("an action in lower case", _redact(cards="mask"), _S),
    Case("an unknown action", _redact(iban="Hash"), _S),
    Case("an action as boolean", _redact(email=True), _S),
    Case("an action of nothing", _redact(phone=""), _S),
    Case("an unknown class", _redact(names="Mask"), _S),
    Case("keys without an action", _redact(cloudKeys={}), _S),
    Case("tokens without an action", _redact(tokens=["Mask"]), _S),
    Case("redaction as text", routes(route(redact="Mask")), _S),
    Case(
        "redaction of answers by other words",
        routes(
            route(redact={"response": dict.fromkeys(("cards", "iban", "email", "phone", "cloudKeys", "tokens"), "No")})
        ),
        _S,
    ),
    Case("a route cleared by text", routes(route(redact={"restore": "true"})), _S),
)
