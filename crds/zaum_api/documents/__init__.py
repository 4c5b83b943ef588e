"""The documents that parts hand each other, with one strict reading and one canonical writing each.

Standard library only. Reading refuses what it does not know (a field, a version, a type, a value out of range) with
`reading.DocumentError`, which names the place; a part that gets one keeps its last good document and says Degraded.
Writing is canonical (sorted keys, no spaces), so equal documents have equal digests.

A version is added when a document gets a field, and the one before stays readable and writable: parts of two releases
that follow each other always have one that both know (tests/unit/zaum_api/golden holds what was once written).
"""

from zaum_api.documents.cage import Cage, CageTarget, Transport
from zaum_api.documents.config import CONFIG_VERSION, CONFIG_VERSIONS, WatchdogConfig
from zaum_api.documents.containment import Containment, Fact, Step
from zaum_api.documents.denial import Denial
from zaum_api.documents.detectors import (
    CpuDetector,
    DeniedDetector,
    EgressDetector,
    ErrorDetector,
    FileDetector,
    ForkDetector,
    IdleDetector,
    MemoryDetector,
    NoProgressDetector,
    ProcessDetector,
    RepeatedDetector,
    StarvedDetector,
)
from zaum_api.documents.effective import (
    EFFECTIVE_FIELDS_MAX,
    EFFECTIVE_VERSION,
    EFFECTIVE_VERSIONS,
    Effective,
    EffectiveField,
    EffectiveRoute,
    Source,
)
from zaum_api.documents.egress import GatewayPeer, HostRule, RequestRate
from zaum_api.documents.last_word import LastWord
from zaum_api.documents.ledger import LEASES_MAX, SYNC_MAX_BYTES, Counters, Demand, Spent, Sync, Want
from zaum_api.documents.liveness import Liveness, LivenessKind
from zaum_api.documents.meters import AMOUNT_MAX, METERS_MAX, POLICY, Kind, LedgerPeer, Limits, Meter, Window
from zaum_api.documents.mode import Mode
from zaum_api.documents.orders import ORDERS_MAX, ORDERS_MAX_BYTES, ORDERS_WAIT_SECONDS, Action, Order, Orders, Posted
from zaum_api.documents.prices import PRICED_APIS, ROUTE_PRICES_MAX, TABLE_MAX, Price, PriceTable
from zaum_api.documents.redaction import Classes, Redact, Redaction
from zaum_api.documents.report import CONTROL, ESCAPES_MAX, REPORT_MAX_BYTES, Contained, Escape, Outcome, Report, Rung
from zaum_api.documents.routes import METHODS, ROUTES_MAX, Allowed, Credential, Route
from zaum_api.documents.runaway import Runaway
from zaum_api.documents.seen import ASKED_MAX, SEEN_MAX_BYTES, Life, Seen, SeenAsked, SeenIncident, SeenPod
from zaum_api.documents.session import Session
from zaum_api.documents.synced import (
    REFUSAL_STATUS,
    SYNCED_MAX_BYTES,
    Lease,
    LedgerError,
    Refusal,
    Refused,
    Share,
    Synced,
    Used,
)
from zaum_api.documents.tunnels import Tunnels
from zaum_api.documents.usage import USAGE_MAX_BYTES, USAGE_PAGE, PolicyUsage, Silent, UsagePage

__all__ = [
    "AMOUNT_MAX",
    "ASKED_MAX",
    "CONFIG_VERSION",
    "CONFIG_VERSIONS",
    "CONTROL",
    "EFFECTIVE_FIELDS_MAX",
    "EFFECTIVE_VERSION",
    "EFFECTIVE_VERSIONS",
    "ESCAPES_MAX",
    "LEASES_MAX",
    "METERS_MAX",
    "METHODS",
    "ORDERS_MAX",
    "ORDERS_MAX_BYTES",
    "ORDERS_WAIT_SECONDS",
    "POLICY",
    "PRICED_APIS",
    "REFUSAL_STATUS",
    "REPORT_MAX_BYTES",
    "ROUTES_MAX",
    "ROUTE_PRICES_MAX",
    "SEEN_MAX_BYTES",
    "SYNCED_MAX_BYTES",
    "SYNC_MAX_BYTES",
    "TABLE_MAX",
    "USAGE_MAX_BYTES",
    "USAGE_PAGE",
    "Action",
    "Allowed",
    "Cage",
    "CageTarget",
    "Classes",
    "Contained",
    "Containment",
    "Counters",
    "CpuDetector",
    "Credential",
    "Demand",
    "Denial",
    "DeniedDetector",
    "Effective",
    "EffectiveField",
    "EffectiveRoute",
    "EgressDetector",
    "ErrorDetector",
    "Escape",
    "Fact",
    "FileDetector",
    "ForkDetector",
    "GatewayPeer",
    "HostRule",
    "IdleDetector",
    "Kind",
    "LastWord",
    "Lease",
    "LedgerError",
    "LedgerPeer",
    "Life",
    "Limits",
    "Liveness",
    "LivenessKind",
    "MemoryDetector",
    "Meter",
    "Mode",
    "NoProgressDetector",
    "Order",
    "Orders",
    "Outcome",
    "PolicyUsage",
    "Posted",
    "Price",
    "PriceTable",
    "ProcessDetector",
    "Redact",
    "Redaction",
    "Refusal",
    "Refused",
    "RepeatedDetector",
    "Report",
    "RequestRate",
    "Route",
    "Runaway",
    "Rung",
    "Seen",
    "SeenAsked",
    "SeenIncident",
    "SeenPod",
    "Session",
    "Share",
    "Silent",
    "Source",
    "Spent",
    "StarvedDetector",
    "Step",
    "Sync",
    "Synced",
    "Transport",
    "Tunnels",
    "UsagePage",
    "Used",
    "Want",
    "WatchdogConfig",
    "Window",
]
