"""The master keys of the gateway's sessions: when the next one comes, and the patches that write it.

The operator makes them and never sees them again: of the Secret its volume shows the revision and the time alone, and
the key before is copied inside the API server. Gateways accept sessions of both, so a rotation ends none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zaum_operator.core.certificates import stored
from zaum_operator.core.kinds import Operations

MADE: Final = "made"
CURRENT: Final = "current"
PREVIOUS: Final = "previous"
SHOWN: Final = (stored.REVISION, MADE)
"""What of the Secret the operator's volume shows: no key."""
LIFE_SECONDS: Final = 24 * 3600
"""Much longer than a session (ten minutes) and than kubelets need: the key before is out of use when it is dropped."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the volume shows; a revision of 0 is an empty Secret. `made` in seconds since the epoch."""

    revision: int
    made: int

    @staticmethod
    def read(data: Mapping[str, bytes]) -> "Seen":
        """Read the two keys."""
        return Seen(stored.number(data, stored.REVISION), stored.number(data, MADE))


def due(seen: Seen, *, now: int) -> bool:
    """Say whether a key is to be written now. One from the future is replaced: no gateway would come to use it."""
    return not seen.revision or not 0 <= now - seen.made < LIFE_SECONDS


def patches(seen: Seen, *, now: int, key: str, spare: str) -> tuple[Operations, ...]:
    """Give the patches that write `key` (64 hex digits) on top of what was seen, to be tried until one is taken.

    An empty Secret gets `spare` as the key before, because the authorizers' pods wait for both files.
    """
    revision = seen.revision + 1
    data = {
        stored.REVISION: str(revision).encode("ascii"),
        MADE: str(now).encode("ascii"),
        CURRENT: f"{revision} {now} {key}".encode("ascii"),
    }
    if not seen.revision:
        return stored.patches(seen=0, data=data | {PREVIOUS: f"0 0 {spare}".encode("ascii")})
    ((test, *onto),) = stored.patches(seen=seen.revision, data=data)
    return ([test, {"op": "copy", "from": f"/data/{CURRENT}", "path": f"/data/{PREVIOUS}"}, *onto],)
