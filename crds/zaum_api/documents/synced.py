"""What the ledger answers to a `Sync`: `Synced`, or a `LedgerError`.

All amounts are integers in the meter's unit, all times seconds. What gives more (a lease, a share above the floor) is
counted from when the watchdog sent the `Sync`, what gives less (a share below the floor) from when it heard the answer:
so neither side is wrong about the other, however long the answer took.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.documents.ledger import SEQUENCE_MAX, SYNC_VERSION, check_version, once, opaque
from zaum_api.documents.meters import AMOUNT_MAX, METERS_MAX, meter_id
from zaum_api.documents.orders import ORDERS_MAX, Order
from zaum_api.reading import Fields

SYNCED_MAX_BYTES: Final = 1024 * 1024
SECONDS_MAX: Final = 86_400
SHARE_SECONDS_MAX: Final = 120
"""No share lasts longer without another answer."""
LEASE_SECONDS: Final = 120
"""How long a lease lasts without another answer."""
BYTES_LEASE_SECONDS: Final = 900
"""How long one of bytes does: traffic outlives that the ledger's pod is moved to another node."""
BYTES_LEAST: Final = 4 * 1024
"""Where less is left of a limit of bytes, none of it is."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A slice: `amount` of a meter that this session alone may spend, for `seconds`.

    Every answer after it gives the lease its `seconds` anew, unless they had run out. One that ran out is charged
    whole; nothing more is reserved from it, and to give it back with what was spent of it corrects the charge.
    """

    id: str
    meter: str
    amount: int
    seconds: int

    @staticmethod
    def read(value: object, place: str) -> "Lease":
        """Read one."""
        fields = Fields(value, place)
        lease = Lease(
            id=fields.one("id", opaque),
            meter=fields.one("meter", meter_id),
            amount=fields.whole("amount", least=1, most=AMOUNT_MAX),
            seconds=fields.whole("seconds", least=0, most=SECONDS_MAX),
        )
        fields.end()
        return lease

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"id": self.id, "meter": self.meter, "amount": self.amount, "seconds": self.seconds}


