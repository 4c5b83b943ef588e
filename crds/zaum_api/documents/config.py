"""The watchdog's config, in four versions: v3 is v2 and all from `mode` on, v4 is v3 and all from `limits` on.

v5 is v4 with `containment`, and with all detectors where those before have three.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from zaum_api import reading
from zaum_api.documents.cage import Cage
from zaum_api.documents.containment import Containment
from zaum_api.documents.egress import GatewayPeer, HostRule, RequestRate
from zaum_api.documents.liveness import Liveness
from zaum_api.documents.meters import POLICY, Kind, LedgerPeer, Limits, Meter, Window
from zaum_api.documents.mode import Mode
from zaum_api.documents.prices import PRICED_APIS, Price, PriceTable
from zaum_api.documents.routes import ROUTES_MAX, Route
from zaum_api.documents.runaway import Runaway
from zaum_api.documents.tunnels import Tunnels
from zaum_api.reading import DocumentError, Fields

_V2, _V3, _V4, _V5 = "v2", "v3", "v4", "v5"
CONFIG_VERSIONS: Final = (_V2, _V3, _V4, _V5)
"""The versions that are read and written, oldest first; `contract.CONFIG_KEYS` says where each stands."""
CONFIG_VERSION: Final = _V5
"""The newest."""
_FIRST_DETECTORS: Final = frozenset({_V2, _V3, _V4})
_METERED: Final = frozenset({_V4, _V5})


@dataclass(frozen=True, slots=True)
class WatchdogConfig:
    """What one watchdog enforces. Written by the operator into the policy's ConfigMap, read by the watchdog."""

    namespace: str
    policy: str
    gateway: GatewayPeer
    hosts: tuple[HostRule, ...]
    requests: RequestRate
    connections: int
    runaway: Runaway
    liveness: Liveness | None = None
    """None: the agent is not asked."""
    mode: Mode = Mode.ENFORCE
    """From here on: since v3. A watchdog that reads v2 enforces, has no routes, and does not test its cage."""
    signed_port: int = 0
    """The gateway's port for signed CONNECT heads; 0: every hop is TLS (see ADR 0003)."""
    tunnels: Tunnels = field(default_factory=Tunnels)
    routes: tuple[Route, ...] = ()
    upstream_ca_pem: str = ""
    """CAs that routes' upstreams are trusted by beside those of the image; none of them is the gateway's."""
    cage: Cage | None = None
    limits: Limits = field(default_factory=Limits)
    """From here on: since v4. What a version before has of limits counts for each pod by itself."""
    prices: tuple[PriceTable, ...] = ()
    """The installation's, of the APIs that routes of this policy have."""
    ledger: LedgerPeer | None = None
    """None: there is none, and of what needs leases nothing is spent."""
    containment: Containment | None = None
    """Since v5. None: a breach ends the agent, and nobody counts."""

    @property
    def meters(self) -> tuple[Meter, ...]:
        """Give all meters: the policy's requests and connections, and those of `limits`."""
        return (
            Meter(POLICY, Kind.REQUESTS, Window.MINUTE, self.requests.per_minute, self.requests.burst),
            Meter(POLICY, Kind.CONNECTIONS, Window.NOW, self.connections),
            *self.limits.meters,
        )

    def prices_of(self, route: Route) -> dict[str, Price]:
        """Give what is known of a route's prices, by model: its own, else the installation's."""
        table = next((table.prices for table in self.prices if table.api == route.api), ())
        return {price.model: price for price in (*table, *route.prices)}

    @staticmethod
    def parse(raw: bytes) -> "WatchdogConfig":
        """Read a document of any known version; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw), "")
        version = fields.text("version")
        if version not in CONFIG_VERSIONS:
            raise DocumentError("version", f"is {version!r}; this version reads {' and '.join(CONFIG_VERSIONS)}")
        config = WatchdogConfig(
            namespace=fields.text("namespace"),
            policy=fields.text("policy"),
            gateway=fields.one("gateway", GatewayPeer.read),
            hosts=fields.items("hosts", HostRule.read, most=256),
            requests=fields.one("requests", RequestRate.read),
            connections=fields.whole("connections", least=0, most=100_000),
            runaway=fields.one("runaway", Runaway.read_first if version in _FIRST_DETECTORS else Runaway.read),
            liveness=fields.maybe("liveness", Liveness.read),
            **({} if version == _V2 else _since_v3(fields, Route.read if version == _V3 else Route.read_metered)),
            **(_since_v4(fields) if version in _METERED else {}),
            containment=fields.maybe("containment", Containment.read) if version == _V5 else None,
        )
        fields.end()
        _no_meter_twice(config)
        return config

    def dump(self, version: str = CONFIG_VERSION) -> bytes:
        """Write the canonical form of one of CONFIG_VERSIONS; one before the newest leaves out what it cannot say."""
        if version not in CONFIG_VERSIONS:
            raise ValueError(f"{version!r} is none of {CONFIG_VERSIONS}")
        later: dict[str, Any] = {}
        if version != _V2:
            later = {
                "mode": self.mode.value,
                "signedPort": self.signed_port,
                "tunnels": self.tunnels.write(),
                "routes": [route.write(later=version in _METERED) for route in self.routes],
                "upstreamCAPEM": self.upstream_ca_pem,
                "cage": self.cage and self.cage.write(),
            }
        if version in _METERED:
            later |= {
                "limits": self.limits.write(),
                "prices": [table.write() for table in self.prices],
                "ledger": self.ledger and self.ledger.write(),
            }
        if version == _V5:
            later["containment"] = self.containment and self.containment.write()
        return reading.canonical(
            {
                "version": version,
                "namespace": self.namespace,
                "policy": self.policy,
                "gateway": self.gateway.write(),
                "hosts": [rule.write() for rule in self.hosts],
                "requests": self.requests.write(),
                "connections": self.connections,
                "runaway": self.runaway.write(later=version == _V5),
                "liveness": self.liveness and self.liveness.write(),
                **later,
            }
        )


def _since_v3(fields: Fields, read_route: Callable[[object, str], Route]) -> dict[str, Any]:
    """Read what v3 has beyond v2."""
    return {
        "mode": fields.one("mode", Mode.read),
        "signed_port": fields.whole("signedPort", least=0, most=65535),
        "tunnels": fields.one("tunnels", Tunnels.read),
        "routes": fields.items("routes", read_route, most=ROUTES_MAX),
        "upstream_ca_pem": fields.text("upstreamCAPEM", empty=True),
        "cage": fields.maybe("cage", Cage.read),
    }


def _since_v4(fields: Fields) -> dict[str, Any]:
    """Read what v4 has beyond v3."""
    return {
        "limits": fields.one("limits", Limits.read),
        "prices": fields.items("prices", PriceTable.read, most=len(PRICED_APIS)),
        "ledger": fields.maybe("ledger", LedgerPeer.read),
    }


def _no_meter_twice(config: WatchdogConfig) -> None:
    """Refuse what says the policy's requests or connections once more."""
    if len({meter.id for meter in config.meters}) < len(config.meters):
        raise DocumentError("limits.meters", "requests and connections of the policy stand beside it")
