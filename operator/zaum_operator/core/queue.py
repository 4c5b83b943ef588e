"""A work queue as a value machine: each key stands in it at most once, none is worked on by two.

A key that comes while it is worked on is taken again afterwards. Failures back off per key (0.5 s doubling to 5 min)
until a success. Namespaces take turns, so that one with many policies does not starve the others. A key of a whole
namespace runs alone in it: the guard is swept only while no policy of the namespace is being reconciled.
Times are seconds of any monotonic clock.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from zaum_operator.core.keys import Key

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 300.0


@dataclass(slots=True)
class Queue:
    """Keys that are due, keys that wait for their time, keys in work."""

    _due: OrderedDict[str, OrderedDict[Key, float]] = field(default_factory=OrderedDict)
    """By namespace, then by key: since when it is due. The first namespace has the next turn."""
    _later: dict[Key, float] = field(default_factory=dict)
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _working: set[Key] = field(default_factory=set)
    _dirty: set[Key] = field(default_factory=set)
    _failures: dict[Key, int] = field(default_factory=dict)

    def add(self, key: Key, *, now: float) -> None:
        """Make a key due now. What waited for a later time is looked at now instead."""
        self._later.pop(key, None)
        if key in self._working:
            self._dirty.add(key)
            return
        self._due.setdefault(key.namespace, OrderedDict()).setdefault(key, now)

    def add_at(self, key: Key, when: float) -> None:
        """Make a key due at a time, unless it is due earlier."""
        if self._is_due(key) or key in self._dirty:
            return
        if self._later.get(key, when + 1) > when:
            self._later[key] = when
            heapq.heappush(self._heap, (when, key))

    def take(self, *, now: float) -> Key | None:
        """Take the next key that may be worked on, or None. Whoever takes one says `done`."""
        self._ripen(now)
        for namespace in list(self._due):
            for key in self._due[namespace]:
                if self._may_run(key):
                    self._remove(key)
                    self._working.add(key)
                    return key
                if key.whole_namespace:
                    break  # its turn has come: nothing else of this namespace starts before it
        return None

    def done(self, key: Key, *, now: float, failed: bool = False, again_at: float | None = None) -> None:
        """End the work on a key; look again at `again_at`, or after its pause when it failed."""
        self._working.discard(key)
        if failed:
            self._failures[key] = self._failures.get(key, 0) + 1
        else:
            self._failures.pop(key, None)
        if key in self._dirty and not failed:
            self._dirty.discard(key)
            self.add(key, now=now)
            return
        self._dirty.discard(key)
        if failed:
            self.add_at(key, now + self.pause(key))
        elif again_at is not None:
            self.add_at(key, again_at)

    def pause(self, key: Key) -> float:
        """Give the pause after the failures that a key has had in a row, in seconds."""
        failures = self._failures.get(key, 0)
        return min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE) if failures else 0.0

    def next_time(self) -> float | None:
        """Give the time at which the next waiting key becomes due."""
        return min(self._later.values(), default=None)

    def depth(self) -> int:
        """Count the keys that are due and not in work."""
        return sum(len(keys) for keys in self._due.values())

    def oldest_age(self, *, now: float) -> float:
        """Give how long the oldest due key waits, in seconds; 0 when none does."""
        since = [when for keys in self._due.values() for when in keys.values()]
        return max((now - when for when in since), default=0.0)

    def _ripen(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._later.get(key) == when:
                self.add(key, now=now)

    def _may_run(self, key: Key) -> bool:
        others = [other for other in self._working if other.namespace == key.namespace]
        if key in self._working or any(other.whole_namespace for other in others):
            return False
        return not others if key.whole_namespace else True

    def _remove(self, key: Key) -> None:
        """Take a key out; its namespace goes to the end of the turn."""
        keys = self._due.pop(key.namespace)
        del keys[key]
        if keys:
            self._due[key.namespace] = keys

    def _is_due(self, key: Key) -> bool:
        return key in self._due.get(key.namespace, ())
