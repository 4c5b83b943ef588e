"""Count what a user asked of the API server, by the API server's own audit log."""

import json
from collections import Counter
from pathlib import Path
from typing import IO, Any, Final

WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
LEASES: Final = "leases"


class Audit:
    """Reads on where it stopped, also over the log's rotation; one line is one request."""

    def __init__(self, path: Path, user: str) -> None:
        self.path = path
        self.user = user
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self._file: IO[bytes] = path.open("rb")
        self._file.seek(0, 2)
        self._rest = b""

    def read(self) -> "Counter[tuple[str, str, int]]":
        """Return how often each (verb, resource with subresource, status) was asked since the beginning."""
        while True:
            self._lines()
            if not self._rotated():
                return Counter(self.counts)
            self._lines()
            self._file.close()
            self._file, self._rest = self.path.open("rb"), b""

    def _rotated(self) -> bool:
        try:
            return self.path.stat().st_ino != Path(f"/proc/self/fd/{self._file.fileno()}").stat().st_ino
        except FileNotFoundError:
            return False  # between the rename and the new file

    def _lines(self) -> None:
        wanted = json.dumps(self.user).encode()
        while chunk := self._file.read(1 << 20):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                if wanted in line:
                    self._count(json.loads(line))

    def _count(self, event: dict[str, Any]) -> None:
        reference = event.get("objectRef")
        if event["user"]["username"] != self.user or reference is None or event["stage"] != "ResponseComplete":
            return
        resource = "/".join(part for part in (reference["resource"], reference.get("subresource")) if part)
        self.counts[event["verb"], resource, int(event.get("responseStatus", {}).get("code", 0))] += 1


def writes(counts: "Counter[tuple[str, str, int]]") -> int:
    """Add up the requests that change something, whatever came of them; the leader's Lease is set apart."""
    return sum(count for (verb, resource, _), count in counts.items() if verb in WRITES and resource != LEASES)


def reads(counts: "Counter[tuple[str, str, int]]") -> int:
    """Add up the requests that only look; a watch counts once, when it ends."""
    return sum(count for (verb, resource, _), count in counts.items() if verb not in WRITES and resource != LEASES)
