"""What the API server stored, one revision after the other: the store orders the writes of all kinds by one number.

Read from etcd's own watch (its JSON gateway, `/v3/watch`; etcd API v3, `WatchResponse`), so that a restart of the API
server hides nothing. Needs an API server that stores JSON. Pure: bytes in, values out.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

Object = dict[str, Any]
Place = tuple[str, str, str]
"""Resource, namespace (empty for cluster-scoped ones), name."""

PREFIX: Final = "/registry/"
_RESOURCES: Final[dict[str, tuple[str, bool]]] = {
    "pods": ("pods", True),
    "networkpolicies": ("networkpolicies", True),
    "serviceaccounts": ("serviceaccounts", True),
    "configmaps": ("configmaps", True),
    "resourcequotas": ("resourcequotas", True),
    "services/specs": ("services", True),
    "persistentvolumeclaims": ("persistentvolumeclaims", True),
    "priorityclasses": ("priorityclasses", False),
    "namespaces": ("namespaces", False),
    "leases": ("leases", True),
    "events": ("events", True),
    "zaum.dev/agentpolicies": ("agentpolicies", True),
    "zaum.dev/agentceilings": ("agentceilings", False),
    "zaum.dev/incidents": ("incidents", True),
}
"""Where the store keeps a resource, how it is called, and whether it lives in a namespace."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object as it was stored at one revision; `obj` None: it was removed. `at`: when we learnt of it, seconds.

    `listed`: it was found in a list, so that there may have been writes before this one.
    """

    revision: int
    at: float
    place: Place
    obj: Object | None
    listed: bool = False


class HistoryError(Exception):
    """The store's answer is not what we can judge by: the run proves nothing."""


def place_of(key: str) -> Place | None:
    """Read a key of the store; None for what is not judged."""
    if not key.startswith(PREFIX):
        return None
    parts = key.removeprefix(PREFIX).split("/")
    for depth in (1, 2):
        found = _RESOURCES.get("/".join(parts[:depth]))
        if found is None:
            continue
        resource, namespaced = found
        rest = parts[depth:]
        if len(rest) == (2 if namespaced else 1):
            return (resource, rest[0], rest[1]) if namespaced else (resource, "", rest[0])
    return None


def changes(line: bytes, *, at: float) -> list[Change]:
    """Read one line of the watch. Raises HistoryError when the watch ended or a value is not JSON."""
    answer = json.loads(line)
    if "error" in answer:
        raise HistoryError(f"the store ended the watch: {answer['error']}")
    result = answer.get("result") or {}
    if result.get("canceled") or result.get("compact_revision"):
        raise HistoryError(f"the store ended the watch: {result}")
    return [change for event in result.get("events") or () if (change := _change(event, at)) is not None]


def _change(event: Object, at: float) -> Change | None:
    stored = event["kv"]
    place = place_of(base64.b64decode(stored["key"]).decode("utf-8", "replace"))
    if place is None:
        return None
    gone = event.get("type") == "DELETE"
    return Change(int(stored["mod_revision"]), at, place, None if gone else _value(place, stored.get("value", "")))


def _value(place: Place, encoded: str) -> Object:
    raw = base64.b64decode(encoded)
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise HistoryError(
            f"{'/'.join(place)} is not stored as JSON: start the API server with --storage-media-type=application/json"
        ) from error
    if not isinstance(value, dict):
        raise HistoryError(f"{'/'.join(place)} is no object")
    return value
