"""What the store holds now, kept up by its own watch: whoever plays a part looks here instead of asking."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.history import Change, Object, Place

LOOP: Final = frozenset({"incidents", "pods", "networkpolicies"})
"""What the loop writes."""
TURN_SECONDS: Final = 0.02


class NotSoonError(AssertionError):
    """What was waited for did not come in time."""


@dataclass
class Latest:
    """All objects at the newest revision. Any thread may ask."""

    seen: list[Change]
    """What somebody else adds to: of one object in the order of its revisions."""
    _objects: dict[Place, Object] = field(default_factory=dict)
    _read: int = 0
    _writes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def all(self, resource: str, namespace: str = "") -> list[Object]:
        """Give all of one resource, of one namespace or of all."""
        with self._lock:
            self._catch_up()
            return [obj for place, obj in self._objects.items() if place[0] == resource and namespace in ("", place[1])]

    def find(self, place: Place) -> Object | None:
        """Give one object."""
        with self._lock:
            self._catch_up()
            return self._objects.get(place)

    @property
    def writes(self) -> int:
        """Count the writes of the loop until now."""
        with self._lock:
            self._catch_up()
            return self._writes

    def until(
        self, what: str, holds: Callable[[], bool], *, seconds: float, unless: threading.Event | None = None
    ) -> bool:
        """Wait until something is so; False when `unless` comes first. NotSoonError when time is up."""
        deadline = time.monotonic() + seconds
        while not holds():
            if unless is not None and unless.is_set():
                return False
            if time.monotonic() > deadline:
                raise NotSoonError(f"{what}: not within {seconds:.0f} s")
            time.sleep(TURN_SECONDS)
        return True

    def _catch_up(self) -> None:
        changes = self.seen
        while self._read < len(changes):
            change = changes[self._read]
            self._read += 1
            self._writes += change.place[0] in LOOP
            if change.obj is None:
                self._objects.pop(change.place, None)
            else:
                self._objects[change.place] = change.obj
