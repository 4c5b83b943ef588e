"""Read JSON strictly and write it canonically: what every document of ours has in common.

Standard library only. Whatever is not known, missing, of another type or out of range is refused with `DocumentError`,
which names the place.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

DOCUMENT_MAX_BYTES: Final = 512 * 1024
"""Half of what a ConfigMap can hold (1 MiB); anything larger is no document of ours."""

T = TypeVar("T")


class DocumentError(ValueError):
    """A document that must not be used; `place` is a dotted path into it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place or 'document'}: {problem}")
        self.place = place
        self.problem = problem


class Fields:
    """Take the fields of one JSON object one by one; `end` refuses what nobody took."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise DocumentError(place, f"must be an object, is {type(value).__name__}")
        self._left: dict[str, object] = dict(value)
        self._place = place

    def at(self, key: str) -> str:
        """Give the dotted path of a field."""
        return f"{self._place}.{key}" if self._place else key

    def _take(self, key: str) -> object:
        if key not in self._left:
            raise DocumentError(self.at(key), "is missing")
        return self._left.pop(key)

    def text(self, key: str, *, empty: bool = False) -> str:
        """Take a string; an empty one only where that is said to be fine."""
        value = self._take(key)
        if not isinstance(value, str) or not (value or empty):
            raise DocumentError(self.at(key), "must be a string that is not empty")
        return value

    def whole(self, key: str, *, least: int, most: int) -> int:
        """Take an integer between the two bounds, both included. True and False are no integers here."""
        value = self._take(key)
        if type(value) is not int or not least <= value <= most:
            raise DocumentError(self.at(key), f"must be an integer from {least} to {most}")
        return value

    def truth(self, key: str) -> bool:
        """Take a boolean."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise DocumentError(self.at(key), "must be true or false")
        return value

    def items(self, key: str, read: Callable[[object, str], T], *, most: int) -> tuple[T, ...]:
        """Take a list of at most `most` items, each read by `read(value, place)`."""
        value = self._take(key)
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > most:
            raise DocumentError(self.at(key), f"must be a list of at most {most} items")
        return tuple(read(item, f"{self.at(key)}[{index}]") for index, item in enumerate(value))

    def one(self, key: str, read: Callable[[object, str], T]) -> T:
        """Take a field that `read(value, place)` understands."""
        return read(self._take(key), self.at(key))

    def maybe(self, key: str, read: Callable[[object, str], T]) -> T | None:
        """Take a field that is there and either null (off) or what `read` understands. Absent is an error."""
        value = self._take(key)
        return None if value is None else read(value, self.at(key))

    def end(self) -> None:
        """Refuse fields that were not taken: an unknown field may be a limit that this version does not know."""
        if self._left:
            raise DocumentError(self.at(min(self._left)), "is not known to this version")


def digest(raw: bytes) -> str:
    """Give the digest that stands in the pod's annotation: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def canonical(value: object) -> bytes:
    """Write JSON so that equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def load_json(raw: bytes, *, most: int = DOCUMENT_MAX_BYTES) -> object:
    """Read JSON, refusing duplicate keys, NaN, and anything larger than `most` bytes."""
    if len(raw) > most:
        raise DocumentError("", f"is larger than {most} bytes")
    try:
        loaded: object = json.loads(raw, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except DocumentError:
        raise
    except (ValueError, RecursionError) as error:  # A ValueError: a number of more digits than Python takes, too.
        raise DocumentError("", f"is not JSON: {error}") from error
    return loaded


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    seen: dict[str, object] = {}
    for key, value in pairs:
        if key in seen:
            raise DocumentError(key, "stands there twice")
        seen[key] = value
    return seen


def _no_constant(name: str) -> object:
    raise DocumentError("", f"{name} is no JSON number")


def port(value: object, place: str) -> int:
    """Read a TCP port."""
    if type(value) is not int or not 1 <= value <= 65535:
        raise DocumentError(place, "must be a port from 1 to 65535")
    return value


def text(value: object, place: str) -> str:
    """Read a string that is not empty."""
    if not isinstance(value, str) or not value:
        raise DocumentError(place, "must be a string that is not empty")
    return value
