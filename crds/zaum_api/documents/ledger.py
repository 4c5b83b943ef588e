"""What a watchdog tells the ledger: `Sync`, at `contract.PATH_LEDGER_SYNC`.

The ledger knows from the token which pod of which policy speaks; nothing in here says so. All amounts are integers in
the meter's unit.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Self

from zaum_api import reading
from zaum_api.documents.containment import FACTS_MAX, Containment, Fact
from zaum_api.documents.meters import AMOUNT_MAX, CREATED_MAX, METERS_MAX, Meter, meter_id
from zaum_api.reading import DocumentError, Fields

SYNC_VERSION: Final = "v1"
CONTAINED_VERSION: Final = "v2"
"""Of a `Sync` that says what its policy does about a breach."""
SYNC_MAX_BYTES: Final = 512 * 1024
LEASES_MAX: Final = 1024
"""That one session may hold."""
SEQUENCE_MAX: Final = 2**53
_OPAQUE: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_WORD: Final = re.compile(r"[A-Za-z0-9]{0,64}")


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent of a lease so far: cumulative, so that a repeated message charges nothing twice."""

    lease: str
    amount: int

    @staticmethod
    def read(value: object, place: str) -> "Spent":
        """Read one."""
        fields = Fields(value, place)
        spent = Spent(fields.one("lease", opaque), fields.whole("amount", least=0, most=AMOUNT_MAX))
        fields.end()
        return spent

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"lease": self.lease, "amount": self.amount}


@dataclass(frozen=True, slots=True)
class Want:
    """At least how much of a meter the session should have now, beyond what it holds."""

    meter: str
    amount: int

    @staticmethod
    def read(value: object, place: str) -> "Want":
        """Read one."""
        fields = Fields(value, place)
        want = Want(fields.one("meter", meter_id), fields.whole("amount", least=1, most=AMOUNT_MAX))
        fields.end()
        return want

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"meter": self.meter, "amount": self.amount}


@dataclass(frozen=True, slots=True)
class Demand:
    """Of a meter with shares: what this pod has `used` in the window that ends now, and what it was `asked` for.

    `asked` counts what was refused for want of a share too; it is never less than `used`.
    """

    meter: str
    used: int
    asked: int

    @staticmethod
    def read(value: object, place: str) -> "Demand":
        """Read one."""
        fields = Fields(value, place)
        demand = Demand(
            meter=fields.one("meter", meter_id),
            used=fields.whole("used", least=0, most=AMOUNT_MAX),
            asked=fields.whole("asked", least=0, most=AMOUNT_MAX),
        )
        fields.end()
        if demand.asked < demand.used:
            raise DocumentError(f"{place}.asked", "must not be less than what was used")
        return demand

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"meter": self.meter, "used": self.used, "asked": self.asked}


@dataclass(frozen=True, slots=True)
class Counters:
    """What a pod has done since its watchdog's start, limits or not. `cost` in micro-dollars."""

    requests: int = 0
    denied: int = 0
    would_deny: int = 0
    tokens: int = 0
    cost: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    @classmethod
    def read(cls, value: object, place: str) -> Self:
        """Read them."""
        fields = Fields(value, place)
        counters = cls(*(fields.whole(name, least=0, most=AMOUNT_MAX) for name in _COUNTERS))
        fields.end()
        return counters

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {name: getattr(self, field) for name, field in _COUNTERS.items()}


_COUNTERS: Final = {
    "requests": "requests",
    "denied": "denied",
    "wouldDeny": "would_deny",
    "tokens": "tokens",
    "cost": "cost",
    "bytesOut": "bytes_out",
    "bytesIn": "bytes_in",
}
"""Field in JSON and attribute, in the order of the attributes."""


