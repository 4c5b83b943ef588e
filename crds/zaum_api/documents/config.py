"""The watchdog's config, in two versions: v3 is v2 and all from `mode` on."""

from dataclasses import dataclass, field
from typing import Any, Final

from zaum_api import reading
from zaum_api.documents.cage import Cage
from zaum_api.documents.egress import GatewayPeer, HostRule, RequestRate
from zaum_api.documents.liveness import Liveness
from zaum_api.documents.mode import Mode
from zaum_api.documents.routes import ROUTES_MAX, Route
from zaum_api.documents.runaway import Runaway
from zaum_api.documents.tunnels import Tunnels
from zaum_api.reading import DocumentError, Fields

_V2, _V3 = "v2", "v3"
CONFIG_VERSIONS: Final = (_V2, _V3)
"""The versions that are read and written, oldest first; `contract.CONFIG_KEYS` says where each stands."""
CONFIG_VERSION: Final = _V3
"""The newest."""


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
    """From here on: v3 alone. A watchdog that reads v2 enforces, has no routes, and does not test its cage."""
    signed_port: int = 0
    """The gateway's port for signed CONNECT heads; 0: every hop is TLS (see ADR 0003)."""
    tunnels: Tunnels = field(default_factory=Tunnels)
    routes: tuple[Route, ...] = ()
    upstream_ca_pem: str = ""
    """CAs that routes' upstreams are trusted by beside those of the image; none of them is the gateway's."""
    cage: Cage | None = None

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
            runaway=fields.one("runaway", Runaway.read),
            liveness=fields.maybe("liveness", Liveness.read),
            **({} if version == _V2 else _later(fields)),
        )
        fields.end()
        return config

    def dump(self, version: str = CONFIG_VERSION) -> bytes:
        """Write the canonical form of one of CONFIG_VERSIONS; v2 leaves out what it cannot say."""
        if version not in CONFIG_VERSIONS:
            raise ValueError(f"{version!r} is none of {CONFIG_VERSIONS}")
        later: dict[str, Any] = {}
        if version != _V2:
            later = {
                "mode": self.mode.value,
                "signedPort": self.signed_port,
                "tunnels": self.tunnels.write(),
                "routes": [route.write() for route in self.routes],
                "upstreamCAPEM": self.upstream_ca_pem,
                "cage": self.cage and self.cage.write(),
            }
        return reading.canonical(
            {
                "version": version,
                "namespace": self.namespace,
                "policy": self.policy,
                "gateway": self.gateway.write(),
                "hosts": [rule.write() for rule in self.hosts],
                "requests": self.requests.write(),
                "connections": self.connections,
                "runaway": self.runaway.write(),
                "liveness": self.liveness and self.liveness.write(),
                **later,
            }
        )


def _later(fields: Fields) -> dict[str, Any]:
    """Read what v3 has beyond v2."""
    return {
        "mode": fields.one("mode", Mode.read),
        "signed_port": fields.whole("signedPort", least=0, most=65535),
        "tunnels": fields.one("tunnels", Tunnels.read),
        "routes": fields.items("routes", Route.read, most=ROUTES_MAX),
        "upstream_ca_pem": fields.text("upstreamCAPEM", empty=True),
        "cage": fields.maybe("cage", Cage.read),
    }
