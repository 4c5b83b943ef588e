"""Files that a test lays out for the website to give: the way in to a pod that can reach nothing else."""

import pathlib
import re
from dataclasses import dataclass
from typing import Final

from tests.cluster.world import http1

FOLDER: Final = "shelf"
_PATH: Final = re.compile(r"/shelf/([a-z0-9][a-z0-9.-]{0,100})")


@dataclass(frozen=True, slots=True)
class Shelf:
    """One folder; what is not there is a 404."""

    folder: pathlib.Path

    def find(self, request: http1.Request) -> http1.Answer | None:
        """Answer for a path below /shelf/; None for every other."""
        found = _PATH.fullmatch(request.path)
        if not found or request.method != "GET":
            return None
        try:
            return http1.Answer(status=200, body=(self.folder / found[1]).read_bytes(), content_type="application/json")
        except FileNotFoundError:
            return http1.Answer(status=404, body=b"Not yet.\n")
