"""What a watchdog says of itself, through the gateway to the authorizer, and from there to the operator.

The authorizer knows from the token which pod speaks; nothing in here says so. Held in memory alone and sent again
every period: what is lost comes back.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields

REPORT_VERSION: Final = "v1"
CONTAINED_VERSION: Final = "v2"
"""Of a report that says how far the watchdog's own ladder is."""
REPORT_MAX_BYTES: Final = 8 * 1024
_COUNT_MAX: Final = 2**53
CONTROL: Final = "control"
"""The target's name where the cage test's own control failed: the gateway did not refuse what it must refuse."""
ESCAPES_MAX: Final = 16
_WORD: Final = re.compile(r"[A-Za-z0-9]{0,64}")


class Outcome(StrEnum):
    """By which a target counts as reached. Any other outcome says why the test proves nothing."""

    CONNECTED = "connected"
    REFUSED = "refused"
    """By the target, or by a firewall that cannot be told from it."""
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Escape:
    """A target of the cage test that was reached, or a control that failed: its name, address and what happened."""

    target: str
    address: str
    outcome: str

    @property
    def reached(self) -> bool:
        """Say whether the target was reached; else the test could not be made, which proves neither."""
        return self.target != CONTROL and self.outcome in set(Outcome)

    @staticmethod
    def read(value: object, place: str) -> "Escape":
        """Read one."""
        fields = Fields(value, place)
        escape = Escape(fields.text("target"), fields.text("address", empty=True), fields.text("outcome"))
        fields.end()
        if max(len(escape.target), len(escape.address), len(escape.outcome)) > 128:
            raise DocumentError(place, "holds a text of more than 128 characters")
        return escape

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"target": self.target, "address": self.address, "outcome": self.outcome}


class Rung(StrEnum):
    """How far a watchdog has gone with its agent by itself, or by order."""

    FREE = "Free"
    THROTTLED = "Throttled"
    """A tenth of the rates is left."""
    CUT = "Cut"
    """Every connection is closed and none is let through; the agent lives."""
    KILLED = "Killed"
    """And the agent is being ended. There is no way back."""


@dataclass(frozen=True, slots=True)
class Contained:
    """How far, and for what: `breach` is a word (a `contract.Breach`, or an order's reason), empty while free.

    `would_kill`: how many breaches the mode Report has let pass since the watchdog's start. `since`: when the rung was
    taken, in milliseconds since the epoch by the pod's node: of two words of one pod the newer has the later one.
    """

    rung: Rung
    breach: str
    would_kill: int
    since: int = 0

    @property
    def cut(self) -> bool:
        """Say whether nothing leaves the pod any more."""
        return self.rung in {Rung.CUT, Rung.KILLED}

    @staticmethod
    def read(value: object, place: str) -> "Contained":
        """Read it."""
        fields = Fields(value, place)
        contained = Contained(
            rung=fields.one("rung", _rung),
            breach=fields.one("breach", _word),
            would_kill=fields.whole("wouldKill", least=0, most=_COUNT_MAX),
            since=fields.whole("since", least=0, most=_COUNT_MAX),
        )
        fields.end()
        return contained

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"rung": self.rung.value, "breach": self.breach, "wouldKill": self.would_kill, "since": self.since}


@dataclass(frozen=True, slots=True)
class Report:
    """One watchdog's state. `tested`: how many targets the last cage test tried, 0 before the first has ended.

    `requests`, `denied` and `would_deny` count since the watchdog's start. `missing`: routes whose credential is not
    there. `config`: digest of the document in force; `problem`: why a newer one was refused, empty if none was.
    `contained`: None (version v1) where the watchdog does not know what its policy does about a breach.
    """

    config: str
    problem: str
    tested: int
    escapes: tuple[Escape, ...]
    requests: int
    denied: int
    would_deny: int
    missing: tuple[str, ...] = ()
    contained: Contained | None = None

    @property
    def proven(self) -> bool:
        """Say whether the last cage test has passed."""
        return self.tested > 0 and not self.escapes

    @staticmethod
    def parse(raw: bytes) -> "Report":
        """Read a report; raise DocumentError for anything but a whole, known, in-range one."""
        if len(raw) > REPORT_MAX_BYTES:
            raise DocumentError("", f"is larger than {REPORT_MAX_BYTES} bytes")
        return Report.read(reading.load_json(raw), "")

    @staticmethod
    def read(value: object, place: str) -> "Report":
        """Read a report that has been decoded already."""
        fields = Fields(value, place)
        version = fields.text("version")
        if version not in (REPORT_VERSION, CONTAINED_VERSION):
            known = f"{REPORT_VERSION} and {CONTAINED_VERSION}"
            raise DocumentError(fields.at("version"), f"is {version!r}; this version reads {known}")
        report = Report(
            config=fields.text("config", empty=True),
            problem=fields.text("problem", empty=True)[:512],
            tested=fields.whole("tested", least=0, most=1000),
            escapes=fields.items("escapes", Escape.read, most=ESCAPES_MAX),
            requests=fields.whole("requests", least=0, most=_COUNT_MAX),
            denied=fields.whole("denied", least=0, most=_COUNT_MAX),
            would_deny=fields.whole("wouldDeny", least=0, most=_COUNT_MAX),
            missing=fields.items("missing", reading.text, most=32),
            contained=fields.one("contained", Contained.read) if version == CONTAINED_VERSION else None,
        )
        fields.end()
        return report

    def write(self) -> dict[str, Any]:
        """Give the JSON shape; without `contained` that of v1."""
        more = {} if self.contained is None else {"contained": self.contained.write()}
        return more | {
            "version": CONTAINED_VERSION if more else REPORT_VERSION,
            "config": self.config,
            "problem": self.problem,
            "tested": self.tested,
            "escapes": [item.write() for item in self.escapes],
            "requests": self.requests,
            "denied": self.denied,
            "wouldDeny": self.would_deny,
            "missing": list(self.missing),
        }

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical(self.write())


def _rung(value: object, place: str) -> Rung:
    try:
        return Rung(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise DocumentError(place, f"must be one of {', '.join(Rung)}") from error


def _word(value: object, place: str) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise DocumentError(place, "must be at most 64 letters and digits")
    return value
