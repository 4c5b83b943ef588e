"""`spec.egress.routes.prices`: what a model's tokens cost."""

from typing import Annotated

from zaum_api import documents, money
from zaum_api.v1alpha1 import lists, model, scalars

_Dollars = Annotated[str, scalars.text(most=16, pattern=money.PATTERN)]
ModelName = Annotated[str, scalars.text(most=128, pattern="^[!-~]+$")]
"""As requests name it."""


class Price(model.Model):
    """What a model costs, in US dollars for a million tokens, as text such as "1.25"."""

    model: ModelName
    """The model, exactly as requests name it."""
    input: _Dollars
    """Input."""
    cached_input: _Dollars | None = None
    """Input that the provider has in its cache. Default as input."""
    cache_write: _Dollars | None = None
    """Input that the provider puts into its cache. Default twice input, the most that providers ask for."""
    output: _Dollars
    """Output, with what is spent on reasoning."""


Prices = Annotated[list[Price], *lists.keyed("prices", "model", most=documents.ROUTE_PRICES_MAX)]


def price(one: Price) -> documents.Price:
    """Give the price in micro-dollars; what is absent is never cheap."""
    plain = money.micros(one.input)
    return documents.Price(
        model=one.model,
        input=plain,
        cached_input=plain if one.cached_input is None else money.micros(one.cached_input),
        cache_write=2 * plain if one.cache_write is None else money.micros(one.cache_write),
        output=money.micros(one.output),
    )
