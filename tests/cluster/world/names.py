"""Names whose answer depends on when they were first asked for: public at first, private a moment later."""

from collections.abc import Callable
from typing import Final

from tests.cluster import addresses
from tests.cluster.world import dns

REMEMBERED: Final = 10_000


class Names:
    """The world's records as of now. `clock` gives seconds on any monotonic scale."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._first: dict[str, float] = {}

    def records(self, message: bytes) -> dns.Records:
        """Give the records by which a message is to be answered."""
        try:
            name = dns.parse(message).name.lower()
        except dns.MalformedError:
            return addresses.WORLD_RECORDS
        label, _, parent = name.partition(".")
        if parent != addresses.REBINDING_PARENT or not label or len(self._first) >= REMEMBERED:
            return addresses.WORLD_RECORDS
        now = self._clock()
        late = now - self._first.setdefault(name, now) > addresses.REBINDING_SECONDS
        return {name: addresses.REBINDING[int(late)]}
