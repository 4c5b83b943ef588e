"""The redactor of one body: bytes go in, and come out with the values in them masked, named or turned back.

What comes out is the same however the bytes came in. One call does a bounded amount of work, whatever is in the bytes;
`behind` says that there is more to do, which is for a later turn of the loop.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, assert_never

from zaum_api import documents
from zaum_watchdog.core.redaction import classes, decoding, events, lane, searching, vault
from zaum_watchdog.core.redaction.classes import Kind

SLICE: Final = 4 * 1024
"""Raw bytes that one call looks at."""
EFFORT: Final = 512
"""How much that takes long one call reads: escapes, groups of digits, at signs (_ADDRESS_COST), events (_LINE_COST)."""
HELD_MAX: Final = 128 * 1024
"""Raw bytes that are held for what an event's text may go on with."""
LANES_MAX: Final = 64
"""Texts that go on at a time."""
MASK: Final = b"********"


class Format(Enum):
    """What a body is written in."""

    TEXT = auto()
    JSON = auto()
    EVENTS = auto()

    @staticmethod
    def of(content_type: bytes) -> "Format":
        """Say it by the value of Content-Type."""
        kind = content_type.partition(b";")[0].strip().lower()
        if kind == b"text/event-stream":
            return Format.EVENTS
        return Format.JSON if kind.endswith((b"/json", b"+json", b"/x-ndjson", b"/jsonl")) else Format.TEXT


