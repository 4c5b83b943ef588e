"""Read from an answer, while it passes, what was used: a JSON body or a stream of events (HTML, "Server-sent events").

Nothing is held but the line that is looked at, and of a stream only those lines are looked at that say something of
usage. A text of the model cannot look like one: within its JSON string every quote has a backslash before it.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from zaum_watchdog.core.metering import usage, walking, whole
from zaum_watchdog.core.metering.endpoints import Endpoint
from zaum_watchdog.core.metering.places import KEPT, UNREAD, Place, Seen

LINE_MAX: Final = 8 * 1024
"""Bytes of a line that are held until it is whole; a longer one is read as it comes."""
LINES: Final = 64
"""Lines that one call looks at."""
_DATA: Final = re.compile(rb"data:[ \t]*+")
_DONE: Final = b"[DONE]"
_LINE_END: Final = re.compile(rb"[\r\n]")
_WITHIN: Final = Place(members={b"usage": usage.USAGE, b"service_tier": KEPT}, other=UNREAD)
_BODY: Final = Place(
    members={b"usage": usage.USAGE, b"service_tier": KEPT, b"type": KEPT, b"message": _WITHIN, b"response": _WITHIN},
    other=UNREAD,
)
_NEEDLES: Final[Mapping[Endpoint, re.Pattern[bytes]]] = {
    Endpoint.CHAT: re.compile(rb'"usage"[ \t]*+:[ \t]*+\{|\[DONE\]'),
    Endpoint.RESPONSES: re.compile(rb'"response\.(?:completed|incomplete|failed)"'),
    Endpoint.EMBEDDINGS: re.compile(rb'"usage"[ \t]*+:[ \t]*+\{'),
    Endpoint.MESSAGES: re.compile(rb'"usage"[ \t]*+:[ \t]*+\{|"message_stop"'),
}
_WORDS: Final[Mapping[Endpoint, tuple[bytes, ...]]] = {
    Endpoint.CHAT: (b'"usage"', b"[DONE]"),
    Endpoint.RESPONSES: (b'"response.completed"', b'"response.incomplete"', b'"response.failed"'),
    Endpoint.EMBEDDINGS: (b'"usage"',),
    Endpoint.MESSAGES: (b'"usage"', b'"message_stop"'),
}
"""One of which is in whatever a needle finds."""
_NEEDLE_MAX: Final = 64
_DEAR_WORDS: Final = ("priority", "fast", "scale")
_DEAR: Final = frozenset(f'"{word}"'.encode("ascii") for word in _DEAR_WORDS)
_ODD: Final = frozenset({"message", "response"})
"""Members that stand in events alone."""
_LAST: Final = frozenset({b"}", b" ", b"\n", b"\r", b"\t"})
_PARTIAL: Final = "the answer is not complete, or is no JSON"
_ENDS: Final = frozenset({b'"response.completed"', b'"response.incomplete"', b'"response.failed"'})


class Form(Enum):
    """How an answer is written."""

    JSON = auto()
    EVENTS = auto()
    UNREADABLE = auto()
    """Compressed, or of another type."""


_FORMS: Final = {"application/json": Form.JSON, "text/event-stream": Form.EVENTS}


def form(content_type: str, *, coded: bool) -> Form:
    """Tell it by the answer's head; `coded`: it has a content coding."""
    if coded:
        return Form.UNREADABLE
    known = _FORMS.get(content_type)
    if known is not None:
        return known
    kind = content_type.partition(";")[0].strip().lower()
    return _FORMS.get(kind, Form.UNREADABLE)


class Body:
    """A JSON body."""

    __slots__ = ("_counts", "_first", "_walker")

    def __init__(self, endpoint: Endpoint) -> None:
        self._counts = usage.Counts(endpoint)
        self._first = b""
        """All of it, if it was small, and came at once."""
        self._walker: walking.Walker | None = None

    def feed(self, data: bytes, at: int = 0) -> int:
        """Look at `data` from `at` on; give the place up to which it was: the rest is to be fed again."""
        walker = self._walker
        if walker is None:
            if not at and not self._first and _at_once(data, self._counts):
                self._first = data
                return len(data)
            walker = self._walk()
        return walker.feed(data, at)

    def _walk(self) -> walking.Walker:
        """Begin anew, by steps."""
        walker = self._walker = walking.Walker(_BODY)
        first, at = self._first, 0
        self._counts.forget()
        while at < len(first):
            at = walker.feed(first, at)
        return walker

    def end(self, *, clean: bool) -> usage.Read:
        """Take its end; not `clean`: it came too soon."""
        if self._walker is None and self._first:
            if not clean:
                self._counts.doubt(_PARTIAL)
            return self._counts.read()
        walker = self._walker or self._walk()
        walker.end()
        if not clean or walker.problem is not None:
            self._counts.doubt(_PARTIAL)
        _tier(walker.values, "service_tier", self._counts)
        self._counts.take(walker.values, "usage")
        return self._counts.read()


def at_once(endpoint: Endpoint, body: bytes) -> usage.Read | None:
    """Read all of a JSON body that came to its end, where nothing of it is odd; None: it is for `Body`."""
    counts = usage.Counts(endpoint)
    return counts.read() if _at_once(body, counts) else None


