"""The documents that parts hand each other, with one strict reading and one canonical writing each.

Standard library only. Reading refuses what it does not know (a field, a version, a type, a value out of range) with
`reading.DocumentError`, which names the place; a part that gets one keeps its last good document and says Degraded.
Writing is canonical (sorted keys, no spaces), so equal documents have equal digests.

A version is added when a document gets a field, and the one before stays readable and writable: parts of two releases
that follow each other always have one that both know (tests/unit/zaum_api/golden holds what was once written).
"""

from zaum_api.documents.cage import Cage, CageTarget, Transport
from zaum_api.documents.config import CONFIG_VERSION, CONFIG_VERSIONS, WatchdogConfig
from zaum_api.documents.denial import Denial
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
from zaum_api.documents.liveness import Liveness, LivenessKind
from zaum_api.documents.mode import Mode
from zaum_api.documents.report import CONTROL, ESCAPES_MAX, REPORT_MAX_BYTES, Escape, Outcome, Report
from zaum_api.documents.routes import METHODS, ROUTES_MAX, Allowed, Credential, Route
from zaum_api.documents.runaway import CpuDetector, DeniedDetector, ProcessDetector, Runaway
from zaum_api.documents.session import Session
from zaum_api.documents.tunnels import Tunnels

__all__ = [
    "CONFIG_VERSION",
    "CONFIG_VERSIONS",
    "CONTROL",
    "EFFECTIVE_FIELDS_MAX",
    "EFFECTIVE_VERSION",
    "EFFECTIVE_VERSIONS",
    "ESCAPES_MAX",
    "METHODS",
    "REPORT_MAX_BYTES",
    "ROUTES_MAX",
    "Allowed",
    "Cage",
    "CageTarget",
    "CpuDetector",
    "Credential",
    "Denial",
    "DeniedDetector",
    "Effective",
    "EffectiveField",
    "EffectiveRoute",
    "Escape",
    "GatewayPeer",
    "HostRule",
    "LastWord",
    "Liveness",
    "LivenessKind",
    "Mode",
    "Outcome",
    "ProcessDetector",
    "Report",
    "RequestRate",
    "Route",
    "Runaway",
    "Session",
    "Source",
    "Transport",
    "Tunnels",
    "WatchdogConfig",
]
