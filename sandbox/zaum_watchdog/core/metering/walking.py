"""Walk through JSON as it arrives (RFC 8259), strictly, and keep what is wanted with the bytes where it stands.

A tree of `places.Place` says what is looked into; the rest is checked and forgotten. One call looks at no more than
SLICE bytes and takes no more than STEPS steps, whatever the input. What two readers could understand differently is
refused wherever somebody looks: a member that is there twice, a byte too much, a depth without end.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zaum_watchdog.core.metering import whole
from zaum_watchdog.core.metering.places import (
    CHARACTERS,
    DEPTH_MAX,
    KEPT_MAX,
    NOTHING,
    SCALAR_MAX,
    UNREAD,
    Place,
    Problem,
    Seen,
    Tallies,
)

SLICE: Final = 16 * 1024
"""Bytes that one call looks at."""
STEPS: Final = 256
"""Tokens that one call takes."""
MEMBERS_MAX: Final = 1024
"""Of an object that is looked into: their names are remembered until its end."""
KEY_MAX: Final = 1024
"""Bytes of a member's name, with its quotes, the colon and the space before that."""

_NUMBER: Final = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?(?=[ \t\n\r,}\]])"
_SPACE: Final = re.compile(rb"[ \t\n\r]*+")
_TEXT: Final = re.compile(CHARACTERS)
_KEY: Final = re.compile(rb'[ \t\n\r]*+"(' + CHARACTERS + rb')"[ \t\n\r]*+:')
_FIRST_KEY: Final = re.compile(rb"[ \t\n\r]*+(})")
_VALUE: Final = re.compile(rb'[ \t\n\r]*+(?:(")|([{\[])|(' + _NUMBER + rb"|(?:true|false|null)(?=[ \t\n\r,}\]]))|(\]))")
_AFTER: Final = re.compile(rb"[ \t\n\r]*+([,}\]])")
_NUMBERS: Final = re.compile(rb"(?:[ \t\n\r]*+,[ \t\n\r]*+(?![-+.0-9eE]{%d})" % (SCALAR_MAX + 1) + _NUMBER + rb")*+")
"""The rest of a list of numbers, or a part of it: vectors are long. A number that is too long is left to its own step,
which refuses it wherever the pieces of the document end."""
_STRING, _OPENING, _SCALAR = 1, 2, 3
_CLOSER: Final = {b"{": 125, b"[": 93}
_OBJECT: Final = 125
_LAST: Final = frozenset({b"}", b"\n"})
_PASSED_OVER: Final = Problem("", "")


@dataclass(slots=True)
class _Frame:
    """An object or list that is looked into."""

    place: Place
    path: str
    start: int
    kept: bool
    key: bytes = b""
    seen: dict[bytes, Seen] = field(default_factory=dict)


def _unescaped(key: bytes) -> bytes:
    """Spell a name without escapes. What is no UTF-8 in it stays different from whatever is."""
    text: str = json.loads('"' + key.decode("utf-8", "surrogateescape") + '"')
    return text.encode("utf-8", "surrogatepass")


