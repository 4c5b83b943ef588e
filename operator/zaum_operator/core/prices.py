"""The installation's table of prices, as the chart's value `prices` has it in JSON: a list of prices by api."""

import pydantic

from zaum_api import documents, reading
from zaum_api.v1alpha1 import prices as prices_api

_TABLE = pydantic.TypeAdapter(dict[str, list[prices_api.Price]])


def read(raw: bytes) -> tuple[documents.PriceTable, ...]:
    """Read the table; raise ValueError for anything but a whole one, which names the place."""
    loaded = reading.load_json(raw)
    found = _TABLE.validate_python(loaded, strict=True)
    tables = []
    for api, prices in sorted(found.items()):
        ordered = tuple(sorted((prices_api.price(one) for one in prices), key=lambda price: price.model))
        if ordered:
            tables.append(documents.PriceTable(api, ordered))
    # What a watchdog would refuse must not get into its document.
    return tuple(documents.PriceTable.read(table.write(), f"prices.{table.api}") for table in tables)