def _at_once(data: bytes, counts: usage.Counts) -> bool:
    """Take the usage of a small body where nothing of it is odd; False: it is to be walked through."""
    if data[-1:] not in _LAST:
        return False
    said = whole.values(data)
    if said is None or not _ODD.isdisjoint(said):
        return False
    tier, kind, used = said.get("service_tier"), said.get("type"), said.get("usage")
    if tier is not None and (type(tier) is dict or type(tier) is list or tier in _DEAR_WORDS):
        return False
    if type(kind) is dict or type(kind) is list:
        return False
    return counts.plain(used) if isinstance(used, dict) else not isinstance(used, list)


class Unreadable:
    """An answer of which nothing can be told."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def feed(self, data: bytes, at: int = 0) -> int:
        """Look at nothing."""
        return len(data)

    def end(self, *, clean: bool) -> usage.Read:
        """Doubt it."""
        return usage.Counts(self._endpoint).read()


class Events:
    """A stream of events."""

    __slots__ = ("_at", "_buffer", "_counts", "_endpoint", "_last", "_needle", "_searched", "_walker", "_words")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._words = _WORDS[endpoint]
        self._needle = _NEEDLES[endpoint]
        self._counts = usage.Counts(endpoint)
        self._buffer = b""
        self._at = 0
        self._searched = 0
        self._walker: walking.Walker | None = None
        self._last = False

    def feed(self, data: bytes, at: int = 0) -> int:
        """Look at `data` from `at` on; give the place up to which it was: the rest is to be fed again."""
        if self._walker is None and self._at == len(self._buffer) and not at and self._dull(data):
            return len(data)
        taken = data[at : at + walking.SLICE]
        self._buffer = self._buffer[self._at :] + taken
        self._searched = max(0, self._searched - self._at)
        self._at = 0
        if not self._turn():
            return at + len(taken)
        left = min(len(self._buffer) - self._at, len(taken))
        self._buffer = self._buffer[: len(self._buffer) - left]
        self._searched = min(self._searched, len(self._buffer))
        return at + len(taken) - left

    def end(self, *, clean: bool) -> usage.Read:
        """Take its end; not `clean`: it came too soon."""
        if self._walker is not None and (self._walker.done or self._walker.passed_over):
            self._take(self._walker)  # The end of the stream ends its last line too.
        elif self._walker is not None or self._buffer[self._at :].strip():
            self._counts.doubt("its last event is not complete")
        if not (self._last or (clean and self._endpoint is Endpoint.CHAT)):
            self._counts.doubt("it ended before its last event")
        return self._counts.read()

    def _dull(self, data: bytes) -> bool:
        """Say whether these are whole lines that say nothing, as most pieces are."""
        if data[-1:] != b"\n" or len(data) > LINE_MAX:
            return False
        for word in self._words:
            if word in data:
                return self._needle.search(data) is None
        return True

    def _turn(self) -> bool:
        """Look at some lines; say whether there is more to do with what is here."""
        for _ in range(LINES):
            if self._walker is None:
                if not self._find():
                    return False
            elif self._walk(self._walker):
                return True
            elif self._walker is not None:
                return False
        return True

    def _find(self) -> bool:
        """Go to the next line that is worth it; False: there is none yet."""
        found = self._needle.search(self._buffer, max(self._at, self._searched - _NEEDLE_MAX))
        until = found.start() if found is not None else len(self._buffer)
        self._at = max(self._at, self._buffer.rfind(b"\n", self._at, until) + 1)
        self._at = max(self._at, self._buffer.rfind(b"\r", self._at, until) + 1)
        self._searched = until
        if found is None and len(self._buffer) - self._at <= LINE_MAX:
            return False
        self._begin()
        return True

    def _begin(self) -> None:
        data = _DATA.match(self._buffer, self._at)
        self._walker = walking.Walker(_BODY)
        if data is None:
            self._walker.pass_over()
        elif self._buffer.startswith(_DONE, data.end()):
            self._last = True
            self._walker.pass_over()
        else:
            self._at = data.end()

    def _walk(self, walker: walking.Walker) -> bool:
        """Read on in the line; say whether it was too much for once."""
        end = _LINE_END.search(self._buffer, self._at)
        part = self._buffer[self._at : end.start() if end is not None else len(self._buffer)]
        read = walker.feed(part)
        self._at += read
        self._searched = self._at
        if read < len(part):
            return True
        if end is not None:
            self._walker = None
            self._take(walker)
        return False

    def _take(self, walker: walking.Walker) -> None:
        if walker.passed_over:
            return
        walker.end()
        if walker.problem is not None:
            self._counts.doubt("an event is no JSON")
        values = walker.values
        kind = values["type"].raw if "type" in values else b""
        match self._endpoint:
            case Endpoint.CHAT | Endpoint.EMBEDDINGS:
                prefix = ""
            case Endpoint.RESPONSES:
                prefix = "response."
                self._last = self._last or kind in _ENDS
            case Endpoint.MESSAGES:
                prefix = "message." if kind == b'"message_start"' else ""
                self._last = self._last or kind == b'"message_stop"'
        _tier(values, f"{prefix}service_tier", self._counts)
        self._counts.take(values, f"{prefix}usage")


Answer = Body | Events | Unreadable


def reader(endpoint: Endpoint, written: Form) -> Answer:
    """Give what reads it."""
    if written is Form.UNREADABLE:
        return Unreadable(endpoint)
    return Body(endpoint) if written is Form.JSON else Events(endpoint)


def _tier(values: Mapping[str, Seen], name: str, counts: usage.Counts) -> None:
    if name in values and values[name].raw in _DEAR:
        counts.doubt("it was served by a tier that has prices of its own")
