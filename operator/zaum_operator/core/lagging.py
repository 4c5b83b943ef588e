"""Tell a refusal that passes by itself from one that somebody should see.

A policy's own quota has room for every pod that is asked for. Where it refuses one, the quota controller has not yet
counted that the pod before it is gone: a moment later it has.
"""

from typing import Final

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.core.finding import Failure
from zaum_operator.core.keys import Key

TIMES: Final = 10
"""How many refusals in a row are kept quiet, a second each: the quota controller may just have begun anew itself, and
pauses that grow would keep the policy without its pod for longer than that takes."""


def passes(key: Key, failure: Failure | None, *, before: int) -> bool:
    """Say whether a failure is kept quiet and tried again; `before`: how many such there were in a row already."""
    if failure is None or not isinstance(failure.error, errors.QuotaError) or before >= TIMES:
        return False
    # As the API server says it: `exceeded quota: NAME, requested: …`.
    _, _, said = failure.error.message.partition("exceeded quota: ")
    return said.partition(",")[0].strip() == contract.child_name(key.name)
