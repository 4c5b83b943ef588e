"""Everything about kopf: watches that turn events into keys. No handler writes, waits, or keeps a finalizer.

An event's content is not used beyond the key: the reconcile looks for itself. So lost, doubled and reordered events
cost at most a look.
"""

import dataclasses
import logging
import os
from typing import Any

import kopf

from zaum_api import contract
from zaum_operator.core import keys, kinds
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.workers import Workers

WATCHED = (
    (kinds.POD, f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"),
    (kinds.SERVICE_ACCOUNT, contract.LABEL_POLICY),
    (kinds.CONFIG_MAP, contract.LABEL_POLICY),
    (kinds.QUOTA, contract.LABEL_POLICY),
    (kinds.PRIORITY_CLASS, contract.LABEL_POLICY),
    (kinds.NETWORK_POLICY, ""),  # all of them: a foreign one may widen
)
"""What is watched beside the policies, and by which label selector the API server filters it."""


def settings() -> kopf.OperatorSettings:
    """Configure kopf to watch and nothing else."""
    result = kopf.OperatorSettings()
    result.scanning.disabled = True
    result.posting.enabled = False
    result.watching.server_timeout = 300
    result.watching.reconnect_backoff = 1
    result.queueing.exit_timeout = 1.0
    for kind, selector in WATCHED:
        if selector:
            result.watching.label_selectors[kind.api_version, kind.plural] = selector
    return result


def registry(workers: Workers) -> kopf.OperatorRegistry:
    """Register a watch for each kind."""
    result = kopf.OperatorRegistry()
    _login(result)

    @kopf.on.event(kinds.POLICY.group, kinds.POLICY.version, kinds.POLICY.plural, registry=result)
    async def policy_event(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401 - kopf's protocol
        workers.notice((keys.of_policy(dict(body)),), kinds.POLICY.name)

    for kind, _ in WATCHED:
        _watch(result, kind, workers)
    return result


def _watch(registry: kopf.OperatorRegistry, kind: Kind, workers: Workers) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, id=f"child/{kind.plural}", registry=registry)
    async def child_event(body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002, ANN401 - kopf's protocol
        workers.notice(of_event(kind, dict(body), gone=type == "DELETED"), kind.name)


def of_event(kind: Kind, obj: Object, *, gone: bool) -> tuple[Key, ...]:
    """Give the keys that an event on a child makes due."""
    own = keys.of_child(obj)
    namespace = obj["metadata"].get("namespace")
    if kind is kinds.NETWORK_POLICY and keys.owner(obj) is None:
        # The guard or a foreign one: it concerns all policies of the namespace.
        return (*own, Key(namespace), Key(namespace, keys.EVERY))
    if kind is kinds.POD and gone:
        return (*own, Key(namespace))  # the last one takes the guard along; a relabelled one looks like gone
    return own


def _login(registry: kopf.OperatorRegistry) -> None:
    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - kopf's protocol
        inside = kopf.login_with_service_account(**kwargs)
        return _by_address(inside) if inside else kopf.login_with_kubeconfig(**kwargs)


def _by_address(inside: kopf.ConnectionInfo) -> kopf.ConnectionInfo:
    """Reach the API server by the address that the kubelet gives: the operator may ask no DNS server."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return dataclasses.replace(inside, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")


async def watch(workers: Workers) -> None:
    """Watch until cancelled or told to stop by a signal."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    await kopf.operator(
        registry=registry(workers),
        settings=settings(),
        standalone=True,
        clusterwide=True,
        # Without it kopf asks for the user's name, and a container's uid has none.
        identity=contract.FIELD_MANAGER,  # type: ignore[arg-type]
    )
