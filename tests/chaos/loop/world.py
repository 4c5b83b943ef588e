"""Hold what an Incident claims against what the world heard and the kernel saw, by the clock of the one machine. Pure.

Cut      the world hears nothing of the agent that arrived later
Killed   the agent's process had ended
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tests.chaos.history import Object
from tests.chaos.loop import court

CONTROL: Final = 3
"""How often the world has to have heard an agent before: of a mute one nothing is proven."""


@dataclass
class Witnessed:
    """What was seen of one agent's pod, in seconds since the epoch."""

    pod: str
    uid: str
    heard: list[float] = field(default_factory=list)
    """When the world heard of it."""
    ended: float | None = None
    """When its process ended; None: nobody saw it end."""


def claimed(incident: Object, step: str) -> float | None:
    """Give when a step was claimed."""
    moments = [line["at"] for line in court.lines(incident) if line["step"] == step]
    return datetime.fromisoformat(moments[0]).timestamp() if moments else None


def wrongs(incident: Object, witnessed: Iterable[Witnessed]) -> Iterator[str]:
    """Say which claims about these pods, which are the Incident's, are earlier than what they claim."""
    name = incident["metadata"]["name"]
    cut, killed = claimed(incident, "Cut"), claimed(incident, "Killed")
    for one in witnessed:
        if len(one.heard) < CONTROL:
            yield f"{name}: the control: the world heard {one.pod} {len(one.heard)} times"
        late = [at for at in one.heard if cut is not None and at > cut]
        if late and cut is not None:
            yield f"{name} claims Cut, and the world hears {one.pod} {len(late)} times after, {late[-1] - cut:.3f} s"
        if killed is not None and one.ended is None:
            yield f"{name} claims Killed, and the process of {one.pod} was not seen to end"
        if killed is not None and one.ended is not None and one.ended > killed:
            yield f"{name} claims Killed {one.ended - killed:.3f} s before the process of {one.pod} ended"
