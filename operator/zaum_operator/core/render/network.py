"""The policy's own NetworkPolicy: it only adds, and what it adds is the way to the gateway's pods."""

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata


def render(intent: Intent, *, release_namespace: str) -> Object:
    """Give the NetworkPolicy. A pod with the quarantine label is not selected, so only the guard applies to it."""
    gateway = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": release_namespace}},
        "podSelector": {
            "matchLabels": {
                contract.LABEL_NAME: contract.APP_NAME,
                contract.LABEL_COMPONENT: contract.COMPONENT_GATEWAY,
            }
        },
    }
    return metadata.child(kinds.NETWORK_POLICY, intent) | {
        "spec": {
            "podSelector": {
                "matchLabels": metadata.pod_selector(intent.key.name),
                "matchExpressions": [{"key": contract.LABEL_QUARANTINED, "operator": "DoesNotExist"}],
            },
            "policyTypes": ["Egress"],
            "egress": [{"to": [gateway], "ports": [{"protocol": "TCP", "port": contract.GATEWAY_PORT}]}],
        },
    }
