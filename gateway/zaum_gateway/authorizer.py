"""Bring key set, cluster state and decision together: one object that answers, and says whether it can."""

from collections.abc import Callable

from zaum_gateway import signatures
from zaum_gateway.cluster import feeds, keys, mirror
from zaum_gateway.core import credentials, decisions, records


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
    ) -> None:
        self._ring = ring
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

    async def decide(self, request: decisions.Request, header: str | None) -> decisions.Decision:
        """Decide one request; `header` is its Proxy-Authorization, None when it has none."""
        ready = not self.missing()
        credential = await self._credential(header) if ready or not header else credentials.Invalid("not judged yet")
        snapshot = self._snapshot if ready else None
        return decisions.decide(request, credential, snapshot, cluster_domain=self._domain)

    async def _credential(self, header: str | None) -> credentials.Credential:
        if not header:
            return credentials.Missing()
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
