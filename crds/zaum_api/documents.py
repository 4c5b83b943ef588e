"""The documents that parts hand each other, with one strict reading and one canonical writing each.

Standard library only. Reading refuses what it does not know (a field, a version, a type, a value out of range) with
`reading.DocumentError`, which names the place; a part that gets one keeps its last good document and says Degraded.
Writing is canonical (sorted keys, no spaces), so equal documents have equal digests.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields

CONFIG_VERSION: Final = "v1"
EFFECTIVE_VERSION: Final = "v1"


@dataclass(frozen=True, slots=True)
class HostRule:
    """One named host (canonical form, one leading `*.` allowed) and the TCP ports at which it may be reached."""

    host: str
    ports: tuple[int, ...] = (443,)

    @staticmethod
    def read(value: object, place: str) -> "HostRule":
        """Read one rule."""
        fields = Fields(value, place)
        rule = HostRule(host=fields.text("host"), ports=fields.items("ports", reading.port, most=16))
        fields.end()
        if not rule.ports:
            raise DocumentError(f"{place}.ports", "must name at least one port")
        return rule

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"host": self.host, "ports": list(self.ports)}


@dataclass(frozen=True, slots=True)
class GatewayPeer:
    """Where the watchdog reaches the gateway: literal addresses, a fixed TLS name, the CA that signs it (PEM)."""

    addresses: tuple[str, ...]
    port: int
    tls_name: str
    ca_pem: str
    unsafe_plaintext: bool = False
    """The hop without TLS. For measurements on loopback; the operator never writes it."""

    @staticmethod
    def read(value: object, place: str) -> "GatewayPeer":
        """Read the peer."""
        fields = Fields(value, place)
        peer = GatewayPeer(
            addresses=fields.items("addresses", reading.text, most=8),
            port=fields.whole("port", least=1, most=65535),
            tls_name=fields.text("tlsName"),
            ca_pem=fields.text("caPEM", empty=True),
            unsafe_plaintext=fields.truth("unsafePlaintext"),
        )
        fields.end()
        if not peer.addresses:
            raise DocumentError(f"{place}.addresses", "must name at least one address")
        if not peer.unsafe_plaintext and not peer.ca_pem:
            raise DocumentError(f"{place}.caPEM", "must hold the gateway's CA")
        return peer

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "addresses": list(self.addresses),
            "port": self.port,
            "tlsName": self.tls_name,
            "caPEM": self.ca_pem,
            "unsafePlaintext": self.unsafe_plaintext,
        }


@dataclass(frozen=True, slots=True)
class RequestRate:
    """How many requests (CONNECTs) a minute, and how many of them at once after a rest. Zero denies all."""

    per_minute: int
    burst: int

    @staticmethod
    def read(value: object, place: str) -> "RequestRate":
        """Read the rate."""
        fields = Fields(value, place)
        rate = RequestRate(
            per_minute=fields.whole("perMinute", least=0, most=1_000_000),
            burst=fields.whole("burst", least=0, most=1_000_000),
        )
        fields.end()
        return rate

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"perMinute": self.per_minute, "burst": self.burst}


@dataclass(frozen=True, slots=True)
class CpuDetector:
    """Trip when the agent's processes use more than `above_percent` of `limit_millis` for `for_seconds`."""

    above_percent: int
    for_seconds: int
    limit_millis: int

    @staticmethod
    def read(value: object, place: str) -> "CpuDetector":
        """Read the detector."""
        fields = Fields(value, place)
        detector = CpuDetector(
            above_percent=fields.whole("abovePercent", least=1, most=100),
            for_seconds=fields.whole("forSeconds", least=1, most=86400),
            limit_millis=fields.whole("limitMillis", least=1, most=1_000_000),
        )
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "abovePercent": self.above_percent,
            "forSeconds": self.for_seconds,
            "limitMillis": self.limit_millis,
        }


@dataclass(frozen=True, slots=True)
class ProcessDetector:
    """Trip when the agent has more than `above` processes for `for_seconds`."""

    above: int
    for_seconds: int

    @staticmethod
    def read(value: object, place: str) -> "ProcessDetector":
        """Read the detector."""
        fields = Fields(value, place)
        detector = ProcessDetector(
            above=fields.whole("above", least=1, most=100_000),
            for_seconds=fields.whole("forSeconds", least=1, most=86400),
        )
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"above": self.above, "forSeconds": self.for_seconds}


