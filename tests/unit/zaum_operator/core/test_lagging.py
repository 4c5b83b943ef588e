"""A quota that counts late is not a warning; one that is full is."""

import pytest

from zaum_operator import errors
from zaum_operator.core import actions, kinds, lagging
from zaum_operator.core.finding import Failure
from zaum_operator.core.keys import Key

KEY = Key("n", "researcher")
POD = {"metadata": {"namespace": "n", "name": "zaum-researcher-0-abcde"}}
OWN = 'pods "x" is forbidden: exceeded quota: zaum-researcher, requested: pods=1, used: pods=1, limited: pods=1'


def refusal(error: errors.RequestError) -> Failure:
    return Failure(actions.Create(kinds.POD, POD), error)


@pytest.mark.parametrize(
    ("error", "before", "quiet"),
    [
        (errors.QuotaError("create pods", 403, OWN), 0, True),
        (errors.QuotaError("create pods", 403, OWN), lagging.TIMES - 1, True),
        (errors.QuotaError("create pods", 403, OWN), lagging.TIMES, False),
        (errors.QuotaError("create pods", 403, OWN.replace("zaum-researcher", "zaum-researcher-2")), 0, False),
        (errors.QuotaError("create pods", 403, "exceeded quota: team"), 0, False),
        (errors.ForbiddenError("create pods", 403, OWN), 0, False),
    ],
)  # fmt: skip
def test_only_the_policys_own_quota_is_given_time_and_not_for_ever(
    error: errors.RequestError, before: int, quiet: bool
) -> None:
    assert lagging.passes(KEY, refusal(error), before=before) is quiet


def test_what_did_not_fail_is_no_refusal() -> None:
    assert not lagging.passes(KEY, None, before=0)
