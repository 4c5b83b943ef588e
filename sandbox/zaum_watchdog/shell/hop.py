"""The way to the gateway for every tunnel of this pod: which connection is dialled, and what is said on it first.

A tunnel whose content is TLS end to end goes by a plain connection with a signed head, where there is a session; all
else, and everything while there is none, goes by TLS with the pod's token (docs/adr/0003-hop-to-the-gateway.md).
"""

import asyncio
import functools
import itertools
import os
from collections.abc import Callable
from typing import Final

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_watchdog.core import gateway_answer, session
from zaum_watchdog.core.phases import SECOND
from zaum_watchdog.shell import clock, gateway, limits, session_call, watch, wire

Transport = asyncio.Transport | wire.Wire
"""With TLS, or without."""
_NONE: Final = session.State()
REST: Final = 10 * SECOND
"""So long (ns) no plain connection is tried to an address whose last one came to nothing: most wait in vain for it."""
DISTRUST: Final = frozenset({contract.Rule.SIGNATURE_INVALID, contract.Rule.REPLAYED})
"""By these the gateway says that it does not take a signature; a token over TLS may still be good."""


class Hop:
    """Joins the policy in force, the pod's token, the sessions and the dialler; one for the whole process."""

    def __init__(self, shared: watch.Watch, dialler: gateway.Dialler) -> None:
        self._watch = shared
        self._dialler = dialler
        self._sessions: dict[str, session.State] = {}
        self._missed: dict[str, int] = {}
        """When an address may be dialled in the plain again."""
        self._calls: set[session_call.SessionCall] = set()
        # Unique is all that a nonce has to be: a start of its own for each process, and a number.
        self._nonces = (f"{start}{number:x}" for start in (os.urandom(8).hex() + "-",) for number in itertools.count())

    @property
    def limits(self) -> limits.Limits:
        """Give what bounds the bytes that go this way."""
        return self._watch.limits

    @property
    def usable(self) -> bool:
        """Say whether there is anything by which the gateway would know us; without it nothing need be dialled."""
        return self._watch.policy.config.gateway.unsafe_plaintext or bool(self._watch.token.header)

    def prepare(self) -> None:
        """Trust the present gateway's CA from now on, so that the first dial need not spend the time."""
        self._dialler.prepare(self._watch.policy.config.gateway)

    def dial(self, upstream: gateway.Upstream, failed: Callable[[], None], *, secure: bool = False) -> None:
        """Connect `upstream` to the gateway, or call `failed` when no address answers.

        `secure` asks for TLS on the hop: for what is not TLS end to end, and where a signature was not taken.
        """
        config = self._watch.policy.config
        peer = config.gateway
        by_tls = functools.partial(self._dialler.dial, peer, upstream, failed)
        if secure or not config.signed_port or peer.unsafe_plaintext:
            by_tls()
            return
        now = clock.monotonic()
        known = self._sessions
        ready = tuple(address for address in peer.addresses if known.get(address, _NONE).usable(now))
        if self._missed:
            ready = tuple(address for address in ready if now >= self._missed.get(address, now))
        if ready:
            self._dialler.dial_plain(ready, config.signed_port, upstream, by_tls, self._miss)
        else:
            by_tls()

    def _miss(self, address: str) -> None:
        self._missed[address] = clock.monotonic() + REST

    def say(self, authority: hosts.Authority, over: Transport) -> None:
        """Ask for a tunnel on the connection `over`, which is new; end it where nothing may be said."""
        head = self.ask(authority, over)
        if head:
            over.write(head)
        else:
            over.close()

    def ask(self, authority: hosts.Authority, over: Transport) -> bytes:
        """Give the head that asks for a tunnel on the connection `over`, written anew from the decision.

        What proves us depends on the connection: the token is for one with TLS alone, so it is asked, not remembered.
        Empty where the proof has gone since the dial: who speaks to the gateway without one is taken for the agent.
        """
        target = f"{authority.host.name}:{authority.port}"
        trusting = self._watch.policy.config.gateway.unsafe_plaintext
        if not isinstance(over, wire.Wire):
            proof = self._watch.token.header
        else:
            proof = b"" if trusting else self._signature(target, over.peer)
        if not proof and not trusting:
            return b""
        raw = target.encode("ascii")
        return b"CONNECT " + raw + b" HTTP/1.1\r\nHost: " + raw + b"\r\n" + proof + b"\r\n"

    def _signature(self, target: str, address: str) -> bytes:
        current = self._sessions.get(address, _NONE).session
        if current is None:
            return b""
        return current.headers(target, nonce=next(self._nonces), now=clock.monotonic())

    def distrusted(self, over: Transport, rule: contract.Rule) -> bool:
        """Hear that the gateway refused a head on `over`; say whether it may be asked again over TLS."""
        if rule not in DISTRUST or not isinstance(over, wire.Wire):
            return False
        state = self._sessions.get(over.peer)
        if state is None or state.session is None:
            return False
        self._sessions[over.peer] = state.unknown(state.session.document.key_id, clock.monotonic())
        return True

    def tick(self) -> None:
        """Ask for the sessions that are due, and cut all when one has ended and the next was refused for good."""
        config = self._watch.policy.config
        now = clock.monotonic()
        peer = config.gateway
        wanted = peer.addresses if config.signed_port and not peer.unsafe_plaintext else ()
        for address in [*self._sessions]:
            if address not in wanted and self._sessions[address].usable(now) is None:
                del self._sessions[address]
                self._missed.pop(address, None)
        for address in wanted:
            state = self._sessions.get(address, _NONE)
            if state.due(now) and self._watch.token.header:
                self._call(peer, address, state)
        self._end_if_over(now)

    def _call(self, peer: documents.GatewayPeer, address: str, state: session.State) -> None:
        self._sessions[address] = state.asked()
        call = session_call.SessionCall(self._watch.token.header, lambda outcome: self._heard(address, call, outcome))
        self._calls.add(call)
        self._dialler.dial(peer, call, call.failed, at=address)

    def _heard(self, address: str, call: session_call.SessionCall, outcome: session_call.Outcome) -> None:
        self._calls.discard(call)
        state, now = self._sessions.get(address, _NONE), clock.monotonic()
        match outcome:
            case documents.Session():
                if state.session is None:
                    self._watch.event("session", address=address, seconds=outcome.seconds)
                self._sessions[address] = state.given(outcome, now)
            case gateway_answer.Declined():
                rule = outcome.rule
                if rule is not state.refused:
                    self._watch.event("sessionRefused", address=address, rule=rule.value)
                self._sessions[address] = state.failed(now, rule)
            case None:
                self._sessions[address] = state.failed(now, None)

    def _end_if_over(self, now: int) -> None:
        states = self._sessions.values()
        rule = next((found for found in (state.over(now) for state in states) if found is not None), None)
        if rule is None or any(state.usable(now) for state in states):
            return
        for tunnel in [*self._watch.connections]:
            if tunnel.authority is not None:
                tunnel.cut(rule)
        for follower in self._watch.followers:
            follower.cut(rule)