@dataclass(frozen=True, slots=True)
class Sync:
    """One heartbeat of a watchdog, which asks, settles and gives back at once.

    `session` is empty in the first and then what the ledger called it; the first is given no lease, whatever it wants.
    `sequence` rises strictly within a session: one that got no answer is sent again as it was, and gets the same
    answer with what is left of each time; the next number says that the answer to the last one was heard and obeyed.
    `config`: digest of the document in force; `generation`: of the policy
    that it was made from; `created`: when that was made, as in `Limits`. `returned`: leases that are given back; what
    `spent` says of them is final. `latched`: the breach for which the agent is being ended, empty while there is none;
    `facts`: what was seen of it; `breached`: when, in milliseconds since the epoch by the pod's node. `containment`:
    the policy's; None (version v1) where the watchdog does not know it. `needs`: what calls were refused for good since
    the last one, and what is owed: that alone says that a budget is spent.
    """

    session: str
    sequence: int
    config: str
    generation: int
    replicas: int
    ordinal: int
    meters: tuple[Meter, ...]
    spent: tuple[Spent, ...] = ()
    returned: tuple[str, ...] = ()
    wants: tuple[Want, ...] = ()
    demand: tuple[Demand, ...] = ()
    counters: Counters = Counters()
    latched: str = ""
    created: int = 0
    containment: Containment | None = None
    facts: tuple[Fact, ...] = ()
    breached: int = 0
    needs: tuple[Want, ...] = ()

    @staticmethod
    def parse(raw: bytes) -> "Sync":
        """Read a request; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw, most=SYNC_MAX_BYTES), "")
        contained = _version(fields) == CONTAINED_VERSION
        sync = Sync(
            session=fields.one("session", _opaque_or_empty),
            sequence=fields.whole("sequence", least=1, most=SEQUENCE_MAX),
            config=fields.text("config"),
            generation=fields.whole("generation", least=0, most=AMOUNT_MAX),
            replicas=fields.whole("replicas", least=1, most=100),
            ordinal=fields.whole("ordinal", least=0, most=99),
            meters=fields.items("meters", Meter.read, most=METERS_MAX),
            spent=fields.items("spent", Spent.read, most=LEASES_MAX),
            returned=fields.items("returned", opaque, most=LEASES_MAX),
            wants=fields.items("wants", Want.read, most=METERS_MAX),
            demand=fields.items("demand", Demand.read, most=METERS_MAX),
            counters=fields.one("counters", Counters.read),
            latched=fields.one("latched", _word),
            created=fields.whole("created", least=0, most=CREATED_MAX),
            containment=fields.one("containment", Containment.read) if contained else None,
            facts=fields.items("facts", Fact.read, most=FACTS_MAX) if contained else (),
            breached=fields.whole("breached", least=0, most=AMOUNT_MAX) if contained else 0,
            needs=fields.items("needs", Want.read, most=METERS_MAX) if contained else (),
        )
        fields.end()
        once("meters", [meter.id for meter in sync.meters])
        once("spent", [item.lease for item in sync.spent])
        once("returned", sync.returned)
        once("wants", [want.meter for want in sync.wants])
        once("demand", [item.meter for item in sync.demand])
        once("facts", [item.name for item in sync.facts])
        once("needs", [need.meter for need in sync.needs])
        return sync

    def dump(self) -> bytes:
        """Write the canonical form; without `containment` as v1, which has no place for facts and needs either."""
        more: dict[str, Any] = {}
        if self.containment is not None:
            facts = [item.write() for item in self.facts]
            needs = [item.write() for item in self.needs]
            more = {
                "containment": self.containment.write(), "facts": facts, "breached": self.breached, "needs": needs,
            }  # fmt: skip
        return reading.canonical(
            {
                "version": CONTAINED_VERSION if more else SYNC_VERSION,
                "session": self.session,
                "sequence": self.sequence,
                "config": self.config,
                "generation": self.generation,
                "replicas": self.replicas,
                "ordinal": self.ordinal,
                "meters": [item.write() for item in self.meters],
                "spent": [item.write() for item in self.spent],
                "returned": list(self.returned),
                "wants": [item.write() for item in self.wants],
                "demand": [item.write() for item in self.demand],
                "counters": self.counters.write(),
                "latched": self.latched,
                "created": self.created,
            }
            | more
        )


def opaque(value: object, place: str) -> str:
    """Read the id of a session or a lease: it means nothing to whoever did not make it."""
    if not isinstance(value, str) or not _OPAQUE.fullmatch(value):
        raise DocumentError(place, "must be 1 to 128 letters, digits or ._~-")
    return value


def _opaque_or_empty(value: object, place: str) -> str:
    return "" if value == "" else opaque(value, place)


def _word(value: object, place: str) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise DocumentError(place, "must be at most 64 letters and digits")
    return value


def _version(fields: Fields) -> str:
    version = fields.text("version")
    if version not in (SYNC_VERSION, CONTAINED_VERSION):
        raise DocumentError("version", f"is {version!r}; this version reads {SYNC_VERSION} and {CONTAINED_VERSION}")
    return version


def check_version(fields: Fields) -> None:
    """Refuse another version."""
    version = fields.text("version")
    if version != SYNC_VERSION:
        raise DocumentError("version", f"is {version!r}; this version reads {SYNC_VERSION}")


def once(place: str, names: tuple[str, ...] | list[str]) -> None:
    """Refuse a list that says two things of one."""
    if len(set(names)) != len(names):
        raise DocumentError(place, "names the same thing twice")
