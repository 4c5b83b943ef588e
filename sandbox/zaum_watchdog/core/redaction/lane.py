"""One text, which may come in pieces that stand far apart: values in it are found as soon as they cannot grow.

Text is decided up to the last break behind which no value can have begun; the rest is held for what follows. Where no
break comes within FIELD_MAX bytes, the text is cut all the same, in a place that the text alone determines: a value is
found in any case as long as it has no more than OVERLAP bytes, and a key in armour however long it is.
"""

from bisect import bisect_right
from collections.abc import Callable
from enum import Enum, auto
from operator import itemgetter
from typing import Final, NamedTuple, assert_never

from zaum_watchdog.core.redaction import blocks, breaks, decoding, searching, vault
from zaum_watchdog.core.redaction.classes import Found, Kind

FIELD_MAX: Final = 8 * 1024
OVERLAP: Final = 1024
CONTEXT: Final = 64
"""Bytes that stay for what looks back."""


_AT: Final = itemgetter(0)


class What(Enum):
    """What is in a place that is to be replaced."""

    VALUE = auto()
    NAME = auto()
    BROKEN = auto()
    """A key whose end did not come in time."""
    REST = auto()
    """More of such a key."""


class Hit(NamedTuple):
    """Something that is to be replaced. `before` is what stands before it, as far as it is there."""

    what: What
    kind: Kind
    value: bytes
    before: bytes
    quotes: int
    """Quotes in the text before it."""


class Edit(NamedTuple):
    """Raw bytes and what stands there instead."""

    start: int
    end: int
    instead: bytes


Replace = Callable[[Hit], bytes | None]
"""Say what stands in the place of a hit; None leaves it as it is."""


