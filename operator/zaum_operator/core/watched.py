"""Which kinds are watched and held, and by which label selector the API server filters them."""

from typing import Final

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind

Watched = tuple[tuple[Kind, str], ...]
"""Kinds with their selectors; an empty one means all objects."""

CLUSTER: Final[Watched] = (
    (kinds.POLICY, ""),
    (kinds.INCIDENT, ""),
    (kinds.POD, f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"),
    (kinds.SERVICE_ACCOUNT, contract.LABEL_POLICY),
    (kinds.CONFIG_MAP, contract.LABEL_POLICY),
    (kinds.QUOTA, contract.LABEL_POLICY),
    (kinds.SERVICE, contract.LABEL_POLICY),
    (kinds.CLAIM, contract.LABEL_POLICY),
    (kinds.PRIORITY_CLASS, contract.LABEL_POLICY),
    (kinds.NETWORK_POLICY, ""),  # all of them: a foreign one may widen
    (kinds.CEILING, ""),
    (kinds.NAMESPACE, ""),  # ceilings select them by their labels
)

NAMESPACED: Final[Watched] = tuple(
    # The quota of a whole namespace belongs to no policy.
    (kind, "" if kind is kinds.QUOTA else selector)
    for kind, selector in CLUSTER
    if kind.namespaced
)
"""In namespace-scoped mode."""


def of_site(*, namespaced: bool) -> Watched:
    """Give what an installation watches."""
    return NAMESPACED if namespaced else CLUSTER
