"""The namespace's guard: no traffic in or out for any pod with our label. Owned by no policy.

Its rules never change. Its annotation says which ways into agent pods the namespace's ceilings grant; admission reads
it there, because it is the one object of a namespace that only the operator writes and that every agent has.
"""

from collections.abc import Iterable

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata


def render(namespace: str, access: Iterable[contract.Access] = ()) -> Object:
    """Give the guard of a namespace. Without a granted way there is no annotation."""
    granted = ",".join(sorted(way.value for way in access))
    annotations = {"annotations": {contract.ANNOTATION_ACCESS: granted}} if granted else {}
    return {
        "apiVersion": kinds.NETWORK_POLICY.api_version,
        "kind": kinds.NETWORK_POLICY.name,
        "metadata": {
            "name": contract.GUARD_NAME,
            "namespace": namespace,
            "labels": {contract.LABEL_GUARD: "true", metadata.MANAGED_BY: contract.FIELD_MANAGER},
            **annotations,
        },
        "spec": {
            "podSelector": {"matchLabels": {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE}},
            "policyTypes": ["Ingress", "Egress"],
        },
    }
