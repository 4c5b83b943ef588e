"""The watchdog's config, in two versions: v2 is v1 and `liveness`."""

from dataclasses import dataclass
from typing import Final

from zaum_api import reading
from zaum_api.documents.egress import GatewayPeer, HostRule, RequestRate
from zaum_api.documents.liveness import Liveness
from zaum_api.documents.runaway import Runaway
from zaum_api.reading import DocumentError, Fields

_V1, _V2 = "v1", "v2"
CONFIG_VERSIONS: Final = (_V1, _V2)
"""The versions that are read and written, oldest first; `contract.CONFIG_KEYS` says where each stands."""
CONFIG_VERSION: Final = _V2
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
    """None: the agent is not asked. v1 cannot say anything else."""

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
            liveness=None if version == _V1 else fields.maybe("liveness", Liveness.read),
        )
        fields.end()
        return config

    def dump(self, version: str = CONFIG_VERSION) -> bytes:
        """Write the canonical form of one of CONFIG_VERSIONS; v1 leaves out what it cannot say (`liveness`)."""
        if version not in CONFIG_VERSIONS:
            raise ValueError(f"{version!r} is none of {CONFIG_VERSIONS}")
        later = {} if version == _V1 else {"liveness": self.liveness and self.liveness.write()}
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
                **later,
            }
        )
