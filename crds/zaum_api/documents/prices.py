"""What a model's tokens cost, in micro-dollars (a millionth of a US dollar) for a million tokens."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api.reading import DocumentError, Fields

PRICE_MAX: Final = 10**12
"""A million dollars for a million tokens."""
ROUTE_PRICES_MAX: Final = 64
TABLE_MAX: Final = 256
PRICED_APIS: Final = ("Anthropic", "OpenAI")
"""The APIs whose answers say what was used."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model, by its name as requests have it.

    `cached_input`: input that the provider had in its cache; `cache_write`: input that it puts there.
    """

    model: str
    input: int
    cached_input: int
    cache_write: int
    output: int

    @staticmethod
    def read(value: object, place: str) -> "Price":
        """Read one price."""
        fields = Fields(value, place)
        price = Price(
            model=fields.text("model"),
            input=fields.whole("input", least=0, most=PRICE_MAX),
            cached_input=fields.whole("cachedInput", least=0, most=PRICE_MAX),
            cache_write=fields.whole("cacheWrite", least=0, most=PRICE_MAX),
            output=fields.whole("output", least=0, most=PRICE_MAX),
        )
        fields.end()
        return price

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "model": self.model,
            "input": self.input,
            "cachedInput": self.cached_input,
            "cacheWrite": self.cache_write,
            "output": self.output,
        }


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The installation's prices of one API: what counts for a model that a route does not price itself."""

    api: str
    prices: tuple[Price, ...]

    @staticmethod
    def read(value: object, place: str) -> "PriceTable":
        """Read one table."""
        fields = Fields(value, place)
        table = PriceTable(api=fields.text("api"), prices=fields.items("prices", Price.read, most=TABLE_MAX))
        fields.end()
        if table.api not in PRICED_APIS:
            raise DocumentError(f"{place}.api", f"{table.api!r} is not known to this version")
        once(table.prices, f"{place}.prices")
        return table

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"api": self.api, "prices": [price.write() for price in self.prices]}


def once(prices: tuple[Price, ...], place: str) -> None:
    """Refuse two prices of one model: nobody could say which counts."""
    if len({price.model for price in prices}) < len(prices):
        raise DocumentError(place, "a model stands there twice")
