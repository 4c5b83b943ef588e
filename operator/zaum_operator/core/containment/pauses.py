"""The memory of a pause, once containment has deleted the pod that carried it: the closed Incidents have it.

A killed agent's ordinal waits as it would have waited beside its dead pod: 10 s, doubling with each kill of the last
hour, to 5 min. A release forgives what was before it, here too.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from zaum_api import contract
from zaum_api.incidents import Cause
from zaum_operator.core import pods
from zaum_operator.core.containment import held, making
from zaum_operator.core.containment.incident import Condition, Incident
from zaum_operator.core.pods import Ending, Pod

WINDOW: Final = timedelta(hours=1)


def ghosts(found: Iterable[Incident], there: Iterable[Pod], *, template: str, now: datetime) -> tuple[Pod, ...]:
    """Give, for each ordinal without any pod whose last one was killed, that pod as it would have stayed."""
    taken = {pod.ordinal for pod in there}
    by_ordinal: dict[int, list[tuple[datetime, Incident]]] = {}
    every = tuple(found)
    released = max((since for item in every if (since := item.since(Condition.RELEASED)) is not None), default=None)
    for incident in every:
        ended = incident.since(Condition.KILLED)
        ordinal = None if incident.pod is None else held.ordinal_of(incident.pod.name)
        before = ended is not None and released is not None and ended <= released
        forgiven = before or incident.is_true(Condition.RELEASED)
        if ended is not None and ordinal is not None and not forgiven and now - ended < WINDOW:
            by_ordinal.setdefault(ordinal, []).append((ended, incident))
    return tuple(
        _ghost(ordinal, kills, template=template)
        for ordinal, kills in sorted(by_ordinal.items())
        if ordinal not in taken
    )


def _ghost(ordinal: int, kills: list[tuple[datetime, Incident]], *, template: str) -> Pod:
    ended, incident = max(kills, key=lambda kill: kill[0])
    ref, restarted = incident.pod, incident.reason == Cause.WATCHDOG_RESTARTED.value
    before = making.CRASHES if incident.reason == Cause.CRASH_LOOP.value else 0
    # What it is made of says nothing; what decides about its successor is put in.
    bare = pods.read({"metadata": {"name": "" if ref is None else ref.name, "uid": "" if ref is None else ref.uid}})
    return replace(
        bare,
        ordinal=ordinal,
        created=ended,
        phase=pods.Phase.ENDED,
        template=template,
        failures=max(len(kills), before) - 1,
        labels=((contract.LABEL_QUARANTINED, "true"),),
        breach=incident.reason,
        watchdog_restarts=int(restarted),
        watchdog_message="" if restarted else incident.reason,
        ending=Ending(exit_code=None, reason="", message="", finished=ended, ran=timedelta()),
    )
