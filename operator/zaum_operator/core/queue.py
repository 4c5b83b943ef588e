"""A work queue as a value machine: each key stands in it at most once, none is worked on by two.

A key that comes while it is worked on is taken again afterwards. Failures back off per key (0.5 s doubling to 5 min)
until a success; a key that keeps coming is taken at most `per_second` times a second, or BRISK_PER_SECOND while each
look may take a step that somebody waits for. Changes go before the backlog
of a start or a resync, which still gets every eighth turn. Namespaces take turns, so that one with many policies does
not starve the others. A key of a whole namespace runs alone in it: the guard is swept only while no policy of the
namespace is being reconciled. Times are seconds of any monotonic clock. No step costs more with more keys.
"""

import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from zaum_operator.core.keys import Key

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 300.0
PER_SECOND: Final = 5
BRISK_PER_SECOND: Final = 25
BACKLOG_TURN: Final = 8


class Class(Enum):
    """Why a key is due."""

    LIVE = "something has changed"
    BACKLOG = "a start or a resync looks at everything"


@dataclass(slots=True)
class _Lane:
    keys: dict[str, OrderedDict[Key, float]] = field(default_factory=dict)
    """By namespace, then by key: since when it is due."""
    turns: OrderedDict[str, None] = field(default_factory=OrderedDict)
    """Namespaces of which something may run; the first has the next turn."""


