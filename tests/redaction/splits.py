"""Split a body in every place, in two and in three, and see that the same comes out.

A body of a kilobyte has half a million splits in three. Most of them leave the redactor in a state that another split
has left it in, and from one state there is one way on: that is gone once.
"""

from dataclasses import dataclass
from math import comb

from tests.redaction import bodies
from zaum_watchdog.core.redaction import lane, redactor, searching
from zaum_watchdog.core.redaction.redactor import Format

_SHARED = frozenset(("_plan", "_format", "_vault", "_search", "_replace"))
"""What is the same in all redactors here, or says nothing of what comes out next."""

State = tuple[object, ...]


@dataclass
class Counted:
    """How many splits gave the same, and how many ways were gone from behind the last cut to the end for it."""

    in_two: int = 0
    in_three: int = 0
    ways: int = 0


class Splits:
    """All splits of one body."""

    def __init__(self, library: searching.Prefilter, form: Format, body: bytes) -> None:
        self._library, self._form, self._body = library, form, body
        self._whole = bodies.Run(library, form=form).over(body)
        self._rest: list[dict[State, bytes]] = [{} for _ in body]

    def every(self, counted: Counted) -> tuple[int, ...]:
        """Try them all; give the cuts of the first that makes a difference, none if none does."""
        for first in range(1, len(self._body)):
            run = bodies.Run(self._library, form=self._form)
            out = run.feed(self._body[:first])
            if not self._same(run, out, first):
                return (first,)
            for second in range(first + 1, len(self._body)):
                other = forked(run)
                if not self._same(other, out + other.feed(self._body[first:second]), second):
                    return first, second
        counted.in_two += len(self._body) - 1
        counted.in_three += comb(len(self._body) - 1, 2)
        counted.ways += sum(map(len, self._rest))
        return ()

    def _same(self, run: bodies.Run, out: bytes, cut: int) -> bool:
        """Let a run go on from a cut, or look up how one went on that had come as far."""
        known, now = self._rest[cut], state(run.redactor)
        if now not in known:
            last = forked(run)
            known[now] = last.feed(self._body[cut:]) + last.redactor.end()
        return out + known[now] == self._whole


def state(one: redactor.Redactor | lane.Lane) -> State:
    """Give all that decides what comes out next, and some that does not."""
    return tuple(_frozen(getattr(one, slot)) for slot in one.__slots__ if slot not in _SHARED)


def _frozen(value: object) -> object:
    match value:
        case lane.Lane():
            return state(value)
        case list():
            return tuple(value)
        case dict():
            return tuple((name, _frozen(each)) for name, each in value.items())
        case redactor.Findings():
            return value.denied
        case _:
            return value


def forked(run: bodies.Run) -> bodies.Run:
    """Give another run that has come as far; the names of values are the same in both."""
    one, other = run.redactor, object.__new__(redactor.Redactor)
    for slot in one.__slots__:
        setattr(other, slot, _copied(getattr(one, slot)))
    other._outer = _lane(one._outer, other._outside)
    other._lanes = {name: _lane(each, other._inside) for name, each in one._lanes.items()}
    fork = object.__new__(bodies.Run)
    fork.redactor = other
    return fork


def _lane(one: lane.Lane, replace: lane.Replace) -> lane.Lane:
    other = object.__new__(lane.Lane)
    for slot in one.__slots__:
        setattr(other, slot, _copied(getattr(one, slot)))
    other._replace = replace
    return other


def _copied(value: object) -> object:
    match value:
        case list():
            return list(value)
        case redactor.Findings():
            return redactor.Findings(value.found.copy(), value.restored, value.denied)
        case _:
            return value
