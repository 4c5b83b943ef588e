"""What happens to an agent that ran wild, as the policy says it, and what was seen of the breach."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields

KILLS_MAX: Final = 100
FACTS_MAX: Final = 16
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9./-]{0,63}")
_VALUE: Final = re.compile(r"[ -~]{0,128}")


class Step(StrEnum):
    """The steps of the ladder, the mildest first."""

    THROTTLE = "Throttle"
    CUT = "Cut"
    KILL = "Kill"
    QUARANTINE = "Quarantine"


@dataclass(frozen=True, slots=True)
class Containment:
    """`spec.containment` with its defaults.

    `kills_before_quarantine`: so many kills within 24 hours are kills alone; the next breach is a quarantine. 0: the
    first one is.
    """

    on_runaway: Step = Step.KILL
    kills_before_quarantine: int = 3
    on_budget: Step = Step.THROTTLE

    def answer(self, step: Step, kills: int) -> Step:
        """Give what `step` comes to after so many kills within the last 24 hours: a kill too many is a quarantine."""
        return Step.QUARANTINE if step is Step.KILL and kills >= self.kills_before_quarantine else step

    @staticmethod
    def read(value: object, place: str) -> "Containment":
        """Read it."""
        fields = Fields(value, place)
        containment = Containment(
            on_runaway=fields.one("onRunaway", _step),
            kills_before_quarantine=fields.whole("killsBeforeQuarantine", least=0, most=KILLS_MAX),
            on_budget=fields.one("onBudget", _step),
        )
        fields.end()
        return containment

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {
            "onRunaway": self.on_runaway.value,
            "killsBeforeQuarantine": self.kills_before_quarantine,
            "onBudget": self.on_budget.value,
        }


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was seen, for an Incident's evidence: printable ASCII, the value at most 128 characters."""

    name: str
    value: str

    @staticmethod
    def read(value: object, place: str) -> "Fact":
        """Read one."""
        fields = Fields(value, place)
        fact = Fact(fields.text("name"), fields.text("value", empty=True))
        fields.end()
        if not _NAME.fullmatch(fact.name):
            raise DocumentError(f"{place}.name", "must be a letter and up to 63 letters, digits or ./-")
        if not _VALUE.fullmatch(fact.value):
            raise DocumentError(f"{place}.value", "must be at most 128 printable ASCII characters")
        return fact

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        return {"name": self.name, "value": self.value}


def _step(value: object, place: str) -> Step:
    try:
        return Step(reading.text(value, place))
    except ValueError as error:
        raise DocumentError(place, f"must be one of {', '.join(Step)}") from error
