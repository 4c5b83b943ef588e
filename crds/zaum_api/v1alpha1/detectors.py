"""`spec.runaway`: the detectors beyond cpu, processes and denied, which stand with the limits.

What a detector cannot see is no detector: how full a disk is, nobody but the kubelet can tell for one pod, and it ends
a pod that fills more than resources.ephemeralStorage or workspace.size.
"""

from typing import Annotated

import pydantic

from zaum_api.v1alpha1 import model, scalars

_Above = Annotated[int, pydantic.Field(ge=1, le=100_000)]
_Many = Annotated[int, pydantic.Field(ge=1, le=10_000_000)]
_Growth = Annotated[int | str, *scalars.quantity("runaway.memory.growthPerMinute", least="1", most="1Pi")]
_Bytes = Annotated[int | str, *scalars.quantity("runaway.egressBytes.above", least="1", most="1Pi")]
_MemoryFor = Annotated[str, *scalars.duration("runaway.memory.for")]
_FilesFor = Annotated[str, *scalars.duration("runaway.files.for")]
_LateBy = Annotated[str, *scalars.duration("runaway.starved.lateBy", most="1h")]
_StarvedFor = Annotated[str, *scalars.duration("runaway.starved.for")]


class Memory(model.Model):
    """Trips when the memory of the agent's processes grows without a pause. What they share is counted for each."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    growth_per_minute: _Growth | None = None
    """How much is added within a minute. Default 32Mi."""
    for_: _MemoryFor | None = pydantic.Field(default=None, alias="for")
    """How long each minute adds more than that. Default 5m."""


class Forks(model.Model):
    """Trips when too many processes and threads are begun, however short they live."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above: _Many | None = None
    """Number of processes and threads. Default 20000."""
    per: Annotated[str, *scalars.duration("runaway.forks.per")] | None = None
    """Within how long. Default 1m."""


class Files(model.Model):
    """Trips when the agent's processes hold too many open files and sockets.

    Needs Linux 6.2 on the node, without which none are seen.
    """

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above: _Many | None = None
    """Number of open files and sockets, of all processes together. Default 8192."""
    for_: _FilesFor | None = pydantic.Field(default=None, alias="for")
    """How long without a pause. Default 30s."""


class Errors(model.Model):
    """Trips when nearly all answers on routes say that the request is wrong (400, 404, 422 and their like).

    What a credential, a rate, a price or an outage is to blame for does not count (401, 402, 403, 407, 408, 425, 429,
    and all from 500).
    """

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above_percent: Annotated[int, pydantic.Field(ge=1, le=99)] | None = None
    """Share of the answers in percent. Default 90."""
    of_at_least: _Above | None = None
    """Number of answers below which nothing is said. Default 30."""
    per: Annotated[str, *scalars.duration("runaway.errors.per")] | None = None
    """Within how long. Default 2m."""


class EgressBytes(model.Model):
    """Trips when much leaves at once, in tunnels and on routes."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above: _Bytes | None = None
    """Number of bytes. Default 1Gi."""
    per: Annotated[str, *scalars.duration("runaway.egressBytes.per")] | None = None
    """Within how long. Default 10m."""


class Starved(model.Model):
    """Trips when the watchdog gets so little of the processor that it does not see what happens.

    Ends the pod, and is no kill that counts: the node may be to blame.
    """

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    late_by: _LateBy | None = None
    """How late each look at the agent comes. Default 5s."""
    for_: _StarvedFor | None = pydantic.Field(default=None, alias="for")
    """How long without a pause. Default 1m."""
