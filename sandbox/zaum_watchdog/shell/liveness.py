"""Ask the agent at 127.0.0.1 how it is, for the kubelet, which no network policy lets in.

What answers is the agent, and it may say anything, for as long as it likes: a check reads one line, has its timeout,
and is never more than one connection. It goes straight to loopback: no proxy, no name, no redirect is followed.
"""

import asyncio
import functools
from typing import Final

from zaum_api import documents
from zaum_watchdog.core import liveness, usage
from zaum_watchdog.shell import clock, watch

_HERE: Final = "127.0.0.1"
FORGIVEN_NS: Final = 10 * liveness.SECOND
"""How long an agent must be well again before nothing is left of its failure: longer than the kubelet takes to end one
that failed, which may well answer once more on its way out."""


class Relay:
    """Asks when it is time, and knows whether the agent fails."""

    def __init__(self, loop: asyncio.AbstractEventLoop, watching: watch.Watch) -> None:
        self._loop = loop
        self._watch = watching
        self._config = watching.policy.config.liveness
        self._health = liveness.Health()
        self._check: asyncio.Task[str] | None = None
        self._said = False
        self._well_since: int | None = None

    @property
    def failing(self) -> bool:
        """Say whether the agent's liveness probe has to fail for it."""
        return self._health.failing(self._config)

    def tick(self, look: usage.Look) -> None:
        """Take in the newest look at the processes and the policy in force; ask if it is time."""
        config = self._watch.policy.config.liveness
        if config != self._config:
            self._drop()
            self._config, self._health = config, liveness.begin(self._health, config)
        self._health = liveness.looked(self._health, config, look)
        if config is not None and self._check is None and liveness.is_due(self._health, now := clock.monotonic()):
            self._health = liveness.asked(self._health, config, now)
            self._check = self._loop.create_task(ask(self._loop, config))
            self._check.add_done_callback(self._answered)
        self._say("")
        if self._well_since is not None and clock.monotonic() - self._well_since > FORGIVEN_NS:
            self._well_since = None
            self._watch.forgive()

    def _drop(self) -> None:
        """End a check whose answer no longer matters."""
        if self._check is not None:
            self._check.remove_done_callback(self._answered)
            self._check.cancel()
            self._check = None

    def _answered(self, check: asyncio.Task[str]) -> None:
        self._check = None
        problem = check.result()
        self._health = liveness.answered(self._health, well=not problem)
        self._say(problem)

    def _say(self, problem: str) -> None:
        """Say once that the agent fails, and once that it is well again."""
        if self.failing is self._said:
            return
        self._said = self.failing
        self._well_since = None if self._said else clock.monotonic()
        self._watch.health(failing=self._said, problem=problem)


async def ask(loop: asyncio.AbstractEventLoop, config: documents.Liveness) -> str:
    """Ask once; give the problem in words of ours, empty when the agent is well."""
    answer: asyncio.Future[str] = loop.create_future()
    side = functools.partial(AgentSide, config, answer)
    try:
        async with asyncio.timeout(config.timeout_seconds):
            transport, _ = await loop.create_connection(side, _HERE, config.port)
            try:
                return await answer
            finally:
                transport.abort()
    except TimeoutError:
        return f"no answer within {config.timeout_seconds} s"
    except OSError as error:
        return f"no connection to port {config.port}: {error.strerror}"


class AgentSide(asyncio.Protocol):
    """One check's connection to the agent."""

    def __init__(self, config: documents.Liveness, answer: asyncio.Future[str]) -> None:
        self._config = config
        self._answer = answer
        self._held = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Ask, or be content that there is somebody."""
        self._transport = transport
        if transport.get_extra_info("sockname") == transport.get_extra_info("peername"):
            # A port of the ephemeral range at which nobody listens: TCP may connect the socket to itself.
            self._end(f"nothing listens at port {self._config.port}")
        elif self._config.kind is documents.LivenessKind.TCP:
            self._end("")
        else:
            transport.write(liveness.request(self._config))

    def data_received(self, data: bytes) -> None:
        """Take bytes until they tell."""
        self._held += data[: liveness.LINE_MAX]
        problem = liveness.judge(self._held)
        if problem is not None:
            self._end(problem)

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of this connection."""
        self._end("it hangs up without an answer")

    def _end(self, problem: str) -> None:
        """Settle the check, once, and read nothing more."""
        if not self._answer.done():
            self._answer.set_result(problem)
            self._transport.abort()
