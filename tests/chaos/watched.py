"""Read what happens through the API server's own watches, where the store cannot be read: one thread for each kind.

The revisions of all kinds are one count, so their changes can be put into one order. A list fills what a restart of
the API server hid: what came and went within it stays hidden.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

import urllib3

from tests.chaos.history import Change, Object, Place
from tests.support.e2e.api import Api, RefusedError

RESOURCES: Final = (
    "agentpolicies",
    "networkpolicies",
    "serviceaccounts",
    "configmaps",
    "resourcequotas",
    "services",
    "pods",
    "leases",
    "incidents",
)
TURN_SECONDS: Final = 30.0


@dataclass
class Watched:
    """Keeps every change in some namespaces from `start` on."""

    namespaces: tuple[str, ...]
    found: list[Change] = field(default_factory=list)
    last: float = 0.0
    _known: dict[Place, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Watch, until `stop`."""
        for resource in RESOURCES:
            thread = threading.Thread(target=self._watch, args=(resource,), name=resource, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    def changes(self) -> list[Change]:
        """Give all changes in the order of their revisions."""
        with self._lock:
            return sorted(self.found, key=lambda change: change.revision)

    def newest(self, place: Place) -> Object | None:
        """Give an object as it was seen last."""
        return next((change.obj for change in reversed(self.changes()) if change.place == place), None)

    def _watch(self, resource: str) -> None:
        api = Api()
        while not self._stop.is_set():
            try:
                self._turn(api, resource)
            except (RefusedError, urllib3.exceptions.HTTPError):
                self._stop.wait(0.1)  # the API server is away, or the revision is too old: list again

    def _turn(self, api: Api, resource: str) -> None:
        listed: set[Place] | None = set()
        version = 0
        for kind, obj in api.changes(resource, "", seconds=TURN_SECONDS):
            meta = obj["metadata"]
            place = (resource, meta.get("namespace", ""), meta["name"])
            version = max(version, int(meta["resourceVersion"]))
            if kind == "LISTED" and listed is not None:
                listed.add(place)
            elif listed is not None:
                self._forget(resource, listed, version)
                listed = None
            there = None if kind == "DELETED" else obj
            self._take(place, int(meta["resourceVersion"]), there, listed=kind == "LISTED")
            if self._stop.is_set():
                return
        if listed is not None and version:
            self._forget(resource, listed, version)

    def _take(self, place: Place, revision: int, obj: Object | None, *, listed: bool = False) -> None:
        if place[1] not in self.namespaces:
            return
        with self._lock:
            if self._known.get(place, 0) >= revision:
                return
            self._known[place] = revision
            self.found.append(Change(revision, time.monotonic(), place, obj, listed))
            if place[0] != "leases":
                self.last = time.monotonic()
            if obj is None:
                del self._known[place]

    def _forget(self, resource: str, listed: set[Place], version: int) -> None:
        """Take away what a list does not hold any more."""
        gone = [place for place in self._known if place[0] == resource and place not in listed]
        for place in gone:
            self._take(place, max(version, self._known[place] + 1), None)
