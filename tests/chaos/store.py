"""Read etcd's watch for the time of a storm, in a thread of its own: nothing that the storm does holds it up."""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from tests.chaos import history
from tests.chaos.history import Change, HistoryError

URL: Final = "http://127.0.0.1:2379"
READ_SECONDS: Final = 30.0


def _key(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_RANGE: Final = {"key": _key("/registry/"), "range_end": _key("/registry0")}


@dataclass
class Store:
    """Keeps every change from `start` on. `error`: why the history has a hole, if it has one."""

    changes: list[Change] = field(default_factory=list)
    error: str = ""
    last: float = 0.0
    """When a change of an object that is judged was last seen."""
    _http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Take in what is there, and watch from the next revision on."""
        listed = self._ask("range", {**_RANGE})
        revision = int(listed["header"]["revision"])
        events = [{"kv": item} for item in listed.get("kvs") or ()]
        self._take(json.dumps({"result": {"events": events}}).encode())
        self.changes.sort(key=lambda change: change.revision)
        self._thread = threading.Thread(target=self._watch, args=(revision + 1,), name="store", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching, after everything that was stored until now has come."""
        revision = int(self._ask("range", {**_RANGE, "limit": "1", "keys_only": True})["header"]["revision"])
        deadline = time.monotonic() + 10
        while not self.error and self._seen() < revision and time.monotonic() < deadline:
            time.sleep(0.05)
        self._stop.set()

    def newest(self, place: history.Place) -> history.Object | None:
        """Give an object as it was stored last."""
        for change in reversed(self.changes):
            if change.place == place:
                return change.obj
        return None

    def _seen(self) -> int:
        # Revisions of what is not judged are not kept: the node's leases alone bring the next one soon.
        return self._revision

    _revision: int = 0

    def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.request("POST", f"{URL}/v3/kv/{what}", body=json.dumps(body), timeout=READ_SECONDS)
        if answer.status != 200:
            raise HistoryError(f"the store answers {answer.status}")
        return dict(json.loads(answer.data))

    def _watch(self, revision: int) -> None:
        following = revision
        while not self._stop.is_set():
            body = {"create_request": {**_RANGE, "start_revision": str(following)}}
            try:
                answer = self._http.request(
                    "POST", f"{URL}/v3/watch", body=json.dumps(body), preload_content=False,
                    timeout=urllib3.Timeout(connect=5.0, read=READ_SECONDS),
                )  # fmt: skip
                self._read(answer)
            except urllib3.exceptions.HTTPError:
                pass  # silence, or a cut: go on from the revision that came last
            except (HistoryError, ValueError) as error:
                self.error = str(error)
                return
            following = max(following, self._revision + 1)

    def _read(self, answer: Any) -> None:
        rest = b""
        try:
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        self._take(line)
                if self._stop.is_set():
                    return
        finally:
            answer.close()

    def _take(self, line: bytes) -> None:
        now = time.monotonic()
        found = history.changes(line, at=now)
        self.changes += found
        if any(change.place[0] not in {"leases", "events"} for change in found):
            self.last = now
        for event in (json.loads(line).get("result") or {}).get("events") or ():
            self._revision = max(self._revision, int(event["kv"]["mod_revision"]))
