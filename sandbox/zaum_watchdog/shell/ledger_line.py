"""One connection to the ledger, through the gateway, kept for one request after another."""

import asyncio
import os
import ssl
from collections.abc import Callable

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_watchdog.core import gateway_answer, ledger_answer, refusals, routes
from zaum_watchdog.shell import gateway, hop, upstream

Done = Callable[[ledger_answer.Answer], None]


def dice() -> float:
    """Draw a number from 0 to 1, for pauses that are not everybody's: without `random`, which takes memory for good."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Peer:
    """The ledger of a document: where it is, and whom it is known by."""

    def __init__(self, config: documents.LedgerPeer) -> None:
        self.config = config
        self.context: ssl.SSLContext = gateway.tls_context(config.ca_pem)
        way = documents.Route("ledger", config.tls_name, config.port, base="", allow=())
        # The name is ours, so it is no matter of the policy's hosts; the gateway leads it to our own Service.
        self.route = routes.Route(way, hosts.Authority(hosts.Host(config.tls_name), config.port), (), b"", frozenset())


class Line(upstream.User):
    """Asks one thing at a time; `done` hears BROKEN where there is no whole answer. See `core.ledger_answer`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, way: hop.Hop, peer: Peer) -> None:
        self._loop = loop
        self._hop = way
        self._peer = peer
        self._connection: upstream.Connection | None = None
        self._request = b""
        self._sent = False
        self._reader = ledger_answer.Reader()
        self._done: Done | None = None
        self._patience: asyncio.TimerHandle | None = None
        self.problem = ""
        """Why the last one got no answer, in words that repeat no content."""

    def ask(self, request: bytes, done: Done, *, seconds: float) -> None:
        """Ask, by the connection that stands, or by a new one."""
        assert self._done is None, "one request at a time"
        self._request, self._done, self._sent = request, done, False
        self._reader = ledger_answer.Reader()
        self._patience = self._loop.call_later(seconds, self._end, "no answer in time")
        connection = self._connection
        if connection is not None and connection.stage is upstream.Stage.READY:
            self.ready()
        else:
            self._dial(secure=False)

    def _dial(self, *, secure: bool) -> None:
        self.close_connection()
        self._connection = upstream.Connection(self._hop, self._peer.route, self, self._peer.context, None, free=True)
        self._connection.dial(secure=secure)

    # What the connection tells.

    def ready(self) -> None:
        """Send the request."""
        if self._connection is not None and self._done is not None and not self._sent:
            self._sent = True
            self._connection.send(self._request)

    def received(self, data: bytes) -> None:
        """Take a piece of the answer; what comes unasked ends the connection."""
        answer = self._reader.feed(data) if self._done is not None and self._sent else ledger_answer.BROKEN
        if answer is None:
            return
        if not answer.keep:
            self.close_connection()
        self._end("" if answer.status else "its answer is none", answer)

    def declined(self, answer: gateway_answer.Declined, *, again: bool) -> None:
        """Take the gateway's refusal."""
        self._connection = None
        if again and self._done is not None:
            self._dial(secure=True)
        else:
            self._end(f"the gateway refused: {answer.rule.value}")

    def failed(self, rule: contract.Rule, problem: str, *, again: bool) -> None:
        """Take it that the connection cannot be made."""
        self._connection = None
        self._end(f"{rule.value}: {problem}")

    def ended(self, *, clean: bool) -> None:
        """Take the end of the connection."""
        self._connection = None
        self._end("it hung up")

    def limited(self, _: refusals.Refusal) -> None:
        """Its bytes are not limited."""

    def stop(self) -> None:
        """Nothing is sent beyond the one request."""

    def go_on(self) -> None:
        """Nothing waits to be sent."""

    def soon(self, then: Callable[[], None]) -> None:
        """Call after others had their turn."""
        self._loop.call_soon(then)

    # Ends.

    def close_connection(self) -> None:
        """End what stands; the next request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End; nobody is told any more."""
        self._done = None
        if self._patience is not None:
            self._patience.cancel()
        self.close_connection()

    def _end(self, problem: str, answer: ledger_answer.Answer = ledger_answer.BROKEN) -> None:
        done, self._done = self._done, None
        self.problem = problem
        self._request = b""
        if self._patience is not None:
            self._patience.cancel()
        if not answer.status:
            self.close_connection()
        if done is not None:
            done(answer)
