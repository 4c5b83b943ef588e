"""What the ledger orders a watchdog to do, at `contract.PATH_LEDGER_ORDERS` (long poll) and in every `Synced`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields

ORDERS_VERSION: Final = "v1"
ORDERS_MAX: Final = 16
ORDERS_MAX_BYTES: Final = 16 * 1024
ORDERS_WAIT_SECONDS: Final = 25
"""How long a poll is held when there is nothing to say."""


class Action(StrEnum):
    """What is to be done."""

    CUT = "cut"
    """Close every connection and open no other."""
    KILL = "kill"
    """And end the agent."""
    RELEASE = "release"
    """Of a cut."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `number` rises strictly within a policy, `reason` is a word for status and metrics."""

    number: int
    action: Action
    reason: str

    @staticmethod
    def read(value: object, place: str) -> "Order":
        """Read one."""
        fields = Fields(value, place)
        order = Order(
            number=fields.whole("number", least=1, most=2**53),
            action=fields.one("action", _action),
            reason=fields.text("reason")[:128],
        )
        fields.end()
        return order

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"number": self.number, "action": self.action.value, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Orders:
    """The answer to a poll: the orders after the number that was asked for, in their order; often none."""

    orders: tuple[Order, ...] = ()

    @staticmethod
    def parse(raw: bytes) -> "Orders":
        """Read an answer; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=ORDERS_MAX_BYTES), "")
        version = fields.text("version")
        if version != ORDERS_VERSION:
            raise DocumentError("version", f"is {version!r}; this version reads {ORDERS_VERSION}")
        found = Orders(fields.items("orders", Order.read, most=ORDERS_MAX))
        fields.end()
        numbers = [order.number for order in found.orders]
        if sorted(set(numbers)) != numbers:
            raise DocumentError("orders", "must be in the order of their numbers")
        return found

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical({"version": ORDERS_VERSION, "orders": [order.write() for order in self.orders]})


def _action(value: object, place: str) -> Action:
    try:
        return Action(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise DocumentError(place, f"must be one of {', '.join(Action)}") from error
