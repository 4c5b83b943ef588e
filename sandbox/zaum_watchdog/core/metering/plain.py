"""Read a request to a model in which nothing is out of the ordinary, as nearly all are, in one go.

Only what is surely fine is read here: a document of `whole.values` whose members may hold anything, or hold what is
looked for in the plainest way. Whatever else there is gives None, and `asked.Reading` reads it by its places.
"""

import re
from enum import Enum, auto
from typing import Final, NamedTuple

from zaum_watchdog.core.metering import judging, whole
from zaum_watchdog.core.metering.places import KEPT, UNREAD, Place, Seen

NUMBER_MAX: Final = 100_000_000
MODEL_MAX: Final = 100
"""Characters of a model's name; a longer one is looked at closely."""
_TURN: Final = frozenset({"role", "content"})
_SPACE: Final = b" \t\n\r"
_ENCODING: Final = "utf-8"
_BRACE: Final = 123
_BRACE_END: Final = 125


class _Sort(Enum):
    ANYTHING = auto()
    NUMBER = auto()
    LENGTH = auto()
    """A number that may have to be changed."""
    STREAM = auto()
    OPTIONS = auto()
    SCALAR = auto()
    TURNS = auto()


_ANYTHING: Final = _Sort.ANYTHING
_LENGTH: Final = _Sort.LENGTH
_STREAM: Final = _Sort.STREAM
_OPTIONS: Final = _Sort.OPTIONS
_SCALAR: Final = _Sort.SCALAR
_TURNS: Final = _Sort.TURNS
"""To look up a member of an enum takes longer than what is done by it."""


class Plain(NamedTuple):
    """What a request says: `numbers` by name; `values`: what stands where it may have to be changed."""

    model: str
    stream: bool
    numbers: dict[str, int]
    values: dict[str, Seen]
    options: int


class Shape:
    """What may stand at the top of one endpoint's requests."""

    __slots__ = ("_others", "_patterns", "_sorts")

    def __init__(self, root: Place, lengths: tuple[str, ...]) -> None:
        """Work it out from the place of the whole document; `lengths` name the numbers that may have to be changed."""
        members = {key.decode("ascii"): place for key, place in (root.members or {}).items()}
        self._sorts = {name: _sort(name, place, lengths) for name, place in members.items()}
        self._others = _Sort.ANYTHING if root.other in {None, UNREAD} else None
        quoted = {name: b'"%b"' % name.encode("ascii") for name in lengths}
        self._patterns = {
            name: (each, re.compile(rb"%b[ \t\n\r]*+:[ \t\n\r]*+([0-9]++)" % each)) for name, each in quoted.items()
        }

    def read(self, data: bytes) -> Plain | None:
        """Read a document, all of which is there."""
        found = whole.scanned(data, _ENCODING)
        if found is None:
            return None
        model = found.get("model")
        if type(model) is not str or len(model) > MODEL_MAX:
            return None
        start = 0 if data[0] == _BRACE else len(data) - len(data.lstrip(_SPACE))
        numbers: dict[str, int] = {}
        values = {"": Seen(b"{", start, len(data) if data[-1] == _BRACE_END else len(data.rstrip(_SPACE)))}
        options = 0
        sorts, others, members = self._sorts, self._others, len(found)
        for name, value in found.items():
            sort = sorts.get(name, others)
            if sort is _ANYTHING:
                within = _within(name, value)
                if within < 0:
                    return None
                members += within
                continue
            if sort is None or not _fine(sort, value):
                return None
            if sort is _TURNS:
                members += len(_TURN) * len(value) if isinstance(value, list) else 0
            elif isinstance(value, int) and type(value) is int:
                numbers[name] = value
                if sort is _LENGTH:
                    seen = self._length(name, data)
                    if seen is None:
                        return None
                    values[name] = seen
            elif sort is _OPTIONS:
                options = 1
                members += 1
                values[name] = values[f"{name}.include_usage"] = Seen(b"true", 0, 0)
        if not whole.once(data, _ENCODING, members):
            return None
        return Plain(model, found.get("stream") is True, numbers, values, options)

    def _length(self, name: str, data: bytes) -> Seen | None:
        """Find the number that may have to be changed, where nothing else can be taken for it."""
        quoted, pattern = self._patterns[name]
        if data.count(quoted) != 1 or b"\\u" in data:
            return None
        place = pattern.search(data)
        return Seen(place[1], place.start(1), place.end(1)) if place is not None else None


def _sort(name: str, place: Place, lengths: tuple[str, ...]) -> _Sort | None:
    if place is UNREAD or name == "model":
        return _Sort.ANYTHING
    if place is KEPT:
        numbers = _Sort.LENGTH if name in lengths else _Sort.NUMBER
        return _Sort.STREAM if name == "stream" else numbers
    if place is judging.NOTED:
        return _Sort.SCALAR
    if place.members is not None and b"include_usage" in place.members:
        return _Sort.OPTIONS
    if place.judge is not None or place.kept or place.members is not None or place.items is None:
        return None
    return _Sort.TURNS if place.items.turns else _Sort.SCALAR


def _within(name: str, value: object) -> int:
    """Count the members within what may be anything; negative where a name may be too long."""
    if len(name) > whole.KEY_MAX:
        return -1
    if type(value) is str:
        return 0
    try:
        return whole.count(value)
    except ValueError:
        return -1


def _fine(sort: _Sort, value: object) -> bool:
    kind = type(value)
    if sort is _SCALAR:
        return kind is not int and kind is not dict and kind is not list
    if sort is _TURNS:
        return _turns(value) if isinstance(value, list) else kind is not dict
    if sort is _STREAM:
        return value is None or kind is bool
    if sort is _OPTIONS:
        return isinstance(value, dict) and len(value) == 1 and value.get("include_usage") is True
    return isinstance(value, int) and kind is int and 0 <= value <= NUMBER_MAX


def _turns(items: list[object]) -> bool:
    for item in items:
        if not isinstance(item, dict) or len(item) != len(_TURN):
            return False
        # None is no text, so that it may stand for what is not there.
        if type(item.get("content")) is not str or type(item.get("role")) is not str:
            return False
    return True