@dataclass(frozen=True, slots=True)
class DeniedDetector:
    """Trip when more than `above` requests are denied within any `per_seconds`."""

    above: int
    per_seconds: int

    @staticmethod
    def read(value: object, place: str) -> "DeniedDetector":
        """Read the detector."""
        fields = Fields(value, place)
        detector = DeniedDetector(
            above=fields.whole("above", least=1, most=100_000),
            per_seconds=fields.whole("perSeconds", least=1, most=86400),
        )
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"above": self.above, "perSeconds": self.per_seconds}


@dataclass(frozen=True, slots=True)
class Runaway:
    """The detectors; None is a detector that the policy switched off by name."""

    cpu: CpuDetector | None
    processes: ProcessDetector | None
    denied: DeniedDetector | None

    @staticmethod
    def read(value: object, place: str) -> "Runaway":
        """Read the detectors."""
        fields = Fields(value, place)
        runaway = Runaway(
            cpu=fields.maybe("cpu", CpuDetector.read),
            processes=fields.maybe("processes", ProcessDetector.read),
            denied=fields.maybe("denied", DeniedDetector.read),
        )
        fields.end()
        return runaway

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "cpu": self.cpu and self.cpu.write(),
            "processes": self.processes and self.processes.write(),
            "denied": self.denied and self.denied.write(),
        }


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

    @staticmethod
    def parse(raw: bytes) -> "WatchdogConfig":
        """Read a document; raise DocumentError for anything but a whole, known, in-range one."""
        fields = Fields(reading.load_json(raw), "")
        version = fields.text("version")
        if version != CONFIG_VERSION:
            raise DocumentError("version", f"is {version!r}; this version reads {CONFIG_VERSION!r}")
        config = WatchdogConfig(
            namespace=fields.text("namespace"),
            policy=fields.text("policy"),
            gateway=fields.one("gateway", GatewayPeer.read),
            hosts=fields.items("hosts", HostRule.read, most=256),
            requests=fields.one("requests", RequestRate.read),
            connections=fields.whole("connections", least=0, most=100_000),
            runaway=fields.one("runaway", Runaway.read),
        )
        fields.end()
        return config

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical(
            {
                "version": CONFIG_VERSION,
                "namespace": self.namespace,
                "policy": self.policy,
                "gateway": self.gateway.write(),
                "hosts": [rule.write() for rule in self.hosts],
                "requests": self.requests.write(),
                "connections": self.connections,
                "runaway": self.runaway.write(),
            }
        )


class Source(StrEnum):
    """Where an effective value comes from."""

    POLICY = "Policy"
    DEFAULT = "Default"
    CEILING = "Ceiling"


@dataclass(frozen=True, slots=True)
class EffectiveField:
    """One value in force, for people: the spec's field, the value as text, its source."""

    field: str
    value: str
    source: Source

    @staticmethod
    def read(value: object, place: str) -> "EffectiveField":
        """Read one field."""
        fields = Fields(value, place)
        name, text, source = fields.text("field"), fields.text("value", empty=True), fields.text("source")
        fields.end()
        if source not in set(Source):
            raise DocumentError(f"{place}.source", f"{source!r} is not known to this version")
        return EffectiveField(field=name, value=text, source=Source(source))


@dataclass(frozen=True, slots=True)
class Effective:
    """`status.effective` of a policy: what is enforced. Written by the operator alone, trusted by the authorizer."""

    hosts: tuple[HostRule, ...]
    fields: tuple[EffectiveField, ...] = field(default=())

    @staticmethod
    def read(value: object) -> "Effective":
        """Read the status field; raise DocumentError for anything but a whole, known one."""
        fields = Fields(value, "status.effective")
        version = fields.text("documentVersion")
        if version != EFFECTIVE_VERSION:
            raise DocumentError("status.effective.documentVersion", f"is {version!r}, not {EFFECTIVE_VERSION!r}")
        effective = Effective(
            hosts=fields.items("hosts", HostRule.read, most=256),
            fields=fields.items("fields", EffectiveField.read, most=64),
        )
        fields.end()
        return effective

    def write(self) -> dict[str, Any]:
        """Give the JSON shape for the status."""
        return {
            "documentVersion": EFFECTIVE_VERSION,
            "hosts": [rule.write() for rule in self.hosts],
            "fields": [{"field": item.field, "value": item.value, "source": item.source.value} for item in self.fields],
        }


@dataclass(frozen=True, slots=True)
class Denial:
    """The body of every answer that refuses: which rule, why in words, and what would have allowed it."""

    rule: str
    message: str
    allowed_by: str
    policy: str

    def dump(self) -> bytes:
        """Write the JSON body."""
        return reading.canonical(
            {"rule": self.rule, "message": self.message, "allowedBy": self.allowed_by, "policy": self.policy}
        )
