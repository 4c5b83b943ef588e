"""What the ledger orders a watchdog to do, at `contract.PATH_LEDGER_ORDERS` (long poll) and in every `Synced`.

The operator posts them there (`Posted`), for an Incident. To each replica of the ledger, and again until it is taken:
the same one twice is one order, and keeps its number.
"""

import re
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
POSTED_MAX_BYTES: Final = 4 * 1024
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_UID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_WORD: Final = re.compile(r"[A-Za-z0-9]{1,64}")


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
        check_version(fields)
        found = Orders(fields.items("orders", Order.read, most=ORDERS_MAX))
        fields.end()
        numbers = [order.number for order in found.orders]
        if sorted(set(numbers)) != numbers:
            raise DocumentError("orders", "must be in the order of their numbers")
        return found

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical({"version": ORDERS_VERSION, "orders": [order.write() for order in self.orders]})


@dataclass(frozen=True, slots=True)
class Posted:
    """What the operator orders: for all pods of a policy, or for the one of which `pod` is the uid.

    `incident` names the Incident; its RELEASE takes back what was ordered for it and forgives the policy's kills.
    """

    namespace: str
    policy: str
    action: Action
    incident: str
    reason: str
    pod: str = ""

    @staticmethod
    def parse(raw: bytes) -> "Posted":
        """Read a request; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=POSTED_MAX_BYTES), "")
        check_version(fields)
        posted = Posted(
            namespace=fields.one("namespace", _name),
            policy=fields.one("policy", _name),
            action=fields.one("action", _action),
            incident=fields.one("incident", _name),
            reason=fields.one("reason", _reason),
            pod=fields.text("pod", empty=True),
        )
        fields.end()
        if posted.pod and not _UID.fullmatch(posted.pod):
            raise DocumentError("pod", "must be a uid, or empty for all pods")
        return posted

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical(
            {
                "version": ORDERS_VERSION,
                "namespace": self.namespace,
                "policy": self.policy,
                "action": self.action.value,
                "incident": self.incident,
                "reason": self.reason,
                "pod": self.pod,
            }
        )


def check_version(fields: Fields) -> None:
    """Refuse another version."""
    version = fields.text("version")
    if version != ORDERS_VERSION:
        raise DocumentError("version", f"is {version!r}; this version reads {ORDERS_VERSION}")


def _name(value: object, place: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DocumentError(place, "must be a name as Kubernetes gives them")
    return value


def _reason(value: object, place: str) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise DocumentError(place, "must be 1 to 64 letters and digits")
    return value


def _action(value: object, place: str) -> Action:
    try:
        return Action(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise DocumentError(place, f"must be one of {', '.join(Action)}") from error
