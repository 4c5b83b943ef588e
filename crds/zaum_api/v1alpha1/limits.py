"""`spec.limits` and `spec.runaway`: how much, and what counts as running wild."""

from typing import Annotated, ClassVar

import pydantic

from zaum_api.v1alpha1 import model, scalars

Rate = Annotated[int, pydantic.Field(ge=0, le=100_000)]
_Above = Annotated[int, pydantic.Field(ge=1, le=100_000)]
_Amount = Annotated[int, pydantic.Field(ge=0, le=1_000_000_000_000)]


class Requests(model.Model):
    """How often the agent may open a tunnel. What is above answers 429 with Retry-After."""

    per_minute: Rate | None = None
    """Requests a minute. Default 60; 0 denies all."""
    burst: Rate | None = None
    """How many at once after a rest. Default 10, and never more than perMinute when that is lower."""


class Bytes(model.Model):
    """Bytes an hour. Not supported in this version."""

    out_per_hour: Annotated[int | str, *scalars.quantity("limits.bytes.outPerHour", least="0", most="1Pi")] | None = (
        None
    )
    """Bytes that leave the pod; 0 denies all."""
    in_per_hour: Annotated[int | str, *scalars.quantity("limits.bytes.inPerHour", least="0", most="1Pi")] | None = None
    """Bytes that enter the pod; 0 denies all."""


class Tokens(model.Model):
    """Model tokens. Not supported in this version."""

    per_minute: _Amount | None = None
    """Tokens a minute; 0 denies all."""
    per_day: _Amount | None = None
    """Tokens a day (UTC); 0 denies all."""


class Cost(model.Model):
    """Money. Not supported in this version."""

    per_day: Annotated[str, scalars.text(most=16, pattern="^[0-9]{1,9}([.][0-9]{1,4})?$")] | None = None
    """US dollars a day (UTC), as text such as "10.00"; 0 denies all."""


class Limits(model.Model):
    """What one pod may spend. Absent or empty: the defaults."""

    requests: Requests | None = None
    connections: Annotated[int, pydantic.Field(ge=0, le=4096)] | None = None
    """Open tunnels at once. Default 32; 0 denies all."""
    bytes: Bytes | None = None
    tokens: Tokens | None = None
    cost: Cost | None = None

    rules: ClassVar = model.unsupported("spec.limits.", "bytes", "tokens", "cost")


class Cpu(model.Model):
    """Trips when the agent's processes use nearly all of their CPU limit for long."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above_percent: Annotated[int, pydantic.Field(ge=1, le=100)] | None = None
    """Share of resources.cpu in percent. Default 90."""
    for_: Annotated[str, *scalars.duration("runaway.cpu.for")] | None = pydantic.Field(default=None, alias="for")
    """How long without a pause. Default 2m."""


class Processes(model.Model):
    """Trips when the agent has too many processes."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above: _Above | None = None
    """Number of processes. Default 128."""
    for_: Annotated[str, *scalars.duration("runaway.processes.for")] | None = pydantic.Field(default=None, alias="for")
    """How long without a pause. Default 5s."""


class Denied(model.Model):
    """Trips when too many requests are denied: an agent that tries doors."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    above: _Above | None = None
    """Number of denied requests. Default 20."""
    per: Annotated[str, *scalars.duration("runaway.denied.per")] | None = None
    """Within how long. Default 1m."""


class Repeated(model.Model):
    """Trips on the same request again and again. Not supported in this version."""

    enabled: bool | None = None
    """false switches this detector off."""
    same: _Above | None = None
    """Number of equal requests."""
    per: Annotated[str, *scalars.duration("runaway.repeated.per")] | None = None
    """Within how long."""


class NoProgress(model.Model):
    """Trips on tokens spent while the set of distinct requests does not grow. Not supported in this version."""

    enabled: bool | None = None
    """false switches this detector off."""
    tokens: _Amount | None = None
    """Number of tokens."""
    for_: Annotated[str, *scalars.duration("runaway.noProgress.for")] | None = pydantic.Field(default=None, alias="for")
    """How long without a pause."""


class Runaway(model.Model):
    """The detectors of an agent that runs wild: what one of them sees makes the kubelet kill it. Default: all on."""

    cpu: Cpu | None = None
    processes: Processes | None = None
    denied: Denied | None = None
    repeated: Repeated | None = None
    no_progress: NoProgress | None = None

    rules: ClassVar = model.unsupported("spec.runaway.", "repeated", "noProgress")
