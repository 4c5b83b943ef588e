"""Gather one snapshot with live reads: no cache that could be stale, no state that a restart could lose."""

import asyncio
from pathlib import Path
from typing import Any

from zaum_api import contract
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
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
        api.get(kinds.PRIORITY_CLASS, None, quota.priority_class_name(key)),
    )
    many = asyncio.gather(
        api.list(kinds.NETWORK_POLICY, namespace),
        api.list(kinds.POD, namespace, selector=f"{contract.LABEL_POLICY}={key.name}"),
    )
    gateway = asyncio.gather(_gateway(api, site, ca_file))
    singles, (network_policies, pods), (peer,) = await asyncio.gather(one, many, gateway)
    found, account, config, quota_live, priority_class = singles
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
        missing_files=await _missing_files(api, found, pods),
    )


async def namespace(api: Api, name: str) -> NamespaceSnapshot:
    """Read what decides about a namespace's guard."""
    policies, pods, guard = await asyncio.gather(
        api.list(kinds.POLICY, name),
        api.list(kinds.POD, name),
        api.get(kinds.NETWORK_POLICY, name, contract.GUARD_NAME),
    )
    return NamespaceSnapshot(name, tuple(policies), tuple(pods), guard)


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
