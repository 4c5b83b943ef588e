"""How long a tunnel may live."""

from dataclasses import dataclass
from typing import Any

from zaum_api.reading import Fields


@dataclass(frozen=True, slots=True)
class Tunnels:
    """Seconds without a byte either way, and seconds altogether, after which a tunnel is closed."""

    idle_seconds: int = 3600
    """Long, because a model may think for many minutes before it answers."""
    max_seconds: int = 3600
    """As the gateway has it, too."""

    @staticmethod
    def read(value: object, place: str) -> "Tunnels":
        """Read the deadlines."""
        fields = Fields(value, place)
        tunnels = Tunnels(
            idle_seconds=fields.whole("idleSeconds", least=1, most=86_400),
            max_seconds=fields.whole("maxSeconds", least=1, most=86_400),
        )
        fields.end()
        return tunnels

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"idleSeconds": self.idle_seconds, "maxSeconds": self.max_seconds}
