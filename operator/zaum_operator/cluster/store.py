"""The cache, and everything that keeps it true: the first lists, the watches' events, our own answers, the resync.

A write goes through here, so that its answer is known before the next decision. A write that meets another state than
the cache shows (404, 409) looks at that one object live before anybody decides again.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds, watched
from zaum_operator.core.cache import Cache, Change, Place, place_of
from zaum_operator.core.kinds import Kind, Object, Operations
from zaum_operator.core.watched import Watched

logger = logging.getLogger(__name__)

AT_ONCE: Final = 50
"""Objects that are looked at without a break: some milliseconds."""


@dataclass(slots=True)
class Store:
    """One cache for one API server. `namespaces` empty: the whole cluster."""

    api: Api
    watched: Watched = watched.CLUSTER
    namespaces: tuple[str, ...] = ()
    cache: Cache = field(default_factory=Cache)
    problems: dict[Kind, str] = field(default_factory=dict)
    """Kinds whose last list failed, and why."""
    _filled: set[Kind] = field(default_factory=set)
    _listed: dict[tuple[Kind, str], int] = field(default_factory=dict)
    """The version of the newest list, by kind and namespace."""

    @property
    def filled(self) -> bool:
        """Say whether every kind has been listed once: before that nothing may be decided."""
        return not self.missing

    @property
    def missing(self) -> tuple[Kind, ...]:
        """Give the kinds that have not been listed yet."""
        return tuple(kind for kind, _ in self.watched if kind not in self._filled)

    def unfill(self) -> None:
        """Ask for every kind to be listed once more before the cache counts as filled."""
        self._filled.clear()

    def known(self, kind: Kind, obj: Object) -> tuple[Object, ...]:
        """Give the version that is held of a PriorityClass, where the next one may hide whose it is.

        Nothing owns one, and it says by labels alone to which policy it belongs: edited, they name another.
        """
        if kind is not kinds.PRIORITY_CLASS:
            return ()
        held = self.cache.get(kind, None, obj["metadata"]["name"])
        return () if held is None else (held,)

    def notice(self, kind: Kind, obj: Object, *, gone: bool) -> Change:
        """Take in what a watch shows."""
        return self.cache.drop(kind, obj) if gone else self.cache.put(kind, obj)

    async def relist(self, kind: Kind) -> tuple[Object, ...]:
        """List a kind live and heal the cache; give what the list has changed. Raises RequestError."""
        changed: list[Object] = []
        try:
            for namespace in self.namespaces or ("",):
                changed += await self._list(kind, namespace)
        except errors.RequestError as error:
            self.problems[kind] = str(error)
            raise
        self.problems.pop(kind, None)
        self._filled.add(kind)
        return tuple(changed)

    async def _list(self, kind: Kind, namespace: str) -> list[Object]:
        """List page by page; of the first list, of which everything is looked at anyway, nothing is given."""
        changed: list[Object] = []
        there: set[Place] = set()
        first = kind not in self._filled

        def take(page: list[Object]) -> None:
            there.update(place_of(kind, obj) for obj in page)
            for obj in page:
                before = () if first else self.known(kind, obj)
                if self.cache.put(kind, obj) is Change.CONTENT and not first:
                    changed.extend((obj, *before))

        selector = dict(self.watched)[kind]
        listed = await self.api.listing(kind, namespace or None, selector=selector, take=take)
        before, self._listed[kind, namespace] = self._listed.get((kind, namespace), 0), listed.version
        if listed.version < before:
            # Only a restored etcd goes back. What we hold looks newer than the truth: it is dropped, and listed again.
            logger.warning("%s: the API server went back from version %d to %d", kind.name, before, listed.version)
            held = self.cache.all(kind)
            self.cache.start_over(kind)
            return [*held, *await self._list(kind, namespace)]
        return [*changed, *self.cache.retain(kind, there, at=listed.version, namespace=namespace)]

    async def refresh(self, kind: Kind, namespace: str | None, name: str) -> None:
        """Look at one object live, where that is to be had; else what is held stays."""
        try:
            await self.look(kind, namespace, name)
        except errors.RequestError as error:
            logger.debug("%s %s/%s could not be looked at again: %s", kind.name, namespace, name, error)

    async def look(self, kind: Kind, namespace: str | None, name: str) -> None:
        """Look at one object live. Raises RequestError."""
        found = await self.api.list(kind, namespace, name=name)
        if found:
            self.cache.put(kind, found[0])
        elif (known := self.cache.get(kind, namespace, name)) is not None:
            self.cache.forget(kind, place_of(kind, known), uid=known["metadata"].get("uid", ""))

    async def apply(self, kind: Kind, body: Object) -> None:
        """Apply an object server-side."""
        metadata = body["metadata"]
        await self._changed(kind, metadata.get("namespace"), metadata["name"], self.api.apply(kind, body))

    async def apply_status(self, kind: Kind, body: Object) -> None:
        """Apply the status of an object server-side."""
        metadata = body["metadata"]
        await self._changed(kind, metadata.get("namespace"), metadata["name"], self.api.apply_status(kind, body))

    async def create(self, kind: Kind, body: Object) -> None:
        """Create an object."""
        metadata = body["metadata"]
        try:
            self._learn(kind, await self.api.create(kind, body))
        except errors.ConflictError:
            await self.refresh(kind, metadata.get("namespace"), metadata["name"])
            raise

    async def merge(self, kind: Kind, namespace: str | None, name: str, patch: dict[str, Any]) -> None:
        """Merge-patch an object."""
        await self._changed(kind, namespace, name, self.api.merge(kind, namespace, name, patch))

    async def resize(self, namespace: str, name: str, patch: Operations) -> None:
        """Change what a running pod gets, in place."""
        request = self.api.json_patch(kinds.POD, namespace, name, patch, subresource="resize")
        await self._changed(kinds.POD, namespace, name, request)

    async def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str) -> None:
        """Delete the object that was seen."""
        left = await self.api.delete(kind, namespace, name, uid=uid)
        if left is not None:
            self._learn(kind, left)
            return
        place = (namespace or "" if kind.namespaced else "", name)
        self.cache.forget(kind, place, uid=uid)

    async def strays(self, namespace: str) -> list[Object]:
        """Give a namespace's pods that lack our label: one that somebody took it off is in no watch of ours."""
        without = f"{contract.LABEL_AGENT}!={contract.LABEL_AGENT_VALUE}"
        return await self.api.list(kinds.POD, namespace, selector=without)

    async def _changed(self, kind: Kind, namespace: str | None, name: str, request: Awaitable[Object]) -> None:
        """Learn what a change led to, or look live at what it met instead."""
        try:
            self._learn(kind, await request)
        except (errors.ConflictError, errors.NotFoundError):
            await self.refresh(kind, namespace, name)
            raise

    def _learn(self, kind: Kind, answer: Object) -> None:
        if answer.get("metadata") and any(kind is each for each, _ in self.watched):
            self.cache.put(kind, answer)
