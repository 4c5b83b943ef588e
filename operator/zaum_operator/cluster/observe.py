"""Gather one snapshot. Everything comes from the cache, but for what no watch of ours may show."""

import asyncio
from typing import Any

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.store import Store
from zaum_operator.core import books, kinds, routes
from zaum_operator.core import pods as reading
from zaum_operator.core.cache import Cache
from zaum_operator.core.containment import held as holding
from zaum_operator.core.containment import incident
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.render import quota
from zaum_operator.core.reports import Held
from zaum_operator.core.snapshot import Gateway, NamespaceSnapshot, Site, Snapshot


async def policy(
    store: Store, key: Key, site: Site, gateway: Gateway | None, *, held: Held, spent: books.Held
) -> Snapshot:
    """Gather one policy and everything around it. Raises RequestError.

    `held` is what watchdogs say, `spent` what the ledger says.
    """
    cache, namespace, name = store.cache, key.namespace, contract.child_name(key.name)
    found = cache.get(kinds.POLICY, namespace, key.name)
    pods = cache.of_policy(kinds.POD, key)
    missing = await _missing_files(store, found, pods)
    services = await _services(store, found, site)
    uids = [pod["metadata"].get("uid", "") for pod in pods]
    return Snapshot(
        key=key,
        policy=found if found and not found["metadata"].get("deletionTimestamp") else None,
        network_policies=_network_policies(cache, namespace, name),
        account=cache.get(kinds.SERVICE_ACCOUNT, namespace, name),
        config=cache.get(kinds.CONFIG_MAP, namespace, name),
        quota=cache.get(kinds.QUOTA, namespace, name),
        priority_class=cache.get(kinds.PRIORITY_CLASS, None, quota.priority_class_name(key)),
        pods=pods,
        gateway=gateway,
        service=await _service(store, found, namespace, name),
        claims=cache.of_policy(kinds.CLAIM, key),
        namespace=cache.get(kinds.NAMESPACE, None, namespace),
        ceilings=cache.all(kinds.CEILING),
        neighbours=cache.all(kinds.POLICY, namespace) if site.namespaced else (),
        namespace_quota=_namespace_quota(cache, site, namespace),
        missing_files=missing,
        services=services,
        reports=held.reports(uids),
        contacts=held.contacts(uids),
        usage=held.usage(key),
        books=spent.of(key),
        silent=frozenset(uid for uid in uids if uid in spent.silent),
        books_awaited=spent.word is books.Word.AWAITED,
        books_missing=spent.word is books.Word.MISSING,
        incidents=cache.of_policy(kinds.INCIDENT, key),
        elsewhere=_elsewhere(cache, namespace),
    )


async def containment(store: Store, key: Key, *, held: Held, spent: books.Held) -> Snapshot:
    """Gather what decides about a policy's Incidents. Raises nothing: containment waits for no other question.

    Almost always a policy has no Incidents, and little is looked at.
    """
    cache, namespace = store.cache, key.namespace
    found, pods = cache.get(kinds.POLICY, namespace, key.name), cache.of_policy(kinds.POD, key)
    incidents = cache.of_policy(kinds.INCIDENT, key)
    uids = [pod["metadata"].get("uid", "") for pod in pods]
    try:
        strays, unsure = await _strays(store, key, incidents, pods), ""
    except errors.RequestError as error:
        strays, unsure = (), f"pods that lost their labels could not be looked for: {error}"
    return Snapshot(
        key=key,
        policy=found if found and not found["metadata"].get("deletionTimestamp") else None,
        network_policies=_network_policies(cache, namespace, contract.child_name(key.name)) if incidents else (),
        account=None,
        config=None,
        quota=None,
        priority_class=None,
        pods=pods,
        gateway=None,
        reports=held.reports(uids),
        contacts=held.contacts(uids),
        books=spent.of(key),
        forgiven=spent.forgiven(key),
        silent=frozenset(uid for uid in uids if uid in spent.silent),
        namespace=cache.get(kinds.NAMESPACE, None, namespace) if incidents else None,
        ceilings=cache.all(kinds.CEILING) if incidents else (),
        incidents=incidents,
        elsewhere=_elsewhere(cache, namespace) if incidents else (),
        strays=strays,
        unsure=unsure,
    )


def living(store: Store, key: Key) -> frozenset[str]:
    """Give the uids of a policy's pods that have not ended."""
    found = store.cache.of_policy(kinds.POD, key)
    return frozenset(pod.uid for pod in map(reading.read, found) if pod.phase is reading.Phase.LIVE)


async def unlabelled_class(store: Store, key: Key) -> Object | None:
    """Look live for the PriorityClass of a policy that is gone. Raises RequestError.

    Without its label it is in no watch, and nothing owns it.
    """
    return await _looked_up(store, kinds.PRIORITY_CLASS, None, quota.priority_class_name(key))


