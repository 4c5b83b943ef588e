"""Gather one snapshot with live reads: no cache that could be stale, no state that a restart could lose."""

import asyncio
from pathlib import Path
from typing import Any

from zaum_api import contract
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.core.render import quota
from zaum_operator.core.snapshot import Gateway, NamespaceSnapshot, Site, Snapshot


async def policy(api: Api, key: Key, site: Site, ca_file: Path) -> Snapshot:
    """Read one policy and everything around it."""
    namespace, name = key.namespace, contract.child_name(key.name)
    one = asyncio.gather(
        api.get(kinds.POLICY, namespace, key.name),
        api.get(kinds.SERVICE_ACCOUNT, namespace, name),
        api.get(kinds.CONFIG_MAP, namespace, name),
        api.get(kinds.QUOTA, namespace, name),
        api.get(kinds.SERVICE, namespace, name),
        _cluster_scoped(api, site, kinds.PRIORITY_CLASS, quota.priority_class_name(key)),
        _cluster_scoped(api, site, kinds.NAMESPACE, namespace),
        _namespace_quota(api, site, namespace),
    )
    of_policy = f"{contract.LABEL_POLICY}={key.name}"
    many = asyncio.gather(
        api.list(kinds.NETWORK_POLICY, namespace),
        api.list(kinds.POD, namespace, selector=of_policy),
        api.list(kinds.CLAIM, namespace, selector=of_policy),
        _ceilings(api, site),
        _neighbours(api, site, namespace),
    )
    gateway = asyncio.gather(_gateway(api, site, ca_file))
    singles, (network_policies, pods, claims, ceilings, neighbours), (peer,) = await asyncio.gather(one, many, gateway)
    found, account, config, quota_live, service, priority_class, namespace_object, namespace_quota = singles
    return Snapshot(
        key=key,
        policy=found if found and not found["metadata"].get("deletionTimestamp") else None,
        network_policies=tuple(network_policies),
        account=account,
        config=config,
        quota=quota_live,
        priority_class=priority_class,
        pods=tuple(pods),
        gateway=peer,
        service=service,
        claims=tuple(claims),
        namespace=namespace_object,
        ceilings=ceilings,
        neighbours=neighbours,
        namespace_quota=namespace_quota,
        missing_files=await _missing_files(api, found, pods),
    )


async def namespace(api: Api, name: str, site: Site) -> NamespaceSnapshot:
    """Read what decides about a namespace's guard."""
    policies, pods, guard, namespace_object, ceilings, namespace_quota = await asyncio.gather(
        api.list(kinds.POLICY, name),
        api.list(kinds.POD, name),
        api.get(kinds.NETWORK_POLICY, name, contract.GUARD_NAME),
        _cluster_scoped(api, site, kinds.NAMESPACE, name),
        _ceilings(api, site),
        _namespace_quota(api, site, name),
    )
    return NamespaceSnapshot(name, tuple(policies), tuple(pods), guard, namespace_object, ceilings, namespace_quota)


async def _cluster_scoped(api: Api, site: Site, kind: Kind, name: str) -> Object | None:
    return None if site.namespaced else await api.get(kind, None, name)


async def _ceilings(api: Api, site: Site) -> tuple[Object, ...]:
    return () if site.namespaced else tuple(await api.list(kinds.CEILING))


async def _neighbours(api: Api, site: Site, namespace: str) -> tuple[Object, ...]:
    return tuple(await api.list(kinds.POLICY, namespace)) if site.namespaced else ()


async def _namespace_quota(api: Api, site: Site, namespace: str) -> Object | None:
    return await api.get(kinds.QUOTA, namespace, contract.NAMESPACE_QUOTA_NAME) if site.namespaced else None


async def _gateway(api: Api, site: Site, ca_file: Path) -> Gateway | None:
    service = await api.get(kinds.SERVICE, site.release_namespace, contract.GATEWAY_SERVICE)
    spec = (service or {}).get("spec") or {}
    addresses = tuple(item for item in spec.get("clusterIPs") or () if item and item != "None")
    try:
        pem = await asyncio.to_thread(ca_file.read_text, "ascii")
    except (OSError, UnicodeDecodeError):
        return None  # said by the condition GatewayMissing
    return Gateway(addresses, pem) if addresses and pem.strip() else None


async def _missing_files(api: Api, found: Object | None, pods: list[Object]) -> tuple[str, ...]:
    """Look for the ConfigMaps that `files` names, only while a pod waits for something."""
    if found is None or not any(_waits(pod) for pod in pods):
        return ()
    agent: dict[str, Any] = (found.get("spec") or {}).get("agent") or {}
    names = sorted({str(source.get("configMap")) for source in agent.get("files") or ()})[:16]
    there = await asyncio.gather(*(api.get(kinds.CONFIG_MAP, found["metadata"]["namespace"], name) for name in names))
    return tuple(name for name, obj in zip(names, there, strict=True) if obj is None)


def _waits(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") == "Pending"
