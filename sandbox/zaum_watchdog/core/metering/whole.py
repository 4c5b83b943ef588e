"""Read a small document that is all there in one go: what `walking` finds in it, for a fraction of its steps.

Only what is surely fine is read here. Whatever is not, or may not be, gives None, and `walking` says what is wrong:
no verdict is this module's own. What nobody looks into is left to the parser of `json`, which is strict but for what
the hooks below refuse; as latin-1 it has a character for each byte.
"""

import json
import re
from json import scanner
from typing import Final, Never

from zaum_watchdog.core.metering.places import (
    CHARACTERS,
    DEPTH_MAX,
    KEPT_MAX,
    NOTHING,
    SCALAR_MAX,
    UNREAD,
    Place,
    Seen,
    Tallies,
)

BYTES_MAX: Final = 16 * 1024
TOKENS_MAX: Final = 512
"""Commas and brackets, also those within strings: so that it takes no longer than others may wait."""
KEY_MAX: Final = 64
"""Characters of a name. Written with escapes it has no more than 12 bytes for each."""
SPACE_MAX: Final = 128

_SPACES: Final = rb"[ \t\n\r]*+"
_PLAIN: Final = (
    rb'("' + CHARACTERS + rb'"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null)' + _SPACES
)
_MEMBER: Final = re.compile(
    _SPACES + rb'"([^"\\\x00-\x1f]{0,64}+)"[ \t\n\r]{0,128}+:' + _SPACES + rb"(?:" + _PLAIN + rb"([,}])|([{\[]))"
)
_ITEM: Final = re.compile(_SPACES + rb"(?:" + _PLAIN + rb"([,\]])|([{\[]))")
_AFTER: Final = re.compile(_SPACES + rb"([,}\]])")
_NOTHING_IN_IT: Final = re.compile(_SPACES + rb"([}\]])")
_SPACE: Final = re.compile(_SPACES)
_WIDE: Final = re.compile(rb"(?<![ \t\n\r])[ \t\n\r]{%d}" % SPACE_MAX)  # Looked for once in each run of spaces.
_STRING: Final = rb'"' + CHARACTERS + rb'"'
_SAYS: Final = rb'"content"' + _SPACES + rb":" + _SPACES + _STRING
_IS: Final = rb'"role"' + _SPACES + rb":" + _SPACES + _STRING
_COMMA_BETWEEN: Final = _SPACES + rb"," + _SPACES
_TURN: Final = (
    rb"\{"
    + _SPACES
    + rb"(?:"
    + _IS
    + _COMMA_BETWEEN
    + _SAYS
    + rb"|"
    + _SAYS
    + _COMMA_BETWEEN
    + _IS
    + rb")"
    + _SPACES
    + rb"\}"
)
_TURNS: Final = re.compile(_SPACES + _TURN + rb"(?:" + _COMMA_BETWEEN + _TURN + rb")*+" + _SPACES + rb"\]")
"""The rest of a list of nothing but plain turns: nearly every conversation."""
_WHITE: Final = " \t\n\r"
_QUOTE: Final = 34
_BRACE: Final = 123
_COMMA: Final = 44


class _UnsureError(ValueError):
    """It may not be fine."""


def _members(pairs: list[tuple[str, object]]) -> None:
    for key, _ in pairs:
        if len(key) > KEY_MAX:
            raise _UnsureError


def _number(text: str) -> None:
    if len(text) > SCALAR_MAX:
        raise _UnsureError


def _constant(_: str) -> Never:
    raise _UnsureError


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs) or (found and max(map(len, found)) > KEY_MAX):
        raise _UnsureError
    return found


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_number, parse_float=_number, parse_constant=_constant
)
_VALUES: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_SCAN: Final = scanner.make_scanner(json.JSONDecoder(parse_constant=_constant))  # type: ignore[arg-type]  # as `json` does
"""What `raw_decode` asks, without its steps; raises StopIteration where nothing begins."""
_COLON: Final = re.compile(rb'"[ \t\n\r]*+:')
_DIGITS: Final = bytes(48 if chr(code) in "0123456789.eE+-" else 32 for code in range(256))
_LONG: Final = b"0" * (SCALAR_MAX + 1)
"""What a number that is too long looks like by _DIGITS."""
_MINUS_NOTHING: Final = re.compile(rb"(?<![^ \t\n\r:,\[])-0(?![0-9.eE])")


