"""The agent's own health check, which the watchdog makes on loopback and relays to the kubelet."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import contract
from zaum_api.reading import DocumentError, Fields

PATH_MAX: Final = 1024
_PATH: Final = re.compile(r"/[!-~]*")
_OURS: Final = frozenset({contract.PROXY_PORT, contract.ROUTES_PORT, contract.PROBE_PORT})


class LivenessKind(StrEnum):
    """How the agent is asked."""

    HTTP = "http"
    """GET; any status from 200 to 399 is well. Redirects are not followed."""
    TCP = "tcp"
    """A connection that stands is well."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """Ask the agent at 127.0.0.1; `failure_threshold` failures in a row are its end. Times in seconds.

    `path` belongs to HTTP alone and is empty for TCP. The first check comes `initial_delay_seconds` after the agent's
    first process was seen.
    """

    kind: LivenessKind
    port: int
    path: str
    initial_delay_seconds: int
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int

    @staticmethod
    def read(value: object, place: str) -> "Liveness":
        """Read the check."""
        fields = Fields(value, place)
        kind = fields.text("kind")
        if kind not in set(LivenessKind):
            raise DocumentError(f"{place}.kind", f"{kind!r} is not known to this version")
        liveness = Liveness(
            kind=LivenessKind(kind),
            port=fields.whole("port", least=1, most=65535),
            path=fields.text("path", empty=True),
            initial_delay_seconds=fields.whole("initialDelaySeconds", least=0, most=3600),
            period_seconds=fields.whole("periodSeconds", least=1, most=3600),
            timeout_seconds=fields.whole("timeoutSeconds", least=1, most=3600),
            failure_threshold=fields.whole("failureThreshold", least=1, most=100),
        )
        fields.end()
        _consistent(liveness, place)
        return liveness

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "kind": self.kind.value,
            "port": self.port,
            "path": self.path,
            "initialDelaySeconds": self.initial_delay_seconds,
            "periodSeconds": self.period_seconds,
            "timeoutSeconds": self.timeout_seconds,
            "failureThreshold": self.failure_threshold,
        }


def _consistent(liveness: Liveness, place: str) -> None:
    if liveness.port in _OURS:
        raise DocumentError(f"{place}.port", f"{liveness.port} is the watchdog's own")
    if liveness.kind is LivenessKind.TCP and liveness.path:
        raise DocumentError(f"{place}.path", "must be empty for tcp")
    if liveness.kind is LivenessKind.HTTP and not (_PATH.fullmatch(liveness.path) and len(liveness.path) <= PATH_MAX):
        raise DocumentError(f"{place}.path", f"must begin with / and hold at most {PATH_MAX} visible ASCII characters")
