"""What a watchdog says of itself, through the gateway to the authorizer, and from there to the operator.

The authorizer knows from the token which pod speaks; nothing in here says so. Held in memory alone and sent again
every period: what is lost comes back.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields

REPORT_VERSION: Final = "v1"
REPORT_MAX_BYTES: Final = 8 * 1024
_COUNT_MAX: Final = 2**53
CONTROL: Final = "control"
"""The target's name where the cage test's own control failed: the gateway did not refuse what it must refuse."""
ESCAPES_MAX: Final = 16


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


@dataclass(frozen=True, slots=True)
class Report:
    """One watchdog's state. `tested`: how many targets the last cage test tried, 0 before the first has ended.

    `requests`, `denied` and `would_deny` count since the watchdog's start. `missing`: routes whose credential is not
    there. `config`: digest of the document in force; `problem`: why a newer one was refused, empty if none was.
    """

    config: str
    problem: str
    tested: int
    escapes: tuple[Escape, ...]
    requests: int
    denied: int
    would_deny: int
    missing: tuple[str, ...] = ()

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
        if version != REPORT_VERSION:
            raise DocumentError(fields.at("version"), f"is {version!r}; this version reads {REPORT_VERSION}")
        report = Report(
            config=fields.text("config", empty=True),
            problem=fields.text("problem", empty=True)[:512],
            tested=fields.whole("tested", least=0, most=1000),
            escapes=fields.items("escapes", Escape.read, most=ESCAPES_MAX),
            requests=fields.whole("requests", least=0, most=_COUNT_MAX),
            denied=fields.whole("denied", least=0, most=_COUNT_MAX),
            would_deny=fields.whole("wouldDeny", least=0, most=_COUNT_MAX),
            missing=fields.items("missing", reading.text, most=32),
        )
        fields.end()
        return report

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "version": REPORT_VERSION,
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
