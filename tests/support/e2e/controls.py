"""Say which of two things went wrong: what must hold, or the control without which it would mean nothing."""


class ControlError(AssertionError):
    """What must succeed for an attempt to mean anything did not."""


def control(fact: object, what: str) -> None:
    """Check a control."""
    if not fact:
        raise ControlError(what)


def holds(fact: object, what: str) -> None:
    """Check what must hold."""
    if not fact:
        raise AssertionError(what)