def _quick(data: bytes) -> int:
    """Count the brackets of what is read at once in no time; -1: it may take longer."""
    brackets = data.count(b"{") + data.count(b"[")
    if len(data) > BYTES_MAX or brackets + data.count(b",") > TOKENS_MAX:
        return -1
    spaces = len(data) - len(data.translate(None, b" \t\n\r"))
    return -1 if spaces >= SPACE_MAX and _WIDE.search(data) is not None else brackets


def read(root: Place, data: bytes) -> tuple[dict[str, Seen], Tallies] | None:
    """Give the values that are wanted and the tallies; None: let `walking` read it."""
    brackets = _quick(data)
    if brackets < 0:
        return None
    reading = _Reading(data, brackets <= DEPTH_MAX)
    try:
        end = reading.document(root)
    except (_UnsureError, json.JSONDecodeError, RecursionError):
        return None
    return (reading.values, reading.tallies) if _SPACE.fullmatch(data, end) is not None else None


def values(data: bytes, *, encoding: str = "latin-1") -> dict[str, object] | None:
    """Give the members of an object by their names, what is within them too; None: let `walking` read it.

    What is not of the encoding is left to it, too; latin-1 has a character for each byte.
    """
    found = scanned(data, encoding)
    try:
        return found if found is not None and once(data, encoding, _count(found)) else None
    except _UnsureError:
        return None


def scanned(data: bytes, encoding: str) -> dict[str, object] | None:
    """Do the same, whatever the names of members are, and how often they are there: see `once`."""
    brackets = data.count(b"{") + data.count(b"[")
    if len(data) > BYTES_MAX or brackets > DEPTH_MAX or brackets + data.count(b",") > TOKENS_MAX:
        return None
    if _LONG in data.translate(_DIGITS) or (b"-0" in data and _MINUS_NOTHING.search(data) is not None):
        return None
    try:
        text = data.decode(encoding).strip(_WHITE)
        found: dict[str, object]
        found, end = _SCAN(text, 0)
    except (StopIteration, ValueError, RecursionError):
        return None
    return found if end == len(text) and type(found) is dict else None


def once(data: bytes, encoding: str, members: int) -> bool:
    """Say whether no member of what was scanned is there twice: as many are left, those within others too."""
    # Each member has a colon behind a quote; in a text there may be some, too.
    if data.count(b":") == members or len(_COLON.findall(data)) == members:
        return True
    try:
        _VALUES.raw_decode(data.decode(encoding).strip(_WHITE))
    except _UnsureError:
        return False
    return True


def count(value: object) -> int:
    """Count the members within a value; raise ValueError where the name of one may be too long."""
    if type(value) is list:
        return _count_in(value)
    return _count(value) if isinstance(value, dict) else 0


def _count(members: dict[str, object]) -> int:
    """Count members, those of what is within them too; raise where a name may be too long."""
    count = len(members)
    # Most names together are shorter than one may be.
    if len("".join(members)) > KEY_MAX and max(map(len, members)) > KEY_MAX:
        raise _UnsureError
    for value in members.values():
        kind = type(value)
        if kind is dict:
            count += _count(value)  # type: ignore[arg-type]  # it is one
        elif kind is list:
            count += _count_in(value)  # type: ignore[arg-type]  # it is one
    return count


def _count_in(items: list[object]) -> int:
    count = 0
    for value in items:
        kind = type(value)
        if kind is dict:
            count += _count(value)  # type: ignore[arg-type]  # it is one
        elif kind is list:
            count += _count_in(value)  # type: ignore[arg-type]  # it is one
    return count


