"""Compare a rendered object with the live one, so that the steady state writes nothing.

Everything outside metadata is ours alone: a field that somebody added is drift like one that somebody changed. In
metadata only our labels, our owner reference and the reserved prefix are.
"""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract, quantities
from zaum_operator.core.kinds import Object

_NOT_OURS: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_EMPTY: Final[tuple[Any, ...]] = (None, [], "")


@dataclass(frozen=True, slots=True)
class Latitude:
    """What a kind's spec may have beside ours: fields that the API server fills in.

    `replaced` names lists that an apply merges item by item, so that somebody else's item would stay: they are written
    whole when they hold one.
    """

    assigned: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Drift:
    """What it takes to repair an object: an apply, and a merge patch for keys that an apply does not take away."""

    apply: bool
    strip: dict[str, Any] | None = None


NONE: Final = Drift(apply=False)


STRICT: Final = Latitude()
"""Nothing: all that is not ours is drift."""


def of(desired: Object, live: Object | None, latitude: Latitude = STRICT) -> Drift:
    """Compare; a missing object needs an apply."""
    if live is None:
        return Drift(apply=True)
    found = _body(live)
    if latitude.assigned and isinstance(found.get("spec"), dict):
        found["spec"] = {key: value for key, value in found["spec"].items() if key not in latitude.assigned}
    wanted = _body(desired)
    extra = _extra(wanted, found, latitude.replaced)
    if metadata := _extra_metadata(desired, live):
        extra["metadata"] = metadata
    same = not extra and _same(wanted, found) and metadata_holds(desired, live)
    return NONE if same else Drift(apply=True, strip=extra or None)


def _body(obj: Object) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in _NOT_OURS}


def _empty(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Tell what the API server does not store (podSelector {} means all and is never ours)."""
    if isinstance(value, dict):
        return all(map(_empty, value.values()))
    return value in _EMPTY


def _same(wanted: Any, found: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(
            _same(value, found[key]) if key in found else _empty(value) for key, value in wanted.items()
        ) and all(key in wanted or _empty(value) for key, value in found.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_same, wanted, found))
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found) or _same_quantity(wanted, found) or (_empty(wanted) and _empty(found))


def _same_quantity(wanted: Any, found: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(wanted, str) or not isinstance(found, str):
        return False
    try:
        return quantities.parse(wanted) == quantities.parse(found)
    except quantities.QuantityError:
        return False


def _extra(wanted: dict[str, Any], found: dict[str, Any], replaced: frozenset[str]) -> dict[str, Any]:
    """Give a merge patch that takes away the keys which are not ours."""
    patch: dict[str, Any] = {}
    for key, value in found.items():
        ours = wanted.get(key)
        if _empty(value):
            continue
        if ours is None or _empty(ours):
            patch[key] = None
        elif isinstance(value, dict) and isinstance(ours, dict):
            if inner := _extra(ours, value, replaced):
                patch[key] = inner
        elif key in replaced and any(not any(_same(mine, item) for mine in ours) for item in value):
            patch[key] = ours
    return patch


def metadata_holds(desired: Object, live: Object) -> bool:
    """Say whether our labels, annotations and owner stand, for kinds whose spec is not ours alone."""
    return _metadata_holds(desired["metadata"], live["metadata"])


def _extra_metadata(desired: Object, live: Object) -> dict[str, dict[str, None]]:
    """Give the labels and annotations with the reserved prefix that are not ours."""
    found: dict[str, dict[str, None]] = {}
    for part in ("labels", "annotations"):
        ours = desired["metadata"].get(part, {})
        strange = {k: None for k in live["metadata"].get(part) or {} if k.startswith(contract.PREFIX) and k not in ours}
        if strange:
            found[part] = strange
    return found


def _metadata_holds(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    owners = found.get("ownerReferences") or []
    return all(
        (found.get(part) or {}).get(key) == value
        for part in ("labels", "annotations")
        for key, value in wanted.get(part, {}).items()
    ) and all(reference in owners for reference in wanted.get("ownerReferences", []))
