"""The policy's own NetworkPolicy: it only adds, and it adds the way to the gateway's pods, and named ingress."""

from typing import Any, Final

from zaum_api import contract, reading
from zaum_api.v1alpha1 import ingress
from zaum_operator.core import kinds
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata
from zaum_operator.core.snapshot import Site

_NEVER: Final = (
    {"key": contract.LABEL_QUARANTINED, "operator": "DoesNotExist"},
    {"key": contract.LABEL_QUARANTINED, "operator": "Exists"},
)


def render(
    intent: Intent, site: Site, *, entries: tuple[ingress.Ingress, ...] = (), quarantined: bool = False
) -> Object:
    """Give the NetworkPolicy. A pod with the quarantine label is not selected, so only the guard applies to it.

    That of a quarantined policy selects nothing, and would open nothing if it did.
    """
    if quarantined:
        return metadata.child(kinds.NETWORK_POLICY, intent) | {"spec": _closed(intent.key.name)}
    ports = [contract.GATEWAY_SIGNED_PORT] * site.signed_hop + [contract.GATEWAY_PORT]
    gateway = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.release_namespace}},
        "podSelector": {
            "matchLabels": {
                contract.LABEL_NAME: contract.APP_NAME,
                contract.LABEL_COMPONENT: contract.COMPONENT_GATEWAY,
            }
        },
    }
    spec: dict[str, Any] = {
        "podSelector": {
            "matchLabels": metadata.pod_selector(intent.key.name),
            "matchExpressions": [{"key": contract.LABEL_QUARANTINED, "operator": "DoesNotExist"}],
        },
        "policyTypes": ["Egress"],
        "egress": [{"to": [gateway], "ports": [{"protocol": "TCP", "port": port} for port in ports]}],
    }
    if entries:
        spec |= {"policyTypes": ["Ingress", "Egress"], "ingress": [_rule(entry) for entry in _sorted(entries)]}
    return metadata.child(kinds.NETWORK_POLICY, intent) | {"spec": spec}


def _closed(policy: str) -> dict[str, Any]:
    selector = {"matchLabels": metadata.pod_selector(policy), "matchExpressions": [dict(item) for item in _NEVER]}
    return {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]}


def is_closed(policy: Object) -> bool:
    """Say whether a NetworkPolicy, as read back, selects nothing and opens nothing."""
    spec = policy.get("spec") or {}
    selects = (spec.get("podSelector") or {}).get("matchExpressions") or []
    return not spec.get("egress") and not spec.get("ingress") and all(item in selects for item in _NEVER)


def _sorted(entries: tuple[ingress.Ingress, ...]) -> list[ingress.Ingress]:
    return sorted(entries, key=lambda entry: entry.port)


def _rule(entry: ingress.Ingress) -> dict[str, Any]:
    """Give the rule of one port. No peers would mean everybody to Kubernetes: refused by the API, and here."""
    peers = sorted((_peer(peer) for peer in entry.from_), key=reading.canonical)
    if not peers or not all(peers):
        raise ValueError(f"ingress: port {entry.port} names a peer that would be everybody")
    return {"from": peers, "ports": [{"protocol": "TCP", "port": entry.port}]}


def _peer(peer: ingress.Peer) -> dict[str, Any]:
    selectors = {"namespaceSelector": peer.namespace_selector, "podSelector": peer.pod_selector}
    return {
        name: {"matchLabels": dict(selector.match_labels)}
        for name, selector in selectors.items()
        if selector is not None and selector.match_labels
    }
