"""Bring key set, cluster state and decision together: one object that answers, and says whether it can."""

import dataclasses
from collections.abc import Callable
from typing import Final

from zaum_api import contract, documents
from zaum_gateway import signatures
from zaum_gateway.cluster import feeds, keys, mirror
from zaum_gateway.core import credentials, decisions, nonces, records, sessions, signed

_UNREAD: Final = credentials.Invalid("the authorizer has not read the cluster yet", contract.Rule.GATEWAY_UNAVAILABLE)


class Authorizer:
    """Decide from what was last read. Before everything has been read once, it denies and is not ready.

    `namespaces` are those that may have agents; none means all. What lives elsewhere is not read, and so is denied.
    """

    def __init__(
        self,
        *,
        ring: keys.Keys,
        clock: Callable[[], float],
        since: Callable[[], float],
        domain: str,
        namespaces: tuple[str, ...] = (),
        masters: Callable[[], sessions.Masters] = lambda: sessions.Masters({}),
    ) -> None:
        self._ring = ring
        self._masters = masters
        self._nonces = nonces.Nonces()
        self._clock = clock
        self._since = since
        self._domain = domain
        self._pods, self._policies = mirror.Pods(), mirror.Policies(domain)
        self._snapshot = records.Snapshot(pods=self._pods.view, policies=self._policies.view)
        self.feeds: dict[str, feeds.Feed] = {}
        for namespace in namespaces or ("",):
            end = f"/{namespace}" if namespace else ""
            self.feeds[f"pods{end}"] = feeds.Feed(
                path=mirror.pods_path(namespace),
                selector=mirror.PODS_SELECTOR,
                sink=mirror.Share(self._pods, namespace),
                clock=since,
            )
            self.feeds[f"policies{end}"] = feeds.Feed(
                path=mirror.policies_path(namespace),
                selector="",
                sink=mirror.Share(self._policies, namespace),
                clock=since,
            )

    def missing(self) -> str:
        """Name what has not been read yet; empty when the authorizer can decide."""
        unread = [name for name, feed in self.feeds.items() if feed.heard is None]
        return ", ".join([*unread, *(() if self._ring.current else ("keys",))])

    def age(self, name: str) -> float:
        """Give the seconds since the API server last spoke of this feed; infinite before the first list."""
        heard = self.feeds[name].heard
        return float("inf") if heard is None else self._since() - heard

    async def decide(
        self, request: decisions.Request, presented: credentials.Presented
    ) -> tuple[decisions.Decision, documents.Session | None]:
        """Decide one request; with a session where one was asked for and is granted."""
        ready = not self.missing()
        credential: credentials.Credential | None = credentials.misplaced(presented, request.listener)
        if credential is None:
            credential = await self._credential(request, presented) if ready else _UNREAD
        snapshot = self._snapshot if ready else None
        decision = decisions.decide(request, credential, snapshot, cluster_domain=self._domain)
        if not (request.for_session and decision.allowed and isinstance(credential, credentials.Identity)):
            return decision, None
        return self._session(request, decision, credential)

    def _session(
        self, request: decisions.Request, decision: decisions.Decision, identity: credentials.Identity
    ) -> tuple[decisions.Decision, documents.Session | None]:
        now = self._clock()
        issued = sessions.issue(self._masters(), identity, source=request.source, until=identity.expires, now=now)
        if issued is None:
            problem = "there are no master keys yet, or the token is about to end"
            return dataclasses.replace(decision, rule=contract.Rule.GATEWAY_UNAVAILABLE, message=problem), None
        return decision, documents.Session(issued.key_id, issued.key, issued.seconds, int(now))

    async def _credential(self, request: decisions.Request, presented: credentials.Presented) -> credentials.Credential:
        match request.listener:
            case contract.Listener.SIGNED:
                return signed.identity(
                    presented.signature_input or "",
                    presented.signature or "",
                    authority=request.authority,
                    source=request.source,
                    masters=self._masters(),
                    seen=self._nonces,
                    now=self._clock(),
                )
            case contract.Listener.TLS:
                return await self._bearer(presented.authorization or "")

    async def _bearer(self, header: str) -> credentials.Credential:
        token = credentials.bearer(header)
        ring = self._ring.current
        if token is None or ring is None:
            return credentials.Invalid("Proxy-Authorization holds no bearer token")
        claims = signatures.claims(token, ring)
        if isinstance(claims, signatures.UnknownKey):
            ring = await self._ring.renewed() or ring
            claims = signatures.claims(token, ring)
        match claims:
            case signatures.UnknownKey():
                return credentials.Invalid("the token's key is not the API server's")
            case credentials.Invalid():
                return claims
            case _:
                return credentials.identity(claims, issuer=ring.issuer, now=self._clock())
