"""The way to the gateway for every tunnel of this pod: which connection is dialled, and what is said on it first."""

import asyncio
from collections.abc import Callable

from zaum_egress import hosts
from zaum_watchdog.shell import gateway, watch


class Hop:
    """Joins the policy in force, the pod's token and the dialler; one for the whole process."""

    def __init__(self, shared: watch.Watch, dialler: gateway.Dialler) -> None:
        self._watch = shared
        self._dialler = dialler

    @property
    def usable(self) -> bool:
        """Say whether there is anything by which the gateway would know us; without it nothing need be dialled."""
        return self._watch.policy.config.gateway.unsafe_plaintext or bool(self._watch.token.header)

    def dial(self, upstream: gateway.Upstream, failed: Callable[[], None], *, secure: bool = False) -> None:
        """Connect `upstream` to the gateway, or call `failed` when no address answers.

        `secure` asks for TLS on the hop: for what is not TLS end to end.
        """
        del secure  # Every hop is TLS as yet.
        self._dialler.dial(self._watch.policy.config.gateway, upstream, failed)

    def ask(self, authority: hosts.Authority, over: asyncio.Transport) -> bytes:
        """Give the head that asks for a tunnel on the connection `over`, written anew from the decision.

        What proves us depends on the connection: the token is for one with TLS alone, so it is asked, not remembered.
        """
        del over
        target = f"{authority.host.name}:{authority.port}".encode("ascii")
        shared = self._watch
        token = b"" if shared.policy.config.gateway.unsafe_plaintext else shared.token.header
        return b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n" + token + b"\r\n"
