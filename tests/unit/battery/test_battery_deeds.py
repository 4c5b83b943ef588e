"""What counts as held when somebody tries by the API server, and what as proof of nothing."""

from collections.abc import Callable

import pytest

from tests.battery import deeds
from tests.battery.deeds import Deed, Scene
from tests.battery.judge import Verdict
from tests.support.e2e.api import NotSeenError, RefusedError
from tests.support.e2e.controls import ControlError


def done() -> None:
    """Stand for what the API server did."""


OURS = RefusedError(403, "ValidatingAdmissionPolicy 'zaum-owned' denied request: only the Zaum operator may", "")
RBAC = RefusedError(403, 'pods is forbidden: User "a" cannot delete resource', "Forbidden")
ANOTHERS = RefusedError(403, "ValidatingAdmissionPolicy 'theirs' denied request: only the Zaum operator may", "")
SCHEMA = RefusedError(422, 'spec.agent: Required value, says "only the Zaum operator may"', "Invalid")
AWAY = RefusedError(503, "apiserver not ready", "")
DEED = Deed(15, "line", "variant", done, done, "only the Zaum operator may")


@pytest.mark.parametrize(
    ("said", "control", "verdict"),
    [
        (OURS, None, Verdict.HELD),
        (None, None, Verdict.ESCAPED),
        (None, OURS, Verdict.ESCAPED),
        (OURS, RBAC, Verdict.BROKEN),
        (OURS, AWAY, Verdict.BROKEN),
        (RBAC, None, Verdict.ODD),
        (ANOTHERS, None, Verdict.ODD),
        (SCHEMA, None, Verdict.ODD),
        (AWAY, None, Verdict.ODD),
    ],
    ids=str,
)
def test_only_a_refusal_of_ours_beside_a_control_that_was_done_is_held(
    said: RefusedError | None, control: RefusedError | None, verdict: Verdict
) -> None:
    assert deeds.judge(DEED, said, control).verdict is verdict


def test_where_the_schema_refuses_another_refusal_is_odd() -> None:
    deed = Deed(18, "line", "variant", done, done, "Required", by="", statuses=deeds.SCHEMA)
    assert deeds.judge(deed, SCHEMA, None).verdict is Verdict.HELD
    assert deeds.judge(deed, OURS, None).verdict is Verdict.ODD
    assert deeds.judge(deed, AWAY, None).verdict is Verdict.ODD


def raising(error: Exception) -> Callable[[], str]:
    def play() -> str:
        raise error

    return play


@pytest.mark.parametrize(
    ("play", "verdict"),
    [
        (lambda: "it held", Verdict.HELD),
        (raising(AssertionError("two pods")), Verdict.ESCAPED),
        (raising(NotSeenError("not undone")), Verdict.ESCAPED),
        (raising(ControlError("nothing was killed")), Verdict.BROKEN),
        (raising(AWAY), Verdict.BROKEN),
    ],
)
def test_a_scene_says_whether_it_proved_nothing_or_something_did_not_hold(
    play: Callable[[], str], verdict: Verdict
) -> None:
    (outcome,) = deeds.played([Scene(17, "line", "variant", play)])
    assert outcome.verdict is verdict
    assert outcome.why


@pytest.mark.parametrize("status", [400, 404])
def test_a_way_in_that_lacks_only_its_other_end_was_let_through(status: int) -> None:
    deeds.streamed(raising(RefusedError(status, "Upgrade request required", "")))()


@pytest.mark.parametrize("refusal", [OURS, RBAC, RefusedError(400, OURS.message, "")])
def test_a_way_in_that_was_refused_is_no_control(refusal: RefusedError) -> None:
    with pytest.raises(RefusedError):
        deeds.streamed(raising(refusal))()
