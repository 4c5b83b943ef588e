"""What conditions are made of: a status, one reason, and a message that is never too long."""

from dataclasses import dataclass
from typing import Final

from zaum_api.conditions import ConditionType, Reason, Status
from zaum_operator import errors
from zaum_operator.core.actions import Action

MESSAGE_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Failure:
    """The request at which carrying out the plan stopped."""

    action: Action
    error: errors.RequestError


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition without its times."""

    type: ConditionType
    status: Status
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What is so, not yet said of a condition."""

    status: Status
    reason: Reason
    message: str

    def about(self, kind: ConditionType) -> Verdict:
        """Make it a condition, with a message that fits."""
        fits = len(self.message) <= MESSAGE_MAX
        return Verdict(kind, self.status, self.reason, self.message if fits else f"{self.message[: MESSAGE_MAX - 1]}…")


def yes(reason: Reason, message: str) -> Finding:
    """Say that it holds."""
    return Finding(Status.TRUE, reason, message)


def no(reason: Reason, message: str) -> Finding:
    """Say that it does not hold."""
    return Finding(Status.FALSE, reason, message)