@dataclass(slots=True)
class Queue:
    """Keys that are due, keys that wait for their time, keys in work."""

    per_second: int = PER_SECOND
    _lanes: dict[Class, _Lane] = field(default_factory=lambda: {each: _Lane() for each in Class})
    _lane_of: dict[Key, Class] = field(default_factory=dict)
    _order: deque[tuple[float, Key]] = field(default_factory=deque)
    """Due keys by age, with such that are not due any more."""
    _later: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _working: set[Key] = field(default_factory=set)
    _busy: dict[str, set[Key]] = field(default_factory=dict)
    """Keys in work by namespace."""
    _parked: set[str] = field(default_factory=set)
    """Namespaces of which nothing may start before something else of them is done."""
    _dirty: dict[Key, Class] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _taken: OrderedDict[Key, tuple[float, int]] = field(default_factory=OrderedDict)
    """When a key's current second began, and how often it was taken in it."""
    _live_turns: int = 0

    def add(self, key: Key, *, now: float, backlog: bool = False, brisk: bool = False) -> None:
        """Make a key due now. What waited for a later time is looked at now instead."""
        kind = Class.BACKLOG if backlog else Class.LIVE
        if key in self._working:
            if self._dirty.get(key) is not Class.LIVE:
                self._dirty[key] = kind
            return
        began, count = self._taken.get(key, (now, 0))
        if count >= (BRISK_PER_SECOND if brisk else self.per_second) and now < began + 1:
            self.add_at(key, began + 1)
            return
        self._later.pop(key, None)
        self._add(key, kind, now)

    def add_at(self, key: Key, when: float) -> None:
        """Make a key due at a time, unless it is due earlier."""
        if key in self._lane_of or key in self._dirty:
            return
        if self._later.get(key, when + 1) > when:
            self._later[key] = when
            heapq.heappush(self._heap, (when, key))

    def take(self, *, now: float) -> Key | None:
        """Take the next key that may be worked on, or None. Whoever takes one says `done`."""
        self._ripen(now)
        self._prune()
        for kind in self._next_classes():
            lane = self._lanes[kind]
            while lane.turns:
                namespace = next(iter(lane.turns))
                key = next(iter(lane.keys[namespace]))
                if not self._may_run(key):
                    self._park(namespace)
                    continue
                self._remove(key, kind)
                self._begin(key, now)
                self._live_turns = self._live_turns + 1 if kind is Class.LIVE else 0
                return key
        return None

    def done(
        self, key: Key, *, now: float, failed: bool = False, again_at: float | None = None, brisk: bool = False
    ) -> None:
        """End the work on a key; look again at `again_at`, or after its pause when it failed."""
        self._end(key)
        came = self._dirty.pop(key, None)
        if failed:
            self._failures[key] = self._failures.get(key, 0) + 1
            self.add_at(key, now + self.pause(key))
            return
        self._failures.pop(key, None)
        if came is not None:
            self.add(key, now=now, backlog=came is Class.BACKLOG, brisk=brisk)
        elif again_at is not None:
            self.add_at(key, again_at)

    def pause(self, key: Key) -> float:
        """Give the pause after the failures that a key has had in a row, in seconds."""
        failures = self._failures.get(key, 0)
        return min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE) if failures else 0.0

    def next_time(self) -> float | None:
        """Give the time at which the next waiting key becomes due."""
        while self._heap and self._later.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def depth(self) -> int:
        """Count the keys that are due and not in work."""
        return len(self._lane_of)

    def working(self) -> int:
        """Count the keys in work."""
        return len(self._working)

    def oldest_age(self, *, now: float) -> float:
        """Give how long the oldest due key waits, in seconds; 0 when none does."""
        self._prune()
        return max(now - self._order[0][0], 0.0) if self._order else 0.0

    def _add(self, key: Key, kind: Class, now: float) -> None:
        """Stand in line; a key of the backlog that has changed goes over to the changes, and keeps its age."""
        standing = self._lane_of.get(key)
        since = now
        if standing is kind or standing is Class.LIVE:
            return
        if standing is not None:
            since = self._lanes[standing].keys[key.namespace][key]
            self._remove(key, standing)
        lane = self._lanes[kind]
        lane.keys.setdefault(key.namespace, OrderedDict())[key] = since
        self._lane_of[key] = kind
        if key.namespace not in self._parked:
            lane.turns.setdefault(key.namespace, None)
        if standing is None:
            self._order.append((since, key))

    def _prune(self) -> None:
        while self._order and self._since(self._order[0][1]) != self._order[0][0]:
            self._order.popleft()

    def _since(self, key: Key) -> float | None:
        kind = self._lane_of.get(key)
        return None if kind is None else self._lanes[kind].keys[key.namespace][key]

    def _next_classes(self) -> tuple[Class, ...]:
        if self._live_turns >= BACKLOG_TURN:
            return (Class.BACKLOG, Class.LIVE)
        return (Class.LIVE, Class.BACKLOG)

    def _ripen(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._later.get(key) == when:
                del self._later[key]
                self.add(key, now=now)

    def _may_run(self, key: Key) -> bool:
        busy = self._busy.get(key.namespace)
        if not busy:
            return True
        return not key.whole_namespace and Key(key.namespace) not in busy

    def _park(self, namespace: str) -> None:
        """Let nothing more of a namespace start: a key of the whole of it has its turn, or is at work."""
        self._parked.add(namespace)
        for lane in self._lanes.values():
            lane.turns.pop(namespace, None)

    def _begin(self, key: Key, now: float) -> None:
        self._working.add(key)
        self._busy.setdefault(key.namespace, set()).add(key)
        began, count = self._taken.pop(key, (now, 0))
        self._taken[key] = (now, 1) if now >= began + 1 else (began, count + 1)
        while self._taken and (oldest := next(iter(self._taken))) != key and self._taken[oldest][0] + 2 < now:
            del self._taken[oldest]

    def _end(self, key: Key) -> None:
        self._working.discard(key)
        busy = self._busy.get(key.namespace, set())
        busy.discard(key)
        if not busy:
            self._busy.pop(key.namespace, None)
        if key.namespace in self._parked:
            self._parked.discard(key.namespace)
            for lane in self._lanes.values():
                if key.namespace in lane.keys:
                    lane.turns.setdefault(key.namespace, None)

    def _remove(self, key: Key, kind: Class) -> None:
        """Take a key out; its namespace goes to the end of the turn."""
        lane = self._lanes[kind]
        del lane.keys[key.namespace][key]
        del self._lane_of[key]
        lane.turns.pop(key.namespace, None)
        if lane.keys[key.namespace]:
            if key.namespace not in self._parked:
                lane.turns[key.namespace] = None
        else:
            del lane.keys[key.namespace]
