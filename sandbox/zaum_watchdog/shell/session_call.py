"""Ask the gateway for a session: one request over TLS, one answer, and the connection is done."""

import asyncio
from collections.abc import Callable
from typing import Final

from zaum_api import contract, documents
from zaum_watchdog.core import gateway_answer, session_answer
from zaum_watchdog.shell import gateway

ANSWER_SECONDS: Final = 5.0
ANSWER_MAX: Final = 32 * 1024

Outcome = documents.Session | gateway_answer.Declined | None
"""None: nobody answered."""


class SessionCall(gateway.Upstream):
    """Says the request as soon as it is connected; `done` hears the outcome, once."""

    def __init__(self, token: bytes, done: Callable[[Outcome], None]) -> None:
        """Take the token's whole header line."""
        self._token = token
        self._done: Callable[[Outcome], None] | None = done
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self._patience = asyncio.get_running_loop().call_later(ANSWER_SECONDS * 2, self.failed)

    @property
    def wanted(self) -> bool:
        """Say whether the answer is still waited for."""
        return self._done is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one
        """Ask."""
        self._transport = transport
        if self._done is None:
            transport.abort()
            return
        name = contract.GATEWAY_TLS_NAME.encode("ascii")
        path = contract.PATH_SESSION.encode("ascii")
        transport.write(b"GET " + path + b" HTTP/1.1\r\nHost: " + name + b"\r\n" + self._token + b"\r\n")

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer."""
        if self._done is None:
            return
        self._answer += data
        outcome = session_answer.read(self._answer)
        if outcome is not None or len(self._answer) > ANSWER_MAX:
            self._end(outcome)

    def connection_lost(self, _: Exception | None) -> None:
        """Take the end of the connection."""
        self._end(None)

    def failed(self) -> None:
        """Take it that nobody answers."""
        self._end(None)

    def _end(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        self._patience.cancel()
        self._answer = b""
        if self._transport is not None:
            self._transport.close()
        if done is not None:
            done(outcome)
