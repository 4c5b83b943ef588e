"""Feed readers as a connection does: in pieces, and again from where they stopped."""

import itertools
from collections.abc import Iterable
from typing import Protocol

from zaum_watchdog.core.metering import answered, asked, charging, places, usage, walking
from zaum_watchdog.core.metering.endpoints import Endpoint


class Fed(Protocol):
    def feed(self, data: bytes, at: int = 0) -> int: ...


def feed(reader: Fed, pieces: Iterable[bytes]) -> int:
    """Feed all of it, and give the number of turns; each one must get on."""
    turns = 0
    for piece in pieces:
        at, idle = 0, 0
        while at < len(piece):
            went = reader.feed(piece, at)
            assert at <= went <= len(piece)
            idle = idle + 1 if went == at else 0
            assert idle < 100, "it does not get on"
            at, turns = went, turns + 1
    return turns


def cut(data: bytes, *places: int) -> list[bytes]:
    bounds = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def walked(root: places.Place, *pieces: bytes) -> walking.Walker:
    walker = walking.Walker(root)
    feed(walker, pieces)
    walker.end()
    return walker


def ask(
    endpoint: Endpoint, *pieces: bytes, models: frozenset[str] = frozenset(), priced: bool = True
) -> asked.Asked | asked.Refused:
    reading = asked.Reading(endpoint, models=models, priced=priced)
    feed(reading, pieces)
    return reading.end()


def answer(
    endpoint: Endpoint, *pieces: bytes, form: answered.Form = answered.Form.JSON, clean: bool = True
) -> usage.Read:
    reader = answered.reader(endpoint, form)
    feed(reader, pieces)
    return reader.end(clean=clean)


RESERVED = charging.Most(10_000, 500_000)
