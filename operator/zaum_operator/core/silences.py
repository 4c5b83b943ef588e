"""Watchdogs that have fallen silent, as the ledger says, where that says anything: an outage of ours is no guilt.

A silence counts when the ledger has been hearing watchdogs without an outage of its own for two periods, while others
are heard through the same gateway, and when few have fallen silent lately. While nobody at all is heard, silence says
nothing of any one watchdog: it may as well be the gateway's. A silence that counts is half a proof: the API server has
to show the watchdog not ready, or gone. A pod that has ended says nothing either, for the best of reasons: it is no
matter of silence.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

from zaum_api import documents
from zaum_operator.core.keys import Key

PERIOD: Final = 15
"""Seconds between two words of a watchdog to which nothing happens."""
AFTER: Final = 3 * PERIOD
SERVING_LEAST: Final = 2 * PERIOD + AFTER
"""Two periods before the silence began, and the silence."""
SPEAKING: Final = 2 * PERIOD
"""Somebody has to have been heard within so long. A period less than AFTER: when all fall silent at once, the last word
of one may be a period older than another's."""
LATELY: Final = 600
FEW: Final = 2
ONE_IN: Final = 10


Living = Callable[[Key], Container[str]]
"""Gives the uids of a policy's pods that have not ended, as the API server shows them."""


def found(
    answer: Iterable[documents.PolicyUsage], *, serving: int | None, living: Living | None = None
) -> Mapping[str, Key]:
    """Give the uids of pods whose silence counts, each with its policy. Who does not say `serving` is not believed.

    `living` None: nobody knows which pods have ended.
    """
    every = tuple(answer)
    if serving is None or serving < SERVING_LEAST:
        return {}
    if not any(item.pods and item.heard < SPEAKING for item in every):
        return {}
    silent = [(Key(item.namespace, item.policy), one) for item in every for one in item.silent if one.seconds >= AFTER]
    if living is not None:
        silent = [(key, one) for key, one in silent if one.pod in living(key)]
    lately = sum(one.seconds <= LATELY for _, one in silent)
    if lately > max(FEW, sum(item.pods for item in every) // ONE_IN):
        return {}
    return {one.pod: key for key, one in silent}
