"""Every request that the operator and the uninstall hook may send: the adapter sends nothing else, RBAC grants no more.

No wildcard, no Secret, no exec, escalate, bind or impersonate. A test compares the chart's roles with these tables.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind


class Verb(StrEnum):
    """A verb as RBAC spells it."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    PATCH = "patch"
    DELETE = "delete"


class Scope(StrEnum):
    """Where a grant holds."""

    CLUSTER = "Cluster"
    RELEASE = "Release"
    """Only in the namespace that Zaum is installed in."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One row: `resource` carries its subresource (`agentpolicies/status`); no names means all."""

    group: str
    resource: str
    verb: Verb
    scope: Scope = Scope.CLUSTER
    names: tuple[str, ...] = ()


def _grants(kind: Kind, *verbs: Verb, scope: Scope = Scope.CLUSTER, names: tuple[str, ...] = ()) -> tuple[Grant, ...]:
    return tuple(Grant(kind.group, kind.plural, verb, scope, names) for verb in verbs)


_READ: Final = (Verb.GET, Verb.LIST, Verb.WATCH)
_OWN: Final = (*_READ, Verb.CREATE, Verb.PATCH, Verb.DELETE)

OPERATOR: Final[tuple[Grant, ...]] = (
    *_grants(kinds.POLICY, *_READ),
    Grant(contract.GROUP, f"{contract.PLURAL_POLICY}/status", Verb.PATCH),
    *_grants(kinds.POD, Verb.LIST, Verb.WATCH, Verb.CREATE, Verb.PATCH, Verb.DELETE),
    *_grants(kinds.SERVICE_ACCOUNT, *_OWN),
    *_grants(kinds.CONFIG_MAP, *_OWN),
    *_grants(kinds.QUOTA, *_OWN),
    *_grants(kinds.NETWORK_POLICY, *_OWN),
    *_grants(kinds.PRIORITY_CLASS, *_OWN),
    *_grants(kinds.EVENT, Verb.CREATE),
    *_grants(kinds.SERVICE, Verb.GET, scope=Scope.RELEASE, names=(contract.GATEWAY_SERVICE,)),
)

OPERATOR_DEPLOYMENT: Final = "zaum-operator"

UNINSTALL: Final[tuple[Grant, ...]] = (
    Grant("apps", "deployments/scale", Verb.PATCH, Scope.RELEASE, (OPERATOR_DEPLOYMENT,)),
    *_grants(kinds.POD, Verb.LIST, Verb.DELETE),
    *_grants(kinds.NETWORK_POLICY, Verb.LIST, Verb.DELETE),
    *_grants(kinds.PRIORITY_CLASS, Verb.LIST, Verb.DELETE),
)


def allows(table: tuple[Grant, ...], wanted: Grant, *, release: bool) -> bool:
    """Say whether a request is in the table; `release` when it goes to the release namespace."""
    return any(
        (grant.group, grant.resource, grant.verb) == (wanted.group, wanted.resource, wanted.verb)
        and (grant.scope is Scope.CLUSTER or release)
        and (not grant.names or (wanted.names and set(wanted.names) <= set(grant.names)))
        for grant in table
    )
