"""Meters: what is counted, over which window, for whom, and how much of it there may be.

All amounts are whole numbers: requests and connections (1), bytes, tokens, and micro-dollars (a millionth of a US
dollar) for cost. Watchdog and ledger know a meter by its `id`.
"""

import functools
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api.reading import DocumentError, Fields

AMOUNT_MAX: Final = 2**53
"""What every JSON reader keeps exactly."""
METERS_MAX: Final = 1024
"""Of one policy: 256 hosts of three meters each, 32 routes of four, and its own."""
REPLICAS_MAX: Final = 100
POLICY: Final = "policy"
"""The scope of what all of a policy's pods do."""
CREATED_MAX: Final = 2**40
_ID_MAX: Final = 300
_SCOPE: Final = re.compile(r"policy|route/[a-z]([a-z0-9-]{0,30}[a-z0-9])?|host/([*][.])?[a-z0-9_.-]{1,253}")


class Kind(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    CONNECTIONS = "connections"
    BYTES_OUT = "bytesOut"
    BYTES_IN = "bytesIn"
    TOKENS = "tokens"
    COST = "cost"


class Window(StrEnum):
    """Over which time."""

    NOW = "now"
    """What is held at the same time."""
    MINUTE = "minute"
    """Any 60 seconds."""
    HOUR = "hour"
    """Any 3600 seconds."""
    DAY = "day"
    """The calendar day in UTC."""


POSSIBLE: Final[frozenset[tuple[str, Kind, Window]]] = frozenset(
    {
        ("policy", Kind.REQUESTS, Window.MINUTE),
        ("policy", Kind.CONNECTIONS, Window.NOW),
        ("policy", Kind.BYTES_OUT, Window.HOUR),
        ("policy", Kind.BYTES_IN, Window.HOUR),
        ("policy", Kind.TOKENS, Window.MINUTE),
        ("policy", Kind.TOKENS, Window.DAY),
        ("policy", Kind.COST, Window.DAY),
        ("route", Kind.REQUESTS, Window.MINUTE),
        ("route", Kind.TOKENS, Window.MINUTE),
        ("route", Kind.TOKENS, Window.DAY),
        ("route", Kind.COST, Window.DAY),
        ("host", Kind.REQUESTS, Window.MINUTE),
        ("host", Kind.BYTES_OUT, Window.HOUR),
        ("host", Kind.BYTES_IN, Window.HOUR),
    }
)
"""What there are meters of, by the scope's first word."""
SHARED_BY_SHARES: Final[frozenset[tuple[Kind, Window]]] = frozenset(
    {(Kind.REQUESTS, Window.MINUTE), (Kind.TOKENS, Window.MINUTE), (Kind.CONNECTIONS, Window.NOW)}
)
"""Each pod has its share of these and needs nobody for it; of all others nothing is spent without a lease."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One limit. `scope`: `policy`, `route/<name>` or `host/<pattern>`. `limit` 0 denies all.

    `burst` is for requests alone: how many at once after a rest.
    """

    scope: str
    kind: Kind
    window: Window
    limit: int
    burst: int = 0

    @property
    def id(self) -> str:
        """Name the meter within its policy, such as `route/openai:tokens/day`."""
        return f"{self.scope}:{self.kind.value}/{self.window.value}"

    @property
    def shared_by_shares(self) -> bool:
        """Say whether each pod has a share of it; else it is spent by leases."""
        return (self.kind, self.window) in SHARED_BY_SHARES

    @staticmethod
    def read(value: object, place: str) -> "Meter":
        """Read one meter."""
        fields = Fields(value, place)
        scope, kind, window = fields.text("scope"), fields.text("kind"), fields.text("window")
        limit = fields.whole("limit", least=0, most=AMOUNT_MAX)
        burst = fields.whole("burst", least=0, most=1_000_000)
        fields.end()
        if not _SCOPE.fullmatch(scope):
            raise DocumentError(f"{place}.scope", "must be policy, route/<name> or host/<pattern>")
        if kind not in set(Kind) or window not in set(Window):
            raise DocumentError(f"{place}.kind", f"{kind!r} by {window!r} is not known to this version")
        meter = Meter(scope, Kind(kind), Window(window), limit, burst)
        if (scope.partition("/")[0], meter.kind, meter.window) not in POSSIBLE:
            raise DocumentError(f"{place}.kind", f"there is no meter {meter.id}")
        if burst and meter.kind is not Kind.REQUESTS:
            raise DocumentError(f"{place}.burst", "is for requests alone")
        return meter

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "scope": self.scope,
            "kind": self.kind.value,
            "window": self.window.value,
            "limit": self.limit,
            "burst": self.burst,
        }


def meter_id(value: object, place: str) -> str:
    """Read a meter's id: of one that there may be."""
    if not isinstance(value, str) or len(value) > _ID_MAX or not _names_one(value):
        raise DocumentError(place, "must be a meter's id such as route/openai:tokens/day")
    return value


# The same ids are said every few seconds. Bounded: METERS_MAX keys of at most _ID_MAX characters.
@functools.lru_cache(maxsize=METERS_MAX)
def _names_one(value: str) -> bool:
    scope, _, counted = value.rpartition(":")
    known = any((scope.partition("/")[0], counted) == (word, f"{kind}/{window}") for word, kind, window in POSSIBLE)
    return known and _SCOPE.fullmatch(scope) is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """What all pods of a policy may do together, beside its requests and connections, and by how many it is shared.

    `generation`: the policy's; of two documents with different limits the later one counts. `created`: when the policy
    was made by the API server's clock, in seconds since 1970; 0 where nobody says.
    """

    meters: tuple[Meter, ...] = ()
    replicas: int = 1
    generation: int = 0
    created: int = 0

    @staticmethod
    def read(value: object, place: str) -> "Limits":
        """Read them; no meter stands there twice."""
        fields = Fields(value, place)
        limits = Limits(
            meters=fields.items("meters", Meter.read, most=METERS_MAX),
            replicas=fields.whole("replicas", least=1, most=REPLICAS_MAX),
            generation=fields.whole("generation", least=0, most=2**53),
            created=fields.whole("created", least=0, most=CREATED_MAX),
        )
        fields.end()
        if len({meter.id for meter in limits.meters}) < len(limits.meters):
            raise DocumentError(f"{place}.meters", "a meter stands there twice")
        return limits

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "meters": [meter.write() for meter in self.meters],
            "replicas": self.replicas,
            "generation": self.generation,
            "created": self.created,
        }


@dataclass(frozen=True, slots=True)
class LedgerPeer:
    """How the watchdog knows the ledger, which it reaches by a CONNECT through the gateway to `tls_name` and `port`."""

    tls_name: str
    port: int
    ca_pem: str

    @staticmethod
    def read(value: object, place: str) -> "LedgerPeer":
        """Read the peer."""
        fields = Fields(value, place)
        peer = LedgerPeer(
            tls_name=fields.text("tlsName"),
            port=fields.whole("port", least=1, most=65535),
            ca_pem=fields.text("caPEM"),
        )
        fields.end()
        return peer

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"tlsName": self.tls_name, "port": self.port, "caPEM": self.ca_pem}
