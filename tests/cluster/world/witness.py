"""Write down what arrived in the world, and read it again: the tests' witness.

One JSON object per line in `log.jsonl`, written before the answer leaves and flushed at once.
"""

import json
import pathlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Final

LOG_NAME: Final = "log.jsonl"

Detail = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One arrival. `t` is seconds since the epoch; `src` and `dst` are bare addresses.

    `proto`: `tcp` (a connection was accepted), `tls` (handshake over, or failed), `http`, `https` (a request),
    `udp` (a datagram), `dns` (a question).
    """

    t: float
    service: str
    proto: str
    src: str
    sport: int
    dst: str
    dport: int
    detail: Detail


class Witness:
    """Append sightings to one file. Not thread-safe: the world has one thread."""

    def __init__(self, directory: pathlib.Path) -> None:
        path = directory / LOG_NAME
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def saw(
        self, *, service: str, proto: str, source: tuple[str, int], place: tuple[str, int], **detail: str | int | bool
    ) -> None:
        """Record one arrival, flushed before this returns."""
        sighting = Sighting(
            t=round(time.time(), 6),
            service=service,
            proto=proto,
            src=source[0],
            sport=source[1],
            dst=place[0],
            dport=place[1],
            detail=detail,
        )
        self._file.write(json.dumps(asdict(sighting), separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def parse(line: str) -> Sighting:
    """Read one line of the log."""
    return Sighting(**json.loads(line))


def sightings(directory: pathlib.Path, *, since: float = 0.0) -> Iterator[Sighting]:
    """Give what arrived at or after `since` (seconds since the epoch). A line being written just now is left out."""
    with (directory / LOG_NAME).open(encoding="utf-8") as log:
        for line in log:
            if line.endswith("\n"):
                sighting = parse(line)
                if sighting.t >= since:
                    yield sighting
