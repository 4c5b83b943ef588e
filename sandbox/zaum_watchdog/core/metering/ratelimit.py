"""Write `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): what may be used, what is left.

Both are lists of structured fields (RFC 9651): a policy's name as a string, then its parameters. `qu` is left out for
requests, as the draft has it; of its other units content-bytes is one, tokens and micro-dollars are ours.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zaum_api import documents

HEADER_POLICY: Final = "ratelimit-policy"
HEADER_LIMIT: Final = "ratelimit"
HEADER_WARNING: Final = "x-zaum-warning"
WARN_PERCENT: Final = 80
_INTEGER_MAX: Final = 10**15 - 1
"""The largest integer of a structured field."""
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
_UNITS: Final = {
    "requests": "",
    "connections": "concurrent-requests",
    "bytesOut": "content-bytes",
    "bytesIn": "content-bytes",
    "tokens": "tokens",
    "cost": "micro-dollars",
}


@dataclass(frozen=True, slots=True)
class State:
    """How a meter stands. `left` in its unit; `seconds` until more comes, 0 where that is not known."""

    meter: documents.Meter
    left: int
    seconds: int = 0


def policies(states: Iterable[State]) -> str:
    """Write the value of `RateLimit-Policy`."""
    return ", ".join([_told(state.meter)[1] for state in states])


def limits(states: Iterable[State]) -> str:
    """Write the value of `RateLimit`."""
    return ", ".join([_limit(state) for state in states])


def warning(states: Iterable[State]) -> str:
    """Name the meters of which at least WARN_PERCENT are used, for HEADER_WARNING; empty where there is none."""
    return ", ".join([f"{state.meter.id} {_percent(state)}%" for state in states if _percent(state) >= WARN_PERCENT])


def _percent(state: State) -> int:
    limit = state.meter.limit
    return 100 * (limit - min(max(state.left, 0), limit)) // limit if limit else 100


@functools.lru_cache(maxsize=256)
def _told(meter: documents.Meter) -> tuple[str, str]:
    """Write a meter's name, and its policy: the same in every answer."""
    window = _SECONDS.get(meter.window.value)
    unit = _UNITS[meter.kind.value]
    parameters = f";q={min(meter.limit, _INTEGER_MAX)}"
    parameters += f";w={window}" if window else ""
    name = f'"{meter.id}"'
    return name, name + parameters + (f';qu="{unit}"' if unit else "")


def _limit(state: State) -> str:
    left = min(max(state.left, 0), _INTEGER_MAX)
    return f"{_told(state.meter)[0]};r={left}" + (f";t={state.seconds}" if state.seconds > 0 else "")
