"""Ask the gateway one thing: one request over TLS, one answer, and the connection is done."""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from zaum_watchdog.shell import gateway

ANSWER_SECONDS: Final = 10.0
"""From the first dial on: no call lasts longer."""
ANSWER_MAX: Final = 32 * 1024

T = TypeVar("T")


class OneShot(gateway.Upstream, Generic[T]):
    """Says the request as soon as it is connected; `done` hears what `read` makes of the answer, once.

    `read` gives None for an answer that is not whole; `done` hears None where there was none.
    """

    def __init__(self, request: bytes, read: Callable[[bytes], T | None], done: Callable[[T | None], None]) -> None:
        self._request = request
        self._read = read
        self._done: Callable[[T | None], None] | None = done
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self._patience = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self.failed)

    @property
    def wanted(self) -> bool:
        """Say whether the answer is still waited for."""
        return self._done is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Ask."""
        self._transport = transport
        if self._done is None:
            transport.abort()
        else:
            transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer."""
        if self._done is None:
            return
        self._answer += data
        outcome = self._read(self._answer)
        if outcome is not None or len(self._answer) > ANSWER_MAX:
            self._end(outcome)

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of the connection."""
        self._end(None)

    def failed(self) -> None:
        """Take it that nobody answers."""
        self._end(None)

    def _end(self, outcome: T | None) -> None:
        done, self._done = self._done, None
        self._patience.cancel()
        self._answer = b""
        if self._transport is not None:
            self._transport.close()
        if done is not None:
            done(outcome)
