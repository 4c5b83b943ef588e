"""The namespace's guard: no traffic in or out for any pod with our label. Constant, and owned by no policy."""

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata


def render(namespace: str) -> Object:
    """Give the guard of a namespace."""
    return {
        "apiVersion": kinds.NETWORK_POLICY.api_version,
        "kind": kinds.NETWORK_POLICY.name,
        "metadata": {
            "name": contract.GUARD_NAME,
            "namespace": namespace,
            "labels": {contract.LABEL_GUARD: "true", metadata.MANAGED_BY: contract.FIELD_MANAGER},
        },
        "spec": {
            "podSelector": {"matchLabels": {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE}},
            "policyTypes": ["Ingress", "Egress"],
        },
    }
