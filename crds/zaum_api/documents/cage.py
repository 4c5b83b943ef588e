"""The cage test: what a watchdog dials to see that it cannot, and how often."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api.reading import DocumentError, Fields

TARGETS_MAX: Final = 32


class Transport(StrEnum):
    """How a target is tried."""

    TCP = "tcp"
    """A connection that stands is an escape; a refusal by the target too, because it has been reached."""
    DNS = "dns"
    """A question over UDP that gets an answer is an escape."""


@dataclass(frozen=True, slots=True)
class CageTarget:
    """One address that must be out of reach. `name` is what a condition says: apiServer, metadata, dns."""

    name: str
    transport: Transport
    address: str
    port: int

    @staticmethod
    def read(value: object, place: str) -> "CageTarget":
        """Read one target."""
        fields = Fields(value, place)
        name, transport = fields.text("name"), fields.text("transport")
        address, port = fields.text("address"), fields.whole("port", least=1, most=65535)
        fields.end()
        if transport not in set(Transport):
            raise DocumentError(f"{place}.transport", f"{transport!r} is not known to this version")
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise DocumentError(f"{place}.address", "must be an IP address") from None
        return CageTarget(name=name, transport=Transport(transport), address=address, port=port)

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"name": self.name, "transport": self.transport.value, "address": self.address, "port": self.port}


@dataclass(frozen=True, slots=True)
class Cage:
    """Test at start and every `period_seconds`; `required`: no tunnel, and no agent, before it has passed.

    The watchdog adds its own node (contract.ENV_NODE_ADDRESSES) to the targets.
    """

    targets: tuple[CageTarget, ...]
    period_seconds: int = 60
    required: bool = False

    @staticmethod
    def read(value: object, place: str) -> "Cage":
        """Read the test."""
        fields = Fields(value, place)
        cage = Cage(
            targets=fields.items("targets", CageTarget.read, most=TARGETS_MAX),
            period_seconds=fields.whole("periodSeconds", least=5, most=3600),
            required=fields.truth("required"),
        )
        fields.end()
        return cage

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "targets": [item.write() for item in self.targets],
            "periodSeconds": self.period_seconds,
            "required": self.required,
        }
