"""Bring key set, cluster state and decision together: one object that answers, and says whether it can."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from zaum_api import contract, documents, reading
from zaum_gateway import signatures
from zaum_gateway.cluster import feeds, keys, mirror
from zaum_gateway.core import (
    contacts,
    credentials,
    decisions,
    incidents,
    nonces,
    records,
    reports,
    seen,
    sessions,
    signed,
)

_UNREAD: Final = credentials.Invalid("the authorizer has not read the cluster yet", contract.Rule.GATEWAY_UNAVAILABLE)


_NOT_THEIRS: Final = "the token's key is not the API server's"
_PRUNE_SECONDS: Final = 1.0
RELIST_SECONDS: Final = 3.0
"""How old the list of pods may be while somebody asks about a pod that is not known: only a list proves that it is not
there, and one that is older than the pod's end proves nothing."""
SILENT_SECONDS: Final = 90.0
"""After which a feed counts as silent: a watch ends every minute, and its end is heard."""


class Authorizer:
    """Decide from what was last read. Before everything has been read once, it denies and is not ready.

    `namespaces` are those that may have agents; none means all. What lives elsewhere is not read, and so is denied.
    `namespace` is the release's own, `operator` the subject of the token by which reports are read.
    """

    def __init__(
        self,
        *,
        ring: keys.Keys,
        clock: Callable[[], float],
        since: Callable[[], float],
        domain: str,
        namespaces: tuple[str, ...] = (),
        namespace: str = "",
        operator: str = "",
        masters: Callable[[], sessions.Masters] = lambda: sessions.Masters({}),
    ) -> None:
        self._ring = ring
        self._masters = masters
        self._nonces = nonces.Nonces()
        self._clock = clock
        self._since = since
        self._domain = domain
        self._namespace = namespace
        self._operator = operator
        self.reports = reports.Reports()
        self.latches = contacts.Latches()
        self._pruned = float("-inf")
        self.news: Callable[[], None] = lambda: None
        """Called when something was read or said by which an answer of `seen` may be another one."""
        self._pods, self._policies = mirror.Pods(), mirror.Policies(domain)
        self._incidents = mirror.Incidents()
        self.incidents: incidents.Standing = self._incidents.standing
        self._snapshot = records.Snapshot(
            self._pods.view, self._policies.view, self._pods.addresses, self.incidents.holds
        )
        self.feeds: dict[str, feeds.Feed] = {}
        for watched in namespaces or ("",):
            end = f"/{watched}" if watched else ""
            self.feeds[f"pods{end}"] = feeds.Feed(
                path=mirror.pods_path(watched),
                selector=mirror.PODS_SELECTOR,
                sink=mirror.Share(self._pods, watched, self._tell),
                clock=since,
            )
            self.feeds[f"policies{end}"] = feeds.Feed(
                path=mirror.policies_path(watched),
                selector="",
                sink=mirror.Share(self._policies, watched, self._tell),
                clock=since,
            )
            self.feeds[f"incidents{end}"] = feeds.Feed(
                path=mirror.incidents_path(watched),
                selector="",
                sink=mirror.Share(self._incidents, watched, self._tell),
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

    async def decide(self, request: decisions.Request, presented: credentials.Presented) -> decisions.Outcome:
        """Decide one request; with a session where one was asked for and is granted, with the pods that it latched."""
        ready = not self.missing()
        credential: credentials.Credential | None = credentials.misplaced(presented, request.listener)
        if credential is None:
            credential = await self._credential(request, presented) if ready else _UNREAD
        snapshot = self._snapshot if ready else None
        touched = () if snapshot is None else self._touched(request, credential, snapshot)
        decision = decisions.decide(
            request, credential, snapshot, cluster_domain=self._domain, own_namespace=self._namespace
        )
        if snapshot is not None and not touched:
            caught = self.latches.caught(request.source, credential, snapshot)
            decision = decision if caught is None else decisions.latched(caught)
        outcome = decisions.Outcome(decision, touched=touched)
        if not (decision.allowed and isinstance(credential, credentials.Identity)):
            return outcome
        if request.for_session:
            return self._session(request, outcome, credential)
        return self._report(request, outcome) if request.for_report else outcome

    async def operator(self, header: str) -> str:
        """Say what is wrong with an Authorization header; empty for the operator's own token."""
        ring, token = self._ring.current, credentials.bearer(header)
        if ring is None:
            return "the authorizer has not read the API server's keys yet"
        if token is None:
            return "Authorization holds no bearer token"
        claims, issuer = await self._claims(token, ring)
        match claims:
            case signatures.UnknownKey():
                return _NOT_THEIRS
            case credentials.Invalid():
                return claims.problem
        now = self._clock()
        subject = credentials.account(claims, issuer=issuer, audience=contract.AUDIENCE_AUTHORIZER, now=now)
        if isinstance(subject, credentials.Invalid):
            return subject.problem
        return "" if subject == self._operator else "the token is not the operator's"

    def document(self) -> bytes:
        """Give what is held for the operator, of live pods alone."""
        self._pruned = float("-inf")
        self._prune()
        return reports.document(self.reports.all(), self.latches.all())

    def seen(self, asked: documents.SeenAsked) -> documents.Seen:
        """Say what is seen of Incidents and pods, for the operator."""
        every = [feed for name, feed in self.feeds.items() if name.startswith("pods")]
        oldest = min((feed.listed for feed in every if feed.listed is not None), default=self._since())
        unknown = any(uid not in self._snapshot.pods and uid not in self._pods.gone for uid in asked.pods)
        if unknown and self._since() - oldest > RELIST_SECONDS:
            for feed in every:
                feed.refresh()
        return seen.answer(
            asked,
            snapshot=self._snapshot,
            standing=self.incidents.view,
            gone=self._pods.gone,
            latched=self.latches.has,
            said=self.reports.contained,
            listed=self._since() - oldest,
            listed_at=oldest,
            missing=self.missing(),
            degraded=self.degraded(),
        )

    def degraded(self) -> str:
        """Say why not everything is seen; empty when nothing is wrong."""
        unread = self.incidents.unreadable()
        if unread:
            return f"{len(unread)} Incidents cannot be read, the first: {unread[0].problem}"
        silent = [name for name in self.feeds if self.age(name) > SILENT_SECONDS]
        return f"the API server has said nothing for {SILENT_SECONDS:.0f} s of {', '.join(silent)}" if silent else ""

    def _tell(self) -> None:
        self.news()

    def _touched(
        self, request: decisions.Request, credential: credentials.Credential, snapshot: records.Snapshot
    ) -> tuple[contacts.Contact, ...]:
        """Latch whoever spoke without a right to it; give the new ones."""
        self._prune()
        pods, rule = contacts.guilty(request.source, credential, snapshot)
        found = (self.latches.take(pod, rule, self._clock()) for pod in pods)
        new = tuple(contact for contact in found if contact is not None)
        if new:
            self._tell()
        return new

    def _prune(self) -> None:
        """Drop what is held of pods that are gone. Once a second: it looks at all that is held."""
        if self._since() - self._pruned >= _PRUNE_SECONDS:
            self._pruned = self._since()
            self.reports.prune(self._snapshot.pods)
            self.latches.prune(self._snapshot.pods)

    def _report(self, request: decisions.Request, outcome: decisions.Outcome) -> decisions.Outcome:
        decision = outcome.decision
        try:
            report = documents.Report.parse(request.body)
        except reading.DocumentError as error:
            large = len(request.body) > documents.REPORT_MAX_BYTES
            rule = contract.Rule.REQUEST_TOO_LARGE if large else contract.Rule.REQUEST_MALFORMED
            refused = dataclasses.replace(decision, rule=rule, message=f"the report cannot be read: {error}")
            return dataclasses.replace(outcome, decision=refused)
        self.reports.take(self._snapshot.pods[decision.uid], report, self._clock())
        self._tell()
        return outcome

    def _session(
        self, request: decisions.Request, outcome: decisions.Outcome, identity: credentials.Identity
    ) -> decisions.Outcome:
        now = self._clock()
        issued = sessions.issue(self._masters(), identity, source=request.source, until=identity.expires, now=now)
        if issued is None:
            problem = "there are no master keys yet, or the token is about to end"
            rule = contract.Rule.GATEWAY_UNAVAILABLE
            refused = dataclasses.replace(outcome.decision, rule=rule, message=problem)
            return dataclasses.replace(outcome, decision=refused)
        session = documents.Session(issued.key_id, issued.key, issued.seconds, int(now))
        return dataclasses.replace(outcome, session=session)

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
        claims, issuer = await self._claims(token, ring)
        match claims:
            case signatures.UnknownKey():
                # Perhaps a key that the API server has and we do not: no honest watchdog shall pay for that.
                return credentials.Invalid(_NOT_THEIRS, owner=credentials.claimed(claims.said, issuer=issuer))
            case credentials.Invalid():
                return claims
            case _:
                return credentials.identity(claims, issuer=issuer, now=self._clock())

    async def _claims(
        self, token: str, ring: signatures.KeySet
    ) -> tuple[Mapping[str, object] | credentials.Invalid | signatures.UnknownKey, str]:
        """Give the claims and the issuer's name, by the newest keys where ours do not know the token's."""
        claims = signatures.claims(token, ring)
        if isinstance(claims, signatures.UnknownKey):
            ring = await self._ring.renewed() or ring
            claims = signatures.claims(token, ring)
        return claims, ring.issuer