class Lane:
    """A text."""

    __slots__ = (
        "_armoured",
        "_at",
        "_counted",
        "_names",
        "_origin",
        "_pieces",
        "_quotes",
        "_replace",
        "_search",
        "_swallowing",
        "_text",
    )

    def __init__(self, search: searching.Search, replace: Replace, *, names: bool) -> None:
        self._search = search
        self._replace = replace
        self._names = names
        self._armoured = search.wants(Kind.TOKEN)
        self._text = b""
        self._at = 0
        self._origin = 0
        """Where `_text` begins in the text as a whole; `_pieces` count from that one's beginning."""
        self._pieces: list[decoding.Piece] = []
        self._quotes = 0
        self._counted = 0, 0
        self._swallowing = False

    @property
    def held(self) -> int | None:
        """Give the offset of the first raw byte that is not decided; None if all are."""
        if not self._pieces:
            return None
        at, start, _ = self._pieces[0]
        return start + max(0, self._origin + self._at - at)

    def add(self, raw: bytes, offset: int) -> None:
        """Take more of the text: raw bytes, which begin at an offset."""
        text, pieces = decoding.decode(raw, offset, self._origin + len(self._text))
        if pieces and self._goes_on(text, pieces):
            at, start, _ = self._pieces.pop()
            pieces[0] = at, start, pieces[0][2]
        self._text += text
        self._pieces += pieces

    def _goes_on(self, text: bytes, pieces: list[decoding.Piece]) -> bool:
        """Say whether the first of new pieces is more of the last one: byte for byte, and right behind it."""
        at, start, end = pieces[0]
        after = pieces[1][0] if len(pieces) > 1 else at + len(text)
        return (
            bool(self._pieces)
            and self._pieces[-1][2] == start
            and end - start == after - at
            and self._plain(len(self._pieces) - 1)
        )

    def decide(self, *, final: bool = False) -> list[Edit]:
        """Decide what can be decided, or all; give what is to be replaced."""
        edits: list[Edit] = []
        at = self._keys(edits, final=final)
        self._forget(at)
        return edits

    # Keys in armour, and the text between them.

    def _keys(self, edits: list[Edit], *, final: bool) -> int:
        at = self._at
        if self._swallowing:
            block = self._swallow(edits, at, final=final)
            at = block.end
            if block.state is blocks.State.BROKEN:
                return at
        begin = self._begin(at)
        while begin >= 0:
            at = self._fields(edits, at, begin, final=True)
            block = blocks.begun(self._text, begin, final=final)
            match block.state:
                case blocks.State.WAITS:
                    return at
                case blocks.State.NONE:
                    pass
                case blocks.State.CLOSED:
                    self._hit(edits, What.VALUE, Found(begin, block.end, Kind.TOKEN))
                    at = block.end
                case blocks.State.BROKEN:
                    self._hit(edits, What.BROKEN, Found(begin, block.end, Kind.TOKEN))
                    block = self._swallow(edits, block.end, final=final)
                    at = block.end
                    if block.state is blocks.State.BROKEN:
                        return at
                case _:
                    assert_never(block.state)
            begin = self._begin(max(at, block.end))
        return self._fields(edits, at, len(self._text), final=final)

    def _begin(self, at: int) -> int:
        return self._text.find(blocks.BEGIN, at) if self._armoured else -1

    def _swallow(self, edits: list[Edit], at: int, *, final: bool) -> blocks.Block:
        block = blocks.swallowed(self._text, at, final=final)
        self._swallowing = block.state is blocks.State.BROKEN
        if block.end > at:
            self._hit(edits, What.REST, Found(at, block.end, Kind.TOKEN))
        return block

    # Text between breaks.

    def _fields(self, edits: list[Edit], at: int, end: int, *, final: bool) -> int:
        while end - at >= FIELD_MAX:
            stop = self._break(at, at + FIELD_MAX)
            at = self._search_in(edits, at, stop) if stop > at else self._cut(edits, at)
        return self._search_in(edits, at, end if final else self._break(at, end))

    def _break(self, at: int, end: int) -> int:
        stop = breaks.last(self._text, at, end)
        # A name may begin with the bracket that is a break: no value is cut before it either.
        return stop - 1 if stop > at and self._text[stop - 1] == vault.NAME_OPENS else stop

    def _cut(self, edits: list[Edit], at: int) -> int:
        window = at + FIELD_MAX
        stop = window - OVERLAP
        all_found = self._search.within(self._text, at, window)
        for found in all_found:
            if found.start < stop < found.end:
                stop = found.start if found.start > at else found.end
        for found in all_found:
            if found.end <= stop:
                self._hit(edits, What.VALUE, found)
        return stop

    def _search_in(self, edits: list[Edit], at: int, end: int) -> int:
        for found in self._search.within(self._text, at, end):
            self._hit(edits, What.VALUE, found)
        if self._names:
            for name in vault.NAME.finditer(self._text, at, end):
                self._hit(edits, What.NAME, Found(name.start(), name.end(), Kind.TOKEN))
        return end

    # What becomes of it.

    def _hit(self, edits: list[Edit], what: What, found: Found) -> None:
        text = self._text
        before = text[max(0, found.start - CONTEXT) : found.start]
        instead = self._replace(Hit(what, found.kind, text[found.start : found.end], before, self._quoted(found.start)))
        if instead is not None:
            edits += self._edits(found.start, found.end, instead)

    def _quoted(self, at: int) -> int:
        """Count the quotes before an offset, from where they were counted last."""
        counted, quotes = self._counted
        if at < counted:
            counted, quotes = self._at, self._quotes
        self._counted = at, quotes + self._text.count(b'"', counted, at)
        return self._counted[1]

    def _edits(self, start: int, end: int, instead: bytes) -> list[Edit]:
        start += self._origin
        end += self._origin
        edits: list[Edit] = []
        for place in range(bisect_right(self._pieces, start, key=_AT) - 1, len(self._pieces)):
            at, first, last = self._pieces[place]
            if at >= end:
                break
            if self._plain(place):
                last = min(last, first + end - at)
            first += max(0, start - at)
            if edits and edits[-1].end == first:
                edits[-1] = Edit(edits[-1].start, last, edits[-1].instead)
            else:
                edits.append(Edit(first, last, b"" if edits else instead))
        return edits

    def _plain(self, place: int) -> bool:
        """Say whether a piece is byte for byte what stands in the text."""
        at, start, end = self._pieces[place]
        after = self._pieces[place + 1][0] if place + 1 < len(self._pieces) else self._origin + len(self._text)
        return end - start == after - at

    def _forget(self, at: int) -> None:
        self._quotes = self._quoted(at)
        if at == len(self._text):
            self._pieces = []
        else:
            del self._pieces[: bisect_right(self._pieces, self._origin + at, key=_AT) - 1]
        keep = max(0, at - CONTEXT)
        self._text = self._text[keep:]
        self._origin += keep
        self._at = at - keep
        self._counted = self._at, self._quotes