class Walker:
    """One document, which must be an object."""

    __slots__ = (
        "_at", "_base", "_buffer", "_closers", "_first", "_frames", "_head", "_root", "_start", "_step", "_string_at",
        "done", "problem", "tallies", "values",
    )  # fmt: skip

    def __init__(self, root: Place) -> None:
        self._root = root
        self._buffer = b""
        self._at = 0
        self._base = 0
        self._closers = bytearray()
        self._frames: list[_Frame] = []
        self._first = False
        self._step: Callable[[], bool] = self._opening
        self._head = b""
        self._start = 0
        self._string_at: Place = UNREAD
        self.values: dict[str, Seen] = {}
        """What is wanted, by its path: names with dots between them, `[]` for the items of a list."""
        self.tallies: Tallies = Tallies(int)
        self.problem: Problem | None = None
        self.done = False

    def feed(self, data: bytes, at: int = 0) -> int:
        """Look at `data` from `at` on; give the place up to which it was: the rest is to be fed again."""
        if self.problem is not None:
            return len(data)
        if not at and not self._base and not self._buffer and self._read_whole(data):
            return len(data)
        taken = data[at : at + SLICE]
        self._base += self._at
        self._buffer = self._buffer[self._at :] + taken
        self._at = 0
        steps = STEPS
        while steps and self._step():
            steps -= 1
        if steps or self.problem is not None:
            return at + len(taken)
        left = len(self._buffer) - self._at
        self._buffer = self._buffer[: self._at]
        return at + len(taken) - left

    def _read_whole(self, data: bytes) -> bool:
        """Read a small document that came in one piece, without steps, if it is surely fine."""
        if data[-1:] not in _LAST or self._step != self._opening:
            return False
        found = whole.read(self._root, data)
        if found is None:
            return False
        self.values, self.tallies = found
        self._base = len(data)
        self.done = True
        self._step = self._trailing
        return True

    @property
    def passed_over(self) -> bool:
        """Say whether this is no document, and nothing is wrong with that."""
        return self.problem is _PASSED_OVER

    def pass_over(self) -> None:
        """Take whatever comes without a look."""
        self.problem = _PASSED_OVER

    def end(self) -> None:
        """Take the document's end: what is not complete by now is a problem."""
        if not self.done and self.problem is None:
            self._fail("it ends too soon, or is no JSON")

    # The steps: each takes one token, and says whether it did.

    def _opening(self) -> bool:
        found = _VALUE.match(self._buffer, self._at)
        if found is None:
            return self._wait(SCALAR_MAX)
        if found[2] != b"{":
            return self._fail("it is no JSON object")
        return self._open(found.start(2), found.end(), b"{", self._root, "")

    def _first_member(self) -> bool:
        found = _FIRST_KEY.match(self._buffer, self._at)
        if found is None:
            return self._member()
        return self._close(found.end(), _OBJECT)

    def _member(self) -> bool:
        found = _KEY.match(self._buffer, self._at)
        if found is None:
            return self._wait(KEY_MAX)
        if found.end() - found.start(1) >= KEY_MAX:
            return self._fail(f"it has a name of more than {KEY_MAX} bytes")
        self._at = found.end()
        self._step = self._value
        self._first = False
        return self._enter(found[1]) if len(self._frames) == len(self._closers) else True

    def _enter(self, key: bytes) -> bool:
        if b"\\" in key:
            key = _unescaped(key)
        frame = self._frames[-1]
        frame.key = key
        if key in frame.seen:
            return self._fail("is there twice", self._path())
        if len(frame.seen) == MEMBERS_MAX:
            return self._fail(f"it has an object of more than {MEMBERS_MAX} members")
        frame.seen[key] = NOTHING
        return True

    def _value(self) -> bool:
        found = _VALUE.match(self._buffer, self._at)
        if found is None:
            return self._wait(SCALAR_MAX)
        kind = found.lastindex
        place = self._place() if len(self._frames) == len(self._closers) else UNREAD
        if kind == _STRING:
            return self._begin_string(found.start(1), place)
        if kind == _OPENING:
            return self._open(found.start(2), found.end(), found[2], place, self._path())
        if kind == _SCALAR:
            return self._scalar(found[3], found.start(3), found.end(), place)
        if not self._first:
            return self._fail("a list's item is missing")
        return self._close(found.end(), 93)

    def _scalar(self, raw: bytes, start: int, end: int, place: Place) -> bool:
        if len(raw) > SCALAR_MAX:
            return self._fail(f"has more than {SCALAR_MAX} digits", self._path())
        self._at = end
        self._step = self._after
        self._first = False
        if place is not UNREAD:
            return self._take(Seen(raw, self._base + start, self._base + end), place)
        if self._closers[-1] != _OBJECT:
            self._at = _NUMBERS.match(self._buffer, end).end()  # type: ignore[union-attr]  # it matches nothing too
        return True

    def _begin_string(self, start: int, place: Place) -> bool:
        self._start = self._base + start
        self._head = b'"'
        self._string_at = place
        self._at = start + 1
        self._first = False
        self._step = self._string
        return self._string()

    def _string(self) -> bool:
        start = self._at
        end = _TEXT.match(self._buffer, start).end()  # type: ignore[union-attr]  # it matches nothing too
        if len(self._head) < KEPT_MAX and self._string_at is not UNREAD:
            self._head = (self._head + self._buffer[start:end])[:KEPT_MAX]
        self._at = end
        if end == len(self._buffer):
            return False
        if self._buffer[end] == 34:
            return self._end_string(end + 1)
        if self._buffer[end] == 92 and len(self._buffer) - end < 6:
            return False  # An escape of which the rest is to come, or one that the end of the document will refuse.
        return self._fail("a character stands in a string that may not stand there")

    def _end_string(self, end: int) -> bool:
        self._at = end
        self._step = self._after
        if self._string_at is UNREAD:
            return True
        raw = self._head + b'"' if len(self._head) < KEPT_MAX else self._head
        self._head = b""
        return self._take(Seen(raw, self._start, self._base + end), self._string_at)

    def _after(self) -> bool:
        found = _AFTER.match(self._buffer, self._at)
        if found is None:
            return self._wait(SCALAR_MAX)
        mark = self._buffer[found.end() - 1]
        if mark != 44:
            return self._close(found.end(), mark)
        self._at = found.end()
        self._step = self._member if self._closers[-1] == _OBJECT else self._value
        return True

    def _trailing(self) -> bool:
        self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
        return False if self._at == len(self._buffer) else self._fail("something stands behind its end")

    # Into objects and lists, and out of them.

    def _open(self, start: int, end: int, bracket: bytes, place: Place, path: str) -> bool:
        if len(self._closers) >= DEPTH_MAX:
            return self._fail(f"it is nested deeper than {DEPTH_MAX}")
        if place is not UNREAD:
            if place.refused:
                return self._fail(place.refused, path, placed=True)
            if (place.members if bracket == b"{" else place.items) is None:
                return self._fail("is not of the expected kind", path)
            self._frames.append(_Frame(place, path, self._base + start, place.kept))
            self._note(Seen(bracket, self._base + start, 0))
        self._closers.append(_CLOSER[bracket])
        self._at = end
        self._first = True
        self._step = self._first_member if bracket == b"{" else self._value
        return True

    def _note(self, seen: Seen) -> None:
        """Leave word of an object or list with the object that it is a member of."""
        if len(self._frames) > 1:
            self._frames[-2].seen[self._frames[-2].key] = seen

    def _close(self, end: int, closer: int) -> bool:
        if self._closers[-1] != closer:
            return self._fail("a bracket is closed by one of another kind")
        self._at = end
        self._step = self._after
        if len(self._frames) == len(self._closers):
            frame = self._frames.pop()
            if frame.kept:
                bracket = b"{" if closer == _OBJECT else b"["
                self.values[frame.path] = Seen(bracket, frame.start, self._base + end)
            problem = frame.place.check(frame.seen, self.tallies) if frame.place.check and closer == _OBJECT else ""
            if problem:
                return self._fail(problem, frame.path, placed=True)
        self._closers.pop()
        if not self._closers:
            self.done = True
            self._step = self._trailing
        return True

    # What is wanted.

    def _place(self) -> Place:
        frame = self._frames[-1]
        if self._closers[-1] != _OBJECT:
            return frame.place.items or UNREAD
        found = frame.place.members.get(frame.key) if frame.place.members is not None else None
        return found if found is not None else frame.place.other or UNREAD

    def _path(self) -> str:
        if not self._frames or len(self._frames) != len(self._closers):
            return ""
        frame = self._frames[-1]
        if self._closers[-1] != _OBJECT:
            return f"{frame.path}[]"
        key = frame.key[:64].decode("utf-8", "replace")
        return f"{frame.path}.{key}" if frame.path else key

    def _take(self, seen: Seen, place: Place) -> bool:
        if self._closers[-1] == _OBJECT:
            self._frames[-1].seen[self._frames[-1].key] = seen
        if place.refused and seen.raw not in {b"null", b"false"}:
            return self._fail(place.refused, self._path(), placed=True)
        if place.kept:
            self.values[self._path()] = seen
        problem = place.judge(seen, self.tallies) if place.judge is not None else ""
        return self._fail(problem, self._path(), placed=True) if problem else True

    # When there is nothing to take.

    def _wait(self, most: int) -> bool:
        """Wait for the rest of a token, unless it is longer than any may be."""
        self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]  # it matches nothing too
        if len(self._buffer) - self._at > most:
            return self._fail("it is no JSON")
        return False

    def _fail(self, text: str, field: str = "", *, placed: bool = False) -> bool:
        where = "" if field else f" (at byte {self._base + self._at})"
        self.problem = Problem(field, text + where, placed)
        self._buffer = b""
        self._at = 0
        self.done = False
        return False
