"""Whom the bench asks: the world, the kernel, the watchdog's log, the kubelet, the API server's audit log."""

import contextlib
import json
import os
import select
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import urllib3

from bench.contain.times import moment
from tests.support.e2e import kills
from tests.support.e2e.api import Api, Object, RefusedError
from zaum_api import contract

LIMITED: Final = 429
WATCHED_SECONDS: Final = 120.0
_AWAY: Final = (OSError, urllib3.exceptions.HTTPError)
"""How the API server's absence shows: what was not seen for it is missing in the records, and is said to be."""


class Lines:
    """Reads on in a file of JSON lines that another process writes and may rotate; keeps what has a word in it."""

    def __init__(self, path: Path, *words: bytes) -> None:
        self._path, self._words = path, words
        self._file: IO[bytes] = path.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def read(self) -> list[Any]:
        """Give what came since the last time."""
        found = list(self._new())
        if self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino:
            found += self._new()
            self._file.close()
            self._file, self._rest = self._path.open("rb"), b""
            found += self._new()
        return found

    def close(self) -> None:
        """Read no more."""
        self._file.close()

    def _new(self) -> Iterator[Any]:
        while chunk := self._file.read(1 << 20):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines if any(word in line for word in self._words))


class Ear:
    """What the world heard of each agent, by its name: when it talked, and when it asked for its orders."""

    def __init__(self, log: Path) -> None:
        self._lines = Lines(log, b'"https"')
        self.talk: dict[str, list[float]] = defaultdict(list)
        self.calm: dict[str, list[float]] = defaultdict(list)

    def close(self) -> None:
        """Listen no more."""
        self._lines.close()

    def listen(self) -> None:
        """Take in what came."""
        for record in self._lines.read():
            path, _, name = record["detail"].get("target", "").partition("talk=")
            if name:
                self.talk[name].append(record["t"])
            elif path.startswith("/shelf/"):
                self.calm[path.removeprefix("/shelf/")].append(record["t"])

    def heard(self, name: str) -> list[float]:
        """Give all that was heard of an agent, in its order."""
        return sorted(self.talk[name] + self.calm[name])

    def until(self, name: str, count: int, *, calm: bool = False, seconds: float = 60.0) -> None:
        """Wait until so much was heard; TimeoutError after that."""
        deadline = time.monotonic() + seconds
        while len((self.calm if calm else self.talk)[name]) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the world does not hear {name} {'ask for orders' if calm else 'talk'}")
            time.sleep(0.05)  # A file tells nobody that it grows.
            self.listen()


class Removals:
    """When requests came that took pods' objects away, by the API server's audit log."""

    def __init__(self, log: Path) -> None:
        self._lines = Lines(log, b'"verb":"delete"')
        self._found: dict[tuple[str, str], float] = {}

    def close(self) -> None:
        """Read no more."""
        self._lines.close()

    def of(self, pod: Object) -> float | None:
        """Give the last one that was answered with success: a pod is marked before it is removed."""
        for event in self._lines.read():
            place = event.get("objectRef") or {}
            done = event.get("responseStatus", {}).get("code") == 200 and event["stage"] == "ResponseComplete"
            if place.get("resource") == "pods" and "subresource" not in place and done:
                key = (place.get("namespace", ""), place.get("name", ""))
                self._found[key] = moment(event["requestReceivedTimestamp"])
        return self._found.get((pod["metadata"]["namespace"], pod["metadata"]["name"]))


class Process:
    """When the agent's process ended, by the kernel (pidfd_open(2))."""

    def __init__(self, pod: Object) -> None:
        self.ended: float | None = None
        self._descriptor = os.pidfd_open(kills.process_of(pod, contract.CONTAINER_AGENT))
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if poll.poll(300_000):
            self.ended = time.time()
        os.close(self._descriptor)

    def until(self, seconds: float) -> float | None:
        """Wait for the end, no longer than that."""
        self._thread.join(seconds)
        return self.ended


class Watchdog:
    """What a pod's watchdog logs."""

    def __init__(self, pod: Object) -> None:
        self._where = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        self.lines: list[Object] = []
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with contextlib.suppress(RefusedError, json.JSONDecodeError, *_AWAY):
            for line in Api().log(*self._where, container=contract.CONTAINER_WATCHDOG, seconds=300):
                if line.startswith("{"):
                    self.lines.append(json.loads(line))

    def until_ended(self, seconds: float) -> None:
        """Wait for the log's end."""
        self._thread.join(seconds)

    def said(self, kind: str, **fields: str) -> float | None:
        """Give when it first said so."""
        lines = (line for line in self.lines if line.get("kind") == kind)
        return next((moment(line["ts"]) for line in lines if fields.items() <= line.items()), None)

    def limited(self) -> list[float]:
        """Give when it refused requests by their rate."""
        return [moment(line["ts"]) for line in [*self.lines] if line.get("status") == LIMITED]


class Pods:
    """Each pod of a namespace as it was last seen, until `close`: its status outlives the object here."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._over = threading.Event()
        self.last: dict[str, Object] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def close(self) -> None:
        """Look no more, soon."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            with contextlib.suppress(RefusedError, *_AWAY):
                for _, pod in Api().changes("pods", self._namespace, seconds=WATCHED_SECONDS):
                    self.last[pod["metadata"]["name"]] = pod

    def others(self, policy: str, name: str) -> list[str]:
        """Give the policy's pods beside that one, also those that are gone by now."""
        labels = ((each, pod["metadata"].get("labels", {})) for each, pod in [*self.last.items()])
        return [each for each, held in labels if held.get(contract.LABEL_POLICY) == policy and each != name]

    def finished(self, name: str) -> float | None:
        """Give when the kubelet says that the agent's container ended."""
        states = self.last.get(name, {}).get("status", {}).get("containerStatuses", ())
        ends = [item["state"].get("terminated", {}) for item in states if item["name"] == contract.CONTAINER_AGENT]
        return moment(ends[0]["finishedAt"]) if ends and ends[0].get("finishedAt") else None
