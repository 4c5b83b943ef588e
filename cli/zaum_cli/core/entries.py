"""Turn requests that were seen into the `allow` of a route: as few entries as say it, none wider than is obvious.

A path stands as it is, unless a part of it is an id that the next request will not repeat. Then all below the part
before it is allowed, because that is the only way to say it. What is obviously an id:

| part                                                                | when                            |
|---------------------------------------------------------------------|---------------------------------|
| a UUID, 16 hex digits or more, a word with 12 random signs or more  | always                          |
| digits alone                                                        | where two different ones were seen |

The first part of a path is never taken for one: `/*` would be everything.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from pydantic import ValidationError

from zaum_api.v1alpha1 import routes

_ID: Final = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|(?=[^0-9]*[0-9])[0-9A-Fa-f]{16,}"
    r"|[A-Za-z]{1,16}[-_](?=[^0-9]*[0-9])[A-Za-z0-9]{12,}"
)
_NUMBER: Final = re.compile("[0-9]+")
_BELOW: Final = "/*"
Entry = dict[str, Any]


def of(requests: Iterable[tuple[str, str]]) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Give the entries for these methods and paths, sorted; and what no entry can say."""
    seen = sorted(set(requests))
    numbered = _numbered(path for _, path in seen)
    by_path: dict[str, set[str]] = defaultdict(set)
    unsaid: list[tuple[str, str]] = []
    for method, path in seen:
        pattern = _pattern(path, numbered)
        if _fits(method, pattern):
            by_path[pattern].add(method)
        else:
            unsaid.append((method, path))
    left = {path: methods - _covered(path, by_path) for path, methods in by_path.items()}
    return [{"methods": sorted(methods), "path": path} for path, methods in sorted(left.items()) if methods], unsaid


def _numbered(paths: Iterable[str]) -> frozenset[str]:
    """Give what stands before different numbers."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        before = ""
        for part in path[1:].split("/"):
            if _NUMBER.fullmatch(part):
                found[before].add(part)
            before += f"/{part}"
    return frozenset(before for before, numbers in found.items() if len(numbers) > 1)


def _pattern(path: str, numbered: frozenset[str]) -> str:
    before = ""
    for part in path[1:].split("/"):
        if before and (_ID.fullmatch(part) or (before in numbered and _NUMBER.fullmatch(part))):
            return before + _BELOW
        before += f"/{part}"
    return path


def _covered(path: str, entries: dict[str, set[str]]) -> set[str]:
    """Give the methods that entries above this path allow already."""
    return {
        method
        for above, methods in entries.items()
        if above != path and above.endswith(_BELOW) and path.startswith(above[:-1])
        for method in methods
    }


def _fits(method: str, path: str) -> bool:
    """Say whether the API takes such an entry: methods and paths that it knows, no escapes, no more than 256 signs."""
    try:
        routes.Allow.model_validate({"methods": [method], "path": path})
    except ValidationError:
        return False
    return True
