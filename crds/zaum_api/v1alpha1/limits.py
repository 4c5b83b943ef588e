"""`spec.limits`, those of routes and hosts, and `spec.runaway`: how much, and what counts as running wild."""

from typing import Annotated, ClassVar

import pydantic

from zaum_api.v1alpha1 import detectors, model, scalars

Rate = Annotated[int, pydantic.Field(ge=0, le=100_000)]
_Above = Annotated[int, pydantic.Field(ge=1, le=100_000)]
Dollars = Annotated[str, scalars.text(most=16, pattern="^[0-9]{1,9}([.][0-9]{1,4})?$")]
BytesOut = Annotated[int | str, *scalars.quantity("limits.bytes.outPerHour", least="0", most="1Pi")]
BytesIn = Annotated[int | str, *scalars.quantity("limits.bytes.inPerHour", least="0", most="1Pi")]
OwnAmount = Annotated[int | str, *scalars.own_bytes()]
Amount = Annotated[int, pydantic.Field(ge=0, le=1_000_000_000_000)]


class Requests(model.Model):
    """How often the agent may ask: tunnels and HTTP requests. What is above answers 429 with Retry-After."""

    per_minute: Rate | None = None
    """Requests a minute. Default 60; 0 denies all."""
    burst: Rate | None = None
    """How many at once after a rest. Default 10, and never more than perMinute when that is lower."""


class Bytes(model.Model):
    """Bytes in any hour, in tunnels and on routes. What is above answers 402, and an open tunnel is closed."""

    out_per_hour: BytesOut | None = None
    """Bytes that leave. Default 50Mi; 0 denies all."""
    in_per_hour: BytesIn | None = None
    """Bytes that come in. Default 1Gi; 0 denies all."""


class Tokens(model.Model):
    """Model tokens, on routes of the apis OpenAI and Anthropic. The worst case of a call is reserved before it."""

    per_minute: Amount | None = None
    """Tokens in any minute. Default 100000; 0 denies all. What is above answers 429."""
    per_day: Amount | None = None
    """Tokens a day (UTC). Default 2000000; 0 denies all. What is above answers 402."""


class Cost(model.Model):
    """Money, on routes of the apis OpenAI and Anthropic. The worst case of a call is reserved before it."""

    per_day: Dollars | None = None
    """US dollars a day (UTC), as text such as "10.00". Default "10.00"; 0 denies all. What is above answers 402; a
    model of which no price is known is denied."""


class Limits(model.Model):
    """What all pods of the policy may spend together. Absent or empty: the defaults."""

    requests: Requests | None = None
    connections: Annotated[int, pydantic.Field(ge=0, le=4096)] | None = None
    """Open tunnels at once. Default 32; 0 denies all."""
    bytes: Bytes | None = None
    tokens: Tokens | None = None
    cost: Cost | None = None


class OwnRequests(model.Model):
    """Requests within the policy's."""

    per_minute: Rate
    """Requests a minute; 0 denies all."""
    burst: Rate | None = None
    """How many at once after a rest. Default 10, and never more than perMinute when that is lower."""


class OwnBytes(model.Model):
    """Bytes in any hour within the policy's."""

    out_per_hour: OwnAmount | None = None
    """Bytes that leave; 0 denies all. Default: the policy's alone."""
    in_per_hour: OwnAmount | None = None
    """Bytes that come in; 0 denies all. Default: the policy's alone."""

    rules: ClassVar = (model.some("limits.bytes", "outPerHour", "inPerHour"),)


class OwnTokens(model.Model):
    """Model tokens within the policy's."""

    per_minute: Amount | None = None
    """Tokens in any minute; 0 denies all. Default: the policy's alone."""
    per_day: Amount | None = None
    """Tokens a day (UTC); 0 denies all. Default: the policy's alone."""

    rules: ClassVar = (model.some("limits.tokens", "perMinute", "perDay"),)


class OwnCost(model.Model):
    """Money within the policy's."""

    per_day: Dollars
    """US dollars a day (UTC), as text such as "1.00"; 0 denies all."""


class RouteLimits(model.Model):
    """What goes by one route, of all pods together, and counts against the policy's limits too."""

    requests: OwnRequests | None = None
    tokens: OwnTokens | None = None
    cost: OwnCost | None = None

    rules: ClassVar = (model.some("routes.limits", "requests", "tokens", "cost"),)


class HostLimits(model.Model):
    """What goes to one entry's hosts, of all pods together, and counts against the policy's limits too.

    A tunnel to a host that several entries name counts for each of them.
    """

    requests: OwnRequests | None = None
    bytes: OwnBytes | None = None

    rules: ClassVar = (model.some("hosts.limits", "requests", "bytes"),)


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
    """Trips on the same request again and again, on routes: the same method, path and content.

    Reads (GET, HEAD, OPTIONS) do not count: to ask whether something is done is ordinary.
    """

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    same: _Above | None = None
    """Number of equal requests. Default 30."""
    per: Annotated[str, *scalars.duration("runaway.repeated.per")] | None = None
    """Within how long. Default 1m."""


class NoProgress(model.Model):
    """Trips on tokens spent while no request on a route is a new one."""

    enabled: bool | None = None
    """false switches this detector off. Default true."""
    tokens: Annotated[int, pydantic.Field(ge=1, le=1_000_000_000_000)] | None = None
    """Number of tokens. Default 200000."""
    for_: Annotated[str, *scalars.duration("runaway.noProgress.for")] | None = pydantic.Field(default=None, alias="for")
    """How long without a new request. Default 10m."""


class Runaway(model.Model):
    """The detectors of an agent that runs wild; spec.containment says what follows. Default: all on."""

    cpu: Cpu | None = None
    memory: detectors.Memory | None = None
    processes: Processes | None = None
    forks: detectors.Forks | None = None
    files: detectors.Files | None = None
    denied: Denied | None = None
    repeated: Repeated | None = None
    errors: detectors.Errors | None = None
    no_progress: NoProgress | None = None
    egress_bytes: detectors.EgressBytes | None = None
    starved: detectors.Starved | None = None
