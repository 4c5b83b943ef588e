"""The Service through which the peers that `ingress` names reach the agent. Without ingress there is none."""

from typing import Final

from zaum_api.v1alpha1 import defaults, ingress
from zaum_operator.core import kinds
from zaum_operator.core.drift import Latitude
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata

LATITUDE: Final = Latitude(
    assigned=frozenset({"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}),
    replaced=frozenset({"ports"}),
)
"""What the API server fills in, and the list into which an apply alone would let somebody else's port stay."""


def render(intent: Intent, entries: tuple[ingress.Ingress, ...]) -> Object:
    """Give the Service. Every field that could open another way (a node port, an outside address) is said or absent."""
    return metadata.child(kinds.SERVICE, intent) | {
        "spec": {
            "type": "ClusterIP",
            "selector": metadata.pod_selector(intent.key.name),
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [
                {
                    "name": entry.name or defaults.ingress_name(entry.port),
                    "port": entry.port,
                    "protocol": "TCP",
                    "targetPort": entry.port,
                }
                for entry in sorted(entries, key=lambda entry: entry.port)
            ],
        },
    }
