"""Read the decisions in a watchdog's log, one line at a time (`zaum_watchdog.core.records` writes them)."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from zaum_api import contract
from zaum_egress import hosts

KIND: Final = "decision"


class Verdict(Enum):
    """What became of a request."""

    ALLOWED = "allowed"
    WOULD_DENY = "wouldDeny"
    """Let pass by the mode Report alone."""
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. `rule` is what decided, or would have; `host` is empty where the request named none that is safe.

    On a route `route`, `method` and `path` are set; the path is below the route's base and in normal form.
    """

    at: str
    verdict: Verdict
    rule: str
    host: str
    port: int
    route: str = ""
    method: str = ""
    path: str = ""


def read(line: str) -> Decision | None:
    """Read a line; None for one that is no decision, or that no watchdog of ours has written."""
    try:
        found = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("kind") != KIND:
        return None
    port = found.get("port")
    return Decision(
        at=_text(found, "ts"),
        verdict=_verdict(found),
        rule=_text(found, "rule"),
        host=_host(_text(found, "host")),
        port=port if type(port) is int and 0 < port < 65536 else 0,
        route=_text(found, "route"),
        method=_text(found, "method"),
        path=_text(found, "path"),
    )


def _verdict(found: dict[str, Any]) -> Verdict:
    if found.get("wouldDeny") is True:
        return Verdict.WOULD_DENY
    return Verdict.ALLOWED if found.get("rule") == contract.Rule.ALLOWED.value else Verdict.DENIED


def _text(found: dict[str, Any], key: str) -> str:
    """Give a text of visible ASCII, which is all that a record holds; anything else is printed by nobody."""
    value = found.get(key)
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def _host(text: str) -> str:
    parsed = hosts.parse_host(text)
    return parsed.name if isinstance(parsed, hosts.Host) else ""
