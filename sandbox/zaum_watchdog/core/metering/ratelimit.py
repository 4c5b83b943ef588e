"""Write `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): what may be used, what is left.

Both are lists of structured fields (RFC 9651): a policy's name as a string, then its parameters. `qu` is left out for
requests, as the draft has it; of its other units content-bytes is one, tokens and micro-dollars are ours.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from zaum_api import documents

HEADER_POLICY: Final = "ratelimit-policy"
HEADER_LIMIT: Final = "ratelimit"
HEADER_WARNING: Final = "x-zaum-warning"
WARN_PERCENT: Final = 80
INTEGER_MAX: Final = 10**15 - 1
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


class Told(NamedTuple):
    """What is the same in every answer: a meter's id, its name as an item of a list, and its policy."""

    id: str
    name: str
    policy: str


class State(NamedTuple):
    """How a meter stands. `left` in its unit, of what this pod may have at most at once (its share, or its burst).

    `seconds` until more comes, 0 where that is not known.
    """

    told: Told
    left: int
    most: int
    seconds: int = 0


def told(meter: documents.Meter) -> Told:
    """Write what is to be told of a meter once."""
    window = _SECONDS.get(meter.window.value)
    unit = _UNITS[meter.kind.value]
    parameters = f";q={min(meter.limit, INTEGER_MAX)}"
    parameters += f";w={window}" if window else ""
    name = f'"{meter.id}"'
    return Told(meter.id, name, name + parameters + (f';qu="{unit}"' if unit else ""))


def lines(states: Sequence[State]) -> list[bytes]:
    """Write the headers of some meters: HEADER_POLICY, HEADER_LIMIT, and HEADER_WARNING where there is one to write."""
    if not states:
        return []
    found = f"{HEADER_POLICY}: {policies(states)}\n{HEADER_LIMIT}: {limits(states)}"
    warned = warning(states)
    if warned:
        found += f"\n{HEADER_WARNING}: {warned}"
    return found.encode("ascii").split(b"\n")


def policies(states: Iterable[State]) -> str:
    """Write the value of `RateLimit-Policy`."""
    return ", ".join([state.told.policy for state in states])


def limits(states: Iterable[State]) -> str:
    """Write the value of `RateLimit`."""
    return ", ".join([_limit(state) for state in states])


def warning(states: Iterable[State]) -> str:
    """Name the meters of which at least WARN_PERCENT are used, for HEADER_WARNING; empty where there is none."""
    warned = [state for state in states if 100 * state.left <= (100 - WARN_PERCENT) * state.most]
    return ", ".join([f"{state.told.id} {_percent(state)}%" for state in warned]) if warned else ""


def _percent(state: State) -> int:
    most = state.most
    return 100 * (most - min(max(state.left, 0), most)) // most if most else 100


def _limit(state: State) -> str:
    (_, name, _), left, _, seconds = state
    left = min(max(left, 0), INTEGER_MAX)
    return f"{name};r={left};t={seconds}" if seconds > 0 else f"{name};r={left}"
