"""`spec.agent.liveness`: the agent's own health check, which the watchdog relays to the kubelet."""

from typing import Annotated, ClassVar

import pydantic

from zaum_api.v1alpha1 import model, scalars

_Seconds = Annotated[int, pydantic.Field(ge=1, le=3600)]


class HttpGet(model.Model):
    """Asks the agent by HTTP; a status from 200 to 399 is healthy."""

    path: Annotated[str, scalars.text(most=1024, pattern=r"^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$")] | None = None
    """Path and query. Default /."""
    port: Annotated[int, *scalars.agent_port("liveness.httpGet.port")]
    """Port at which the agent answers on 127.0.0.1."""


class TcpSocket(model.Model):
    """Connects to the agent; an accepted connection is healthy."""

    port: Annotated[int, *scalars.agent_port("liveness.tcpSocket.port")]
    """Port at which the agent accepts on 127.0.0.1."""


class Liveness(model.Model):
    """The agent's own health check. An agent that fails it is killed, and started again after a pause. Default none."""

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    initial_delay_seconds: Annotated[int, pydantic.Field(ge=0, le=3600)] | None = None
    """Seconds from the agent's start to the first check. Default 0."""
    period_seconds: _Seconds | None = None
    """Seconds between two checks. Default 10."""
    timeout_seconds: Annotated[int, pydantic.Field(ge=1, le=60)] | None = None
    """Seconds after which a check without an answer has failed. Default 1."""
    failure_threshold: Annotated[int, pydantic.Field(ge=1, le=100)] | None = None
    """How many checks in a row must fail. Default 3."""

    rules: ClassVar = (
        model.Rule(
            cel="has(self.httpGet) != has(self.tcpSocket)",
            message="liveness: state either httpGet or tcpSocket",
            holds=lambda self: (self.http_get is None) != (self.tcp_socket is None),
        ),
    )
