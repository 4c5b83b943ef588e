"""Judge claims of the API server's tokens at a given time; whether it signed them is for `signatures` to say."""

from collections.abc import Mapping
from typing import Final

LEEWAY_SECONDS: Final = 5
"""How far the clocks of the API server and ours may differ. NTP keeps nodes within a second; five cost nothing."""

Claims = Mapping[str, object]


def issuer_problem(claims: Claims, issuer: str) -> str:
    """Say what is wrong with who made it; empty if nothing is."""
    return "" if claims.get("iss") == issuer else "the token is of another issuer"


def audience_problem(claims: Claims, audience: str) -> str:
    """Say what is wrong with whom it is for; empty if it is for `audience` and nobody else."""
    if claims.get("aud") not in (audience, [audience]):
        return f"the token's audience is not {audience} alone"
    return ""


def time_problem(claims: Claims, now: float) -> str:
    """Say what is wrong with when it is valid; `now` in seconds since the epoch. Empty if nothing is."""
    expires, starts = seconds(claims.get("exp")), seconds(claims.get("nbf", claims.get("iat")))
    if expires is None or starts is None:
        return "the token does not say when it is valid"
    if now >= expires + LEEWAY_SECONDS:
        return "the token has expired"
    if now < starts - LEEWAY_SECONDS:
        return "the token is not valid yet"
    return ""


def seconds(value: object) -> float | None:
    """Read a time; None for what is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON's whole numbers have no end, and anybody may have written this one
        return None


def part(value: object) -> Claims:
    """Read an object in the claims; empty for what is none."""
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str:
    """Read a string; empty for what is none."""
    return value if isinstance(value, str) else ""
