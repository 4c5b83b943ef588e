"""When the watchdog speaks to the ledger, and with which number.

| happens                    | the next Sync is              | when                                       |
|----------------------------|-------------------------------|--------------------------------------------|
| answered                   | a new one                     | in PERIOD, at once where something is needed |
| not answered               | the same, byte by byte        | after a pause that doubles                 |
| 429, 503, 401, 403         | the same                      | the same pause, and not before Retry-After |
| 409: the session is lost   | the first of a new session    | after such a pause                         |
| 400 of the newest version  | a new one, as version v1      | after such a pause                         |
| any other refusal          | a new one                     | after such a pause                         |

A ledger that is older than its watchdogs cannot read what policies say of breaches: it hears v1, which lends and
settles all the same, and the newest is tried again after OLDER_SYNCS, or when it was away. A breach is told by the dead
pod then.

One is out at a time. Times are monotonic nanoseconds; `dice` is a number from 0 to 1, which the caller draws.
"""

from typing import Final

from zaum_api import documents
from zaum_watchdog.core import rate

SECOND: Final = 1_000_000_000
PERIOD: Final = 10 * SECOND
FIRST_PAUSE: Final = SECOND // 4
LONGEST_PAUSE: Final = 5 * SECOND
SESSION_LOST: Final = 409
UNREADABLE: Final = 400
NO_ANSWER: Final = 0
OLDER_SYNCS: Final = 6
"""How many are said as v1 before the newest version is tried again: about a minute."""
REPEATED: Final = frozenset({0, 401, 403, 429, 503})
"""What says nothing of the Sync itself; 0: there was no answer."""
RATE: Final = documents.RequestRate(480, 30)
"""How often we speak at most: somewhat less than the ledger hears."""


class Syncing:
    """One session after another."""

    __slots__ = (
        "_after",
        "_at",
        "_newest",
        "_older",
        "_rate",
        "_wanted",
        "failures",
        "out",
        "raw",
        "returned",
        "sent",
        "sequence",
        "session",
    )

    def __init__(self) -> None:
        self.session = ""
        self.sequence = 0
        self.out = False
        """One waits for its answer."""
        self.raw = b""
        """What is to be sent again; empty where the next one is a new one."""
        self.returned: tuple[str, ...] = ()
        """What `raw` gives back."""
        self.sent = 0
        self.failures = 0
        self._rate = rate.Meter(RATE)
        self._at = 0
        self._after = 0
        self._wanted = True
        self._newest = False
        self._older = 0

    @property
    def older(self) -> bool:
        """Say whether the next new one is said as v1."""
        return self._older > 0

    def want(self) -> None:
        """Ask for an answer as soon as there may be one."""
        self._wanted = True

    def wait(self, now: int) -> int:
        """Give the nanoseconds until one may be sent, 0 for now. Not to be asked while one is out."""
        due = self._after if self.failures or self._wanted else self._at
        return max(0, due - now)

    def paced(self, now: int) -> int:
        """Take one from the rate: 0, or the nanoseconds to wait for it."""
        return self._rate.take(now)

    def say(self, sync: documents.Sync) -> bytes:
        """Make the next one's bytes, of what its sequence was asked for."""
        self.sequence = sync.sequence
        self.raw, self.returned = sync.dump(), sync.returned
        self._newest = sync.containment is not None
        return self.raw

    def went(self, now: int) -> None:
        """Note that it is out."""
        self.out, self.sent, self._wanted = True, now, False

    def heard(self, session: str, now: int, dice: float) -> None:
        """Note the answer."""
        self.session = session
        self._older = max(self._older - 1, 0)
        self._done(now)
        self.failures = self._after = 0
        self._at = now + int(PERIOD * (0.9 + 0.2 * dice))

    def refused(self, status: int, retry_after: int, now: int, dice: float) -> bool:
        """Note that there was none, or a refusal; say whether the session is lost."""
        pause = min(FIRST_PAUSE << min(self.failures, 8), LONGEST_PAUSE)
        self.failures += 1
        self.out = False
        self._after = now + max(int(pause * (0.5 + dice / 2)), retry_after * SECOND)
        if status in REPEATED:
            self._older = 0 if status == NO_ANSWER else self._older  # Another ledger may answer next.
            return False
        self.raw, self.returned = b"", ()
        if status == UNREADABLE and self._newest:
            self._older = OLDER_SYNCS
        if status == SESSION_LOST:
            self.session, self.sequence = "", 0
        return status == SESSION_LOST

    def _done(self, now: int) -> None:
        self.out, self.raw, self.returned = False, b"", ()
        self._at = now + PERIOD
