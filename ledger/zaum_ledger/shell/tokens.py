"""Say whose a token is: its signature offline at every request, the API server's word at session start and after.

A token that the API server says has ended counts for nothing until it says otherwise: it is asked again, as one that
has just begun may refuse what it will accept. An API server that cannot be asked lets nobody start a session; sessions
that run go on until their token ends by itself, in ten minutes at most.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zaum_api import signatures
from zaum_api import tokens as shared
from zaum_api.documents import Refusal
from zaum_ledger.core import callers
from zaum_ledger.shell import cluster
from zaum_ledger.shell.denied import Denied

log = logging.getLogger("zaum.ledger.tokens")

PERIOD_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 1.0
RENEW_SECONDS: Final = 10.0
"""A token under a key that is not known asks for the keys again, at most this often."""
FRESH_SECONDS: Final = 5.0
"""A review that is no older serves for a session's start."""
DOUBT_SECONDS: Final = 10.0
"""A token that has ended is asked for again, at most this often."""
KNOWN_MAX: Final = 50_000
BEARER: Final = "bearer "


@dataclass(slots=True)
class _Known:
    """A token of which the signature is good. `reviewed`: monotonic seconds of the API server's last word on it."""

    pod: callers.Pod
    reviewed: float = float("-inf")
    ended: bool = False
    asking: "asyncio.Task[cluster.Verdict] | None" = None


class Tokens:
    """Tokens seen lately, by their digest, and the API server's keys."""

    def __init__(
        self,
        source: cluster.Cluster,
        *,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        review_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self.keys: signatures.KeySet | None = None
        self._source = source
        self._wall, self._monotonic = wall, monotonic
        self._review_seconds = review_seconds
        self._known: dict[bytes, _Known] = {}
        self._asked = float("-inf")
        self._renewing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Fetch the keys for ever."""
        while True:
            await self.fetch()
            await asyncio.sleep(PERIOD_SECONDS if self.keys else RETRY_SECONDS)

    async def fetch(self) -> None:
        """Fetch the keys once; the last good ones stay when that fails."""
        try:
            self.keys = signatures.KeySet.read(*await self._source.keys())
        except (cluster.Unreachable, signatures.KeySetError) as error:
            log.warning("keys-unavailable", extra={"fields": {"error": str(error)}})

    async def pod(self, header: str, *, starts: bool) -> callers.Pod:
        """Give the pod whose token an Authorization header holds; raise Denied. `starts`: it asks for a session."""
        token = _bearer(header)
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._remember(digest, await self._verified(token))
        if self._wall() >= known.pod.expires + shared.LEEWAY_SECONDS:
            raise Denied(Refusal.TOKEN, "the token has expired")
        await self._stands(known, token, starts=starts)
        return known.pod

    async def reader(self, header: str) -> str:
        """Give the subject of a token for reading the usage; raise Denied."""
        claims, issuer = await self._claims(_bearer(header))
        found = callers.reader(claims, issuer=issuer, now=self._wall())
        if isinstance(found, callers.Unproven):
            raise Denied(Refusal.TOKEN, found.problem)
        return found

    async def _stands(self, known: _Known, token: str, *, starts: bool) -> None:
        serves = DOUBT_SECONDS if known.ended else FRESH_SECONDS if starts else self._review_seconds
        if self._monotonic() - known.reviewed >= serves and known.asking is None:
            known.asking = asyncio.create_task(self._review(known, token))
        if starts and known.asking is not None:
            # Another request may wait for the same answer, so one that goes away must not end it.
            verdict = await asyncio.shield(known.asking)
            if verdict is cluster.Verdict.UNKNOWN and not known.ended:
                raise Denied(Refusal.STORAGE, "the API server cannot be asked whether the token stands: try again")
        if known.ended:
            raise Denied(Refusal.TOKEN, "the API server says that the token has ended")

    async def _review(self, known: _Known, token: str) -> cluster.Verdict:
        try:
            verdict = await self._source.review(token)
        finally:
            known.asking = None
        if verdict is cluster.Verdict.UNKNOWN:
            log.warning("review-unavailable", extra={"fields": {"policy": known.pod.key}})
            return verdict
        known.reviewed = self._monotonic()
        ended = verdict is cluster.Verdict.ENDED
        if known.ended is not ended:
            known.ended = ended
            word = "token-ended" if ended else "token-stands-after-all"
            log.warning(word, extra={"fields": {"policy": known.pod.key, "uid": known.pod.uid}})
        return verdict

    async def _verified(self, token: str) -> callers.Pod:
        claims, issuer = await self._claims(token)
        found = callers.pod(claims, issuer=issuer, now=self._wall())
        match found:
            case callers.Unproven():
                raise Denied(Refusal.TOKEN, found.problem)
            case callers.NoPod():
                raise Denied(Refusal.POD, found.problem)
        return found

    async def _claims(self, token: str) -> tuple["signatures.Claims", str]:
        try:
            return self._read(token)
        except signatures.UnknownKeyError:
            await self._renewed()
        try:
            return self._read(token)
        except signatures.UnknownKeyError as error:
            raise Denied(Refusal.TOKEN, str(error)) from error

    def _read(self, token: str) -> tuple["signatures.Claims", str]:
        if self.keys is None:
            raise Denied(Refusal.STORAGE, "the API server's keys have not been read yet")
        try:
            return signatures.claims(token, self.keys), self.keys.issuer
        except signatures.UnknownKeyError:
            raise
        except signatures.BadTokenError as error:
            raise Denied(Refusal.TOKEN, str(error)) from error

    async def _renewed(self) -> None:
        if self._renewing is None and self._monotonic() - self._asked >= RENEW_SECONDS:
            self._asked = self._monotonic()
            self._renewing = asyncio.create_task(self.fetch())
        if self._renewing is not None:
            await asyncio.shield(self._renewing)
            self._renewing = None

    def _remember(self, digest: bytes, pod: callers.Pod) -> _Known:
        if len(self._known) >= KNOWN_MAX:
            now = self._wall()
            self._known = {key: one for key, one in self._known.items() if one.pod.expires > now}
            while len(self._known) >= KNOWN_MAX:
                del self._known[next(iter(self._known))]
        return self._known.setdefault(digest, _Known(pod))


def _bearer(header: str) -> str:
    token = header[len(BEARER) :].strip() if header[: len(BEARER)].lower() == BEARER else ""
    if not token:
        raise Denied(Refusal.TOKEN, "Authorization holds no bearer token")
    return token