@dataclass(frozen=True, slots=True)
class Share:
    """This pod's part of a meter for `seconds`; then its floor again. An answer's shares replace all those before.

    A meter that an answer does not name is at its floor. A change moves the bound and not what is spent: a larger burst
    is not filled by it. A pod of several replicas that has not been answered yet uses nothing for SHARE_SECONDS_MAX
    from its start: the pod before it may have lent its floor.

    `carried`: what the pods of this ordinal before may have spent of the window that runs now; it counts as this
    session's own. It stands in a session's first answer; later ones say 0.
    """

    meter: str
    amount: int
    burst: int
    seconds: int
    carried: int = 0

    @staticmethod
    def read(value: object, place: str) -> "Share":
        """Read one."""
        fields = Fields(value, place)
        share = Share(
            meter=fields.one("meter", meter_id),
            amount=fields.whole("amount", least=0, most=AMOUNT_MAX),
            burst=fields.whole("burst", least=0, most=1_000_000),
            seconds=fields.whole("seconds", least=0, most=SECONDS_MAX),
            carried=fields.whole("carried", least=0, most=AMOUNT_MAX),
        )
        fields.end()
        return share

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "meter": self.meter,
            "amount": self.amount,
            "burst": self.burst,
            "seconds": self.seconds,
            "carried": self.carried,
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A want that was not met: how much could still be had, and in how many seconds what was wanted may come free.

    SECONDS_MAX: it is more than there can ever be at once.
    """

    meter: str
    remaining: int
    seconds: int

    @staticmethod
    def read(value: object, place: str) -> "Refused":
        """Read one."""
        fields = Fields(value, place)
        refused = Refused(
            meter=fields.one("meter", meter_id),
            remaining=fields.whole("remaining", least=0, most=AMOUNT_MAX),
            seconds=fields.whole("seconds", least=0, most=SECONDS_MAX),
        )
        fields.end()
        return refused

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"meter": self.meter, "remaining": self.remaining, "seconds": self.seconds}


@dataclass(frozen=True, slots=True)
class Used:
    """What the whole policy has used of a meter's window: charged and lent; `seconds` until the window ends.

    Of a sliding window: until some of it comes free, 0 where nothing is used. For people (`PolicyUsage`) bytes that are
    lent are not used yet, because pods keep some in stock; all is used where less than BYTES_LEAST is left to be lent.
    """

    meter: str
    used: int
    limit: int
    seconds: int

    @staticmethod
    def read(value: object, place: str) -> "Used":
        """Read one."""
        fields = Fields(value, place)
        used = Used(
            meter=fields.one("meter", meter_id),
            used=fields.whole("used", least=0, most=AMOUNT_MAX),
            limit=fields.whole("limit", least=0, most=AMOUNT_MAX),
            seconds=fields.whole("seconds", least=0, most=SECONDS_MAX),
        )
        fields.end()
        return used

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"meter": self.meter, "used": self.used, "limit": self.limit, "seconds": self.seconds}


@dataclass(frozen=True, slots=True)
class Synced:
    """The answer to a `Sync`. `leases`: the new ones alone; `orders`: those that the pod has not confirmed yet."""

    session: str
    sequence: int
    leases: tuple[Lease, ...] = ()
    shares: tuple[Share, ...] = ()
    refused: tuple[Refused, ...] = ()
    usage: tuple[Used, ...] = ()
    orders: tuple[Order, ...] = ()

    @staticmethod
    def parse(raw: bytes) -> "Synced":
        """Read an answer; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=SYNCED_MAX_BYTES), "")
        check_version(fields)
        synced = Synced(
            session=fields.one("session", opaque),
            sequence=fields.whole("sequence", least=1, most=SEQUENCE_MAX),
            leases=fields.items("leases", Lease.read, most=METERS_MAX),
            shares=fields.items("shares", Share.read, most=METERS_MAX),
            refused=fields.items("refused", Refused.read, most=METERS_MAX),
            usage=fields.items("usage", Used.read, most=METERS_MAX),
            orders=fields.items("orders", Order.read, most=ORDERS_MAX),
        )
        fields.end()
        once("leases", [lease.id for lease in synced.leases])
        once("shares", [share.meter for share in synced.shares])
        return synced

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical(
            {
                "version": SYNC_VERSION,
                "session": self.session,
                "sequence": self.sequence,
                "leases": [item.write() for item in self.leases],
                "shares": [item.write() for item in self.shares],
                "refused": [item.write() for item in self.refused],
                "usage": [item.write() for item in self.usage],
                "orders": [item.write() for item in self.orders],
            }
        )


class Refusal(StrEnum):
    """Why the ledger gave no answer; the HTTP status is in `REFUSAL_STATUS`. Nothing was granted or charged."""

    MALFORMED = "malformed"
    TOKEN = "token"  # noqa: S105 - a reason
    POD = "pod"
    """The token is good, but speaks for no pod of a policy, or for another ordinal."""
    UNKNOWN_PATH = "path"
    SESSION = "session"
    """Unknown, or ended: start anew with an empty one."""
    TOO_LARGE = "size"
    TOO_MANY = "rate"
    STORAGE = "storage"


REFUSAL_STATUS: Final[dict[Refusal, int]] = {
    Refusal.MALFORMED: 400,
    Refusal.TOKEN: 401,
    Refusal.POD: 403,
    Refusal.UNKNOWN_PATH: 404,
    Refusal.SESSION: 409,
    Refusal.TOO_LARGE: 413,
    Refusal.TOO_MANY: 429,
    Refusal.STORAGE: 503,
}


@dataclass(frozen=True, slots=True)
class LedgerError:
    """The body of every answer but 200. `message` is for people."""

    error: str
    message: str

    @staticmethod
    def parse(raw: bytes) -> "LedgerError":
        """Read one; `error` may be one that this version does not know."""
        fields = Fields(reading.load_json(raw, most=8 * 1024), "")
        error = LedgerError(fields.text("error"), fields.text("message", empty=True)[:1024])
        fields.end()
        return error

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical({"error": self.error, "message": self.message})