async def namespace(store: Store, name: str, site: Site) -> NamespaceSnapshot:
    """Gather what decides about a namespace's guard. Raises RequestError."""
    strays = await store.strays(name)
    cache = store.cache
    cached = cache.all(kinds.POD, name)
    known = {pod["metadata"]["uid"] for pod in cached}
    return NamespaceSnapshot(
        namespace=name,
        policies=cache.all(kinds.POLICY, name),
        pods=(*cached, *(pod for pod in strays if pod["metadata"]["uid"] not in known)),
        guard=cache.get(kinds.NETWORK_POLICY, name, contract.GUARD_NAME),
        namespace_object=cache.get(kinds.NAMESPACE, None, name),
        ceilings=cache.all(kinds.CEILING),
        quota=_namespace_quota(cache, site, name),
    )


async def _service(store: Store, found: Object | None, namespace: str, name: str) -> Object | None:
    """Give the policy's Service. For each new generation but the first, one that is not held is looked for live.

    One that somebody took our label off is in no watch, and a policy that wants none any more would leave it there.
    """
    held = store.cache.get(kinds.SERVICE, namespace, name)
    if held is not None or found is None or not _is_new(found):
        return held
    return await _looked_up(store, kinds.SERVICE, namespace, name)


async def _services(store: Store, found: Object | None, site: Site) -> dict[routes.ServiceKey, Object]:
    """Look live for the Services that the policy's routes name: no watch of ours shows them.

    Without ceilings nobody grants any, so nobody asks.
    """
    if found is None or site.namespaced:
        return {}
    places = routes.services((found.get("spec") or {}).get("egress"))
    there = await asyncio.gather(*(store.api.list(kinds.SERVICE, namespace, name=name) for namespace, name in places))
    return {place: listed[0] for place, listed in zip(places, there, strict=True) if listed}


async def _looked_up(store: Store, kind: Kind, namespace: str | None, name: str) -> Object | None:
    for obj in await store.api.list(kind, namespace, name=name):
        store.cache.put(kind, obj)
    return store.cache.get(kind, namespace, name)


def _is_new(found: Object) -> bool:
    """Tell whether nothing has been said yet about the policy's spec as it is, and there was another before."""
    generation = found["metadata"].get("generation")
    return bool(generation != 1 and (found.get("status") or {}).get("observedGeneration") != generation)


def _elsewhere(cache: Cache, namespace: str) -> tuple[Object, ...]:
    """Give the Incidents of the namespace, where some ceiling says that they block images."""
    blocks = any(
        ((ceiling.get("spec") or {}).get("incidents") or {}).get("blockImages") for ceiling in cache.all(kinds.CEILING)
    )
    return cache.all(kinds.INCIDENT, namespace) if blocks else ()


async def _strays(
    store: Store, key: Key, incidents: tuple[Object, ...], pods: tuple[Object, ...]
) -> tuple[Object, ...]:
    """Look for pods that open Incidents contain and that are not where they should be, until they are proven dead.

    One that lost its labels is in no watch of ours, or looks like another policy's: it is not gone.
    """
    missing = holding.missing(incident.read_all(incidents), pods)
    if not missing:
        return ()
    namespace, names = key.namespace, {ref.name for ref in missing}
    found = [store.cache.get(kinds.POD, namespace, name) for name in sorted(names)]
    unlabelled = [pod for pod in await store.strays(namespace) if pod["metadata"]["name"] in names]
    return tuple(pod for pod in (*found, *unlabelled) if pod is not None and holding.is_one(pod, missing))


def _network_policies(cache: Cache, namespace: str, name: str) -> tuple[Object, ...]:
    """Give the policy's own one and those of no policy: the guard and foreign ones. Not a thousand neighbours' own."""
    loose = cache.loose(kinds.NETWORK_POLICY, namespace)
    own = cache.get(kinds.NETWORK_POLICY, namespace, name)
    return loose if own is None or own in loose else (*loose, own)


def _namespace_quota(cache: Cache, site: Site, namespace: str) -> Object | None:
    return cache.get(kinds.QUOTA, namespace, contract.NAMESPACE_QUOTA_NAME) if site.namespaced else None


async def _missing_files(store: Store, found: Object | None, pods: tuple[Object, ...]) -> tuple[str, ...]:
    """Look live for the ConfigMaps that `files` names, only while a pod waits for something: they are the author's."""
    if found is None or not any(_waits(pod) for pod in pods):
        return ()
    agent: dict[str, Any] = (found.get("spec") or {}).get("agent") or {}
    names = sorted({str(source.get("configMap")) for source in agent.get("files") or ()})[:16]
    namespace = found["metadata"]["namespace"]
    there = await asyncio.gather(*(store.api.get(kinds.CONFIG_MAP, namespace, name) for name in names))
    return tuple(name for name, obj in zip(names, there, strict=True) if obj is None)


def _waits(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") == "Pending"
