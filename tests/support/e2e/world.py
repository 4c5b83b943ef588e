"""Read what the world saw: the witness that does not depend on what a pod says of itself."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.support.e2e.api import Object


@dataclass(frozen=True)
class World:
    """The log of everything that reached the addresses which play the internet."""

    log: Path

    def mark(self) -> int:
        """Give a place in the log, to be handed to `since`."""
        return self.log.stat().st_size

    def since(self, mark: int) -> list[Object]:
        """Give the records that were written after the mark."""
        with self.log.open("rb") as opened:
            opened.seek(mark)
            return [json.loads(line) for line in opened.read().splitlines() if line.endswith(b"}")]

    def seen_from(self, sources: set[str], mark: int) -> list[Object]:
        """Give the records that came from any of these addresses."""
        return [record for record in self.since(mark) if record["src"] in sources]


def pod_addresses(pod: Object) -> set[str]:
    """Give a pod's addresses of both families, as the world would see them."""
    return {item["ip"] for item in pod["status"]["podIPs"]}
