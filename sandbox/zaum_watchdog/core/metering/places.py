"""What may stand where in a document that is walked through, and what is wanted of it."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

DEPTH_MAX: Final = 64
SCALAR_MAX: Final = 64
"""Bytes of a number."""
KEPT_MAX: Final = 512
"""Bytes that are kept of a value."""
CHARACTERS: Final = rb'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+'
"""What stands within a string, as a regular expression; whoever reads a document goes by these four."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and in which field; empty where it is the document as a whole."""

    field: str
    text: str
    placed: bool = False
    """Whether its place refused it: the grammar did not."""


class Seen(NamedTuple):
    """A value: its bytes, of which a prefix where it is long, and for an object or list the bracket alone.

    `start` and `end` are offsets in the document.
    """

    raw: bytes
    start: int
    end: int

    @property
    def whole(self) -> bool:
        """Say whether `raw` is all of it."""
        return len(self.raw) == self.end - self.start


Tallies = defaultdict[str, int]
"""What was counted on the way, by name. Looked at by `get`: a look is to leave nothing behind."""
Judge = Callable[[Seen, Tallies], str]
"""Say what is wrong with a value, empty for nothing; it may count what it sees."""
Check = Callable[[Mapping[bytes, Seen], Tallies], str]
"""The same for an object by the values of its members, as far as they are looked at."""


@dataclass(frozen=True, slots=True)
class Place:
    """What may stand somewhere in a document. Without anything said: whatever there is, unread.

    `members`: an object is looked into, and `other` is for the names that are not among them. `items`: a list is looked
    into. Objects and lists that are not looked into are refused, unless nothing is looked into here. `kept`: the value
    is wanted. `judge` sees every value that is no object or list, `check` every object at its end. `turns`: an object
    of a `role` and a `content`, both strings, is fine, and nothing of it is wanted.
    """

    kept: bool = False
    members: "Mapping[bytes, Place] | None" = None
    other: "Place | None" = None
    items: "Place | None" = None
    judge: Judge | None = None
    check: Check | None = None
    turns: bool = False
    refused: str = ""
    """Why nothing may stand here but null and false."""


UNREAD: Final = Place()
NOTHING: Final = Seen(b"", 0, 0)
KEPT: Final = Place(kept=True)
