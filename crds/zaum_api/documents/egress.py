"""What leaves a pod: the hosts by name, the gateway as the way there, and how many requests a minute."""

from dataclasses import dataclass
from typing import Any

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields


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