class Restored(Enum):
    """Which names are turned back into values."""

    NONE = auto()
    AGENTS = auto()
    """Those of values that the agent sent."""
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the bodies of one direction of a route."""

    actions: dict[Kind, documents.Redact]
    origin: vault.Origin
    restored: Restored

    @property
    def idle(self) -> bool:
        """Say that bodies can pass as they are."""
        return not self.actions and self.restored is Restored.NONE


def request(redaction: documents.Redaction) -> Plan:
    """Plan what is done to what the agent sends: on a cleared route it is sent with the values in it."""
    restored = Restored.ALL if redaction.restore else Restored.NONE
    return Plan(classes.actions(redaction.request), vault.Origin.AGENT, restored)


def response(redaction: documents.Redaction) -> Plan:
    """Plan what is done to what the agent gets: its own values back for their names."""
    return Plan(classes.actions(redaction.response), vault.Origin.UPSTREAM, Restored.AGENTS)


@dataclass(slots=True)
class Findings:
    """What was found, by class; no value is in it."""

    found: Counter[Kind] = field(default_factory=Counter)
    restored: int = 0
    denied: Kind | None = None
    """The class for which nothing comes out any more."""


class Redactor:
    """One body."""

    __slots__ = (
        "_backlog", "_base", "_done", "_edits", "_format", "_held", "_lanes", "_long", "_outer", "_plan", "_read",
        "_search", "_vault", "findings",
    )  # fmt: skip

    def __init__(self, plan: Plan, form: Format, names: vault.Vault, prefilter: searching.Prefilter) -> None:
        self._plan = plan
        self._format = form
        self._vault = names
        self._search = searching.Search(prefilter, plan.actions)
        self._outer = self._lane(self._outside)
        self._lanes: dict[events.Name, lane.Lane] = {}
        # What was fed and not looked at, up to `_done`; what was looked at and did not come out, from `_base` on in the
        # body, of which what is before `_read` belongs to a text.
        self._backlog = b""
        self._done = 0
        self._held = b""
        self._base = 0
        self._read = 0
        self._edits: list[lane.Edit] = []
        self._long = False
        self.findings = Findings()

    def _lane(self, replace: lane.Replace) -> lane.Lane:
        return lane.Lane(self._search, replace, names=self._plan.restored is not Restored.NONE)

    # The port.

    @property
    def behind(self) -> bool:
        """Say whether `feed(b"")` has something to do: on a later turn, and before `end`."""
        return bool(self._backlog)

    def feed(self, piece: bytes) -> bytes:
        """Take bytes, and give what can come out by one call's work."""
        if self.findings.denied is not None:
            return b""
        if piece:
            self._backlog = self._backlog[self._done :] + piece if self._backlog else piece
            self._done = 0
        if not self._backlog:
            return b""
        self._take()
        if self._format is Format.EVENTS:
            self._read_lines()
        else:
            self._read_outside(self._upto(decoding.undecided(self._held[self._read - self._base :])))
        return self._out(final=False)

    def end(self) -> bytes:
        """Take the body's end, and give all that is left; the work is as long as what is left."""
        out = []
        while self.behind:
            out.append(self.feed(b""))
        if self.findings.denied is not None:
            return b""
        self._read_outside(self._upto(0))
        self._end_lanes(())
        out.append(self._out(final=True))
        return b"".join(out)

    # In.

    def _take(self) -> None:
        """Take a slice of the backlog, shorter where there is much to read in it."""
        size = SLICE
        taken = self._backlog[self._done : self._done + size]
        while size > EFFORT and self._cost(taken) > EFFORT:
            size //= 2
            taken = taken[:size]
        self._held += taken
        self._done += len(taken)
        if self._done == len(self._backlog):
            self._backlog = b""
            self._done = 0

    def _cost(self, raw: bytes) -> int:
        lines = _LINE_COST * raw.count(b"data:") if self._format is Format.EVENTS else 0
        groups = raw.translate(_DIGITS).count(_GROUP)
        return lines + groups + _ADDRESS_COST * raw.count(b"@") + sum(raw.count(mark) for mark in _COSTLY)

    def _upto(self, left: int) -> int:
        return self._base + len(self._held) - left

    def _read_outside(self, upto: int) -> None:
        """Read what is no event's text, as one text."""
        if upto > self._read:
            self._outer.add(self._held[self._read - self._base : upto - self._base], self._read)
            self._read = upto

    # Events.

    def _read_lines(self) -> None:
        if self._long and not self._read_long():
            return
        line = self._read
        while (end := self._held.find(b"\n", line - self._base) + 1) > 0:
            end += self._base
            if end - line <= events.LINE_MAX:
                self._read_line(line, events.read(self._held[line - self._base : end - self._base]))
            if end - self._base > HELD_MAX:
                self._hold_less(end)
            line = end
        self._read_outside(line)
        if self._upto(0) - line > events.LINE_MAX:
            self._read_long()

    def _read_long(self) -> bool:
        """Read a line that is too long to be looked into, and say whether it is over."""
        rest = self._held[self._read - self._base :]
        end = rest.find(b"\n") + 1
        self._read_outside(self._read + end if end else self._upto(decoding.undecided(rest)))
        self._long = not end
        return not self._long

    def _read_line(self, start: int, line: events.Line) -> None:
        for delta in line.deltas:
            self._read_outside(start + delta.start)
            self._read = start + delta.end
            raw = self._held[start + delta.start - self._base : self._read - self._base]
            self._named(delta.name).add(raw, start + delta.start)
        for name in line.ended:
            self._end_lanes(name)

    def _named(self, name: events.Name) -> lane.Lane:
        found = self._lanes.get(name)
        if found is None:
            if len(self._lanes) == LANES_MAX:
                self._end_lanes(next(iter(self._lanes)))
            found = self._lanes[name] = self._lane(self._inside)
        return found

    def _end_lanes(self, beginning: events.Name) -> None:
        for name in [name for name in self._lanes if name[: len(beginning)] == beginning]:
            self._edits += self._lanes.pop(name).decide(final=True)

    def _hold_less(self, read: int) -> None:
        """Decide whatever there is of the texts, if they hold too much back."""
        for each in self._lanes.values():
            self._edits += each.decide()
        held = [each.held for each in self._lanes.values() if each.held is not None]
        if held and read - min(held) > HELD_MAX:
            for each in self._lanes.values():
                self._edits += each.decide(final=True)

    # Out.

    def _out(self, *, final: bool) -> bytes:
        self._edits += self._outer.decide(final=final)
        for each in self._lanes.values():
            self._edits += each.decide()
        if self.findings.denied is not None:
            self._held = self._backlog = b""
            self._edits.clear()
            return b""
        held = [each.held for each in (self._outer, *self._lanes.values()) if each.held is not None]
        upto = min(held, default=self._read)
        out = self._edited(upto)
        self._held = self._held[upto - self._base :]
        self._base = upto
        return out

    def _edited(self, upto: int) -> bytes:
        if not self._edits:
            return self._held[: upto - self._base]
        self._edits.sort()
        parts: list[bytes] = []
        at = self._base
        for count, (start, end, instead) in enumerate(self._edits):
            if start >= upto:
                del self._edits[:count]
                break
            parts += (self._held[at - self._base : start - self._base], instead)
            at = end
        else:
            self._edits.clear()
        return b"".join((*parts, self._held[at - self._base : upto - self._base]))

    # What stands in the place of what was found.

    def _outside(self, hit: lane.Hit) -> bytes | None:
        instead = self._inside(hit)
        bare = self._format is not Format.TEXT and hit.quotes % 2 == 0 and hit.value.isdigit()
        # A number of JSON becomes a string: nothing else can stand in its place.
        return b'"%s"' % instead if instead and bare else instead

    def _inside(self, hit: lane.Hit) -> bytes | None:
        if hit.what is lane.What.NAME:
            return self._restored(hit)
        if hit.what is lane.What.REST:
            return b""
        self.findings.found[hit.kind] += 1
        match self._plan.actions[hit.kind]:
            case documents.Redact.MASK:
                return MASK
            case documents.Redact.TOKENISE:
                # Of a key that was cut nobody knows the whole.
                broken = hit.what is lane.What.BROKEN
                return MASK if broken else self._vault.name(hit.kind, hit.value, self._plan.origin)
            case documents.Redact.DENY:
                self.findings.denied = self.findings.denied or hit.kind
                return None
            case documents.Redact.OFF:
                return None
            case action:
                assert_never(action)

    def _restored(self, hit: lane.Hit) -> bytes | None:
        value = self._vault.value(hit.value, cleared=self._plan.restored is Restored.ALL)
        if value is None:
            return None
        self.findings.restored += 1
        if self._format is Format.TEXT:
            return value
        nested = hit.before.rfind(decoding.QUOTE) > hit.before.rfind(b'"')
        return decoding.escaped(value, 1 + nested)


_COSTLY: Final = (b"\\", b"\xc2\xa0", b"\xe2\x80")
_LINE_COST: Final = 6
_ADDRESS_COST: Final = 6
_DIGITS: Final = bytes(48 if chr(code) in "0123456789" else 32 for code in range(256))
_GROUP: Final = b" 0"
"""Where a group of digits begins, by _DIGITS."""