class _Reading:
    __slots__ = ("_data", "_shallow", "_text", "tallies", "values")

    def __init__(self, data: bytes, shallow: bool) -> None:
        self._data = data
        self._shallow = shallow
        """There are too few brackets to nest too deep."""
        self._text = ""
        self.values: dict[str, Seen] = {}
        self.tallies: Tallies = Tallies(int)

    def document(self, root: Place) -> int:
        start = _SPACE.match(self._data).end()  # type: ignore[union-attr]  # it matches nothing too
        if self._data[start : start + 1] != b"{":
            raise _UnsureError
        return self._open(start, root, "", 1)

    def _open(self, start: int, place: Place, path: str, depth: int) -> int:
        """Read an object or list, and give its end."""
        if place is UNREAD:
            return self._skip(start, depth)
        if place.refused or depth > DEPTH_MAX:
            raise _UnsureError
        if self._data[start] == _BRACE:
            if place.members is None:
                raise _UnsureError
            end = self._object(start + 1, place, path, depth)
        else:
            if place.items is None:
                raise _UnsureError
            turns = _TURNS.match(self._data, start + 1) if place.items.turns and depth < DEPTH_MAX else None
            end = turns.end() if turns is not None else self._list(start + 1, place.items, f"{path}[]", depth)
        if place.kept:
            self.values[path] = Seen(self._data[start : start + 1], start, end)
        return end

    def _object(self, at: int, place: Place, path: str, depth: int) -> int:
        data, members, other = self._data, place.members or {}, place.other or UNREAD
        seen: dict[bytes, Seen] = {}
        none = _NOTHING_IN_IT.match(data, at)
        closed = none is not None and none[1] == b"}"
        if closed and none is not None:
            at = none.end()
        while not closed:
            found = _MEMBER.match(data, at)
            if found is None:
                raise _UnsureError
            key, raw, mark, bracket = found.groups()
            if key in seen:
                raise _UnsureError
            inner = members.get(key) or other
            at = found.end()
            if bracket is None:
                if raw[0] != _QUOTE and len(raw) > SCALAR_MAX:
                    raise _UnsureError
                if inner is UNREAD:
                    seen[key] = NOTHING
                else:
                    seen[key] = self._judged(raw, found.start(2), inner, _joined(path, key) if inner.kept else "")
            else:
                start = at - 1
                seen[key] = NOTHING if inner is UNREAD else Seen(bracket, start, 0)
                at = self._open(start, inner, _joined(path, key), depth + 1)
                mark, at = self._after(at)
            closed = mark == b"}"
            if not closed and mark != b",":
                raise _UnsureError
        if place.check is not None and place.check(seen, self.tallies):
            raise _UnsureError
        return at

    def _list(self, at: int, place: Place, path: str, depth: int) -> int:
        data = self._data
        none = _NOTHING_IN_IT.match(data, at)
        if none is not None:
            if none[1] != b"]":
                raise _UnsureError
            return none.end()
        while True:
            found = _ITEM.match(data, at)
            if found is None:
                raise _UnsureError
            mark: bytes | None = found[2]
            at = found.end()
            if mark is None:
                at = self._open(at - 1, place, path, depth + 1)
                mark, at = self._after(at)
            else:
                raw = found[1]
                if raw[0] != _QUOTE and len(raw) > SCALAR_MAX:
                    raise _UnsureError
                self._judged(raw, found.start(1), place, path)
            if mark == b"]":
                return at
            if mark != b",":
                raise _UnsureError

    def _after(self, at: int) -> tuple[bytes, int]:
        found = _AFTER.match(self._data, at)
        if found is None:
            raise _UnsureError
        return found[1], found.end()

    def _judged(self, raw: bytes, start: int, place: Place, path: str) -> Seen:
        """Take a value that is no object and no list, and not too long."""
        if place is UNREAD:
            return NOTHING
        seen = Seen(raw if len(raw) <= KEPT_MAX else raw[:KEPT_MAX], start, start + len(raw))
        if place.refused and raw not in {b"null", b"false"}:
            raise _UnsureError
        if place.kept:
            self.values[path] = seen
        if place.judge is not None and place.judge(seen, self.tallies):
            raise _UnsureError
        return seen

    def _skip(self, start: int, depth: int) -> int:
        """Pass over what nobody looks into."""
        self._text = self._text or self._data.decode("latin-1")
        end = _DECODER.raw_decode(self._text, start)[1]
        if not self._shallow:
            brackets = self._data.count(b"{", start, end) + self._data.count(b"[", start, end)
            if brackets > DEPTH_MAX - depth:
                raise _UnsureError
        return end


def _joined(path: str, key: bytes) -> str:
    name = key.decode("utf-8", "replace")
    return f"{path}.{name}" if path else name
