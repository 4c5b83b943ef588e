"""Every request that the operator and the uninstall hook may send: the adapter sends nothing else, RBAC grants no more.

No wildcard, no Secret, no exec, escalate, bind or impersonate. A test compares the chart's roles with these tables.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

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
    NAMESPACES = "Namespaces"
    """In each namespace that a namespace-scoped installation looks after, never across namespaces."""
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


_SEE: Final = (Verb.LIST, Verb.WATCH)
"""Enough to read one object too: a list by `metadata.name`. `get` is granted only where nothing may be listed."""
_OWN: Final = (*_SEE, Verb.CREATE, Verb.PATCH, Verb.DELETE)
"""Server-side apply of what is not there yet asks for both create and patch."""


def _in_namespaces(scope: Scope) -> tuple[Grant, ...]:
    """Give the rows for the namespaces with agents: the same in both modes but for their reach."""
    return (
        *_grants(kinds.POLICY, *_SEE, scope=scope),
        Grant(contract.GROUP, f"{contract.PLURAL_POLICY}/status", Verb.PATCH, scope),
        *_grants(kinds.INCIDENT, *_SEE, Verb.CREATE, scope=scope),
        Grant(contract.GROUP, f"{contract.PLURAL_INCIDENT}/status", Verb.PATCH, scope),
        *_grants(kinds.POD, *_OWN, scope=scope),
        # The end of a dead agent's log, which its Incident keeps; and cpu taken away in place, before a kill.
        Grant(kinds.POD.group, f"{kinds.POD.plural}/log", Verb.GET, scope),
        Grant(kinds.POD.group, f"{kinds.POD.plural}/resize", Verb.PATCH, scope),
        *_grants(kinds.SERVICE_ACCOUNT, *_OWN, scope=scope),
        # `get`: the ConfigMaps that a policy's `files` name are the author's, and looked for by name.
        *_grants(kinds.CONFIG_MAP, Verb.GET, *_OWN, scope=scope),
        *_grants(kinds.QUOTA, *_OWN, scope=scope),
        *_grants(kinds.NETWORK_POLICY, *_OWN, scope=scope),
        *_grants(kinds.SERVICE, *_OWN, scope=scope),
        *_grants(kinds.CLAIM, *_OWN, scope=scope),
        *_grants(kinds.EVENT, Verb.CREATE, scope=scope),
    )


SECRETS: Final = (
    contract.CA_SECRET,
    contract.GATEWAY_TLS_SECRET,
    contract.AUTHORIZER_TLS_SECRET,
    contract.LEDGER_TLS_SECRET,
    contract.SESSION_SECRET,
)

_IN_RELEASE: Final = (
    *_grants(
        kinds.SERVICE, Verb.GET, scope=Scope.RELEASE, names=(contract.GATEWAY_SERVICE, contract.AUTHORIZER_SERVICE)
    ),
    # RBAC cannot bind a create to a name.
    *_grants(kinds.LEASE, Verb.CREATE, scope=Scope.RELEASE),
    *_grants(kinds.LEASE, Verb.GET, Verb.PATCH, scope=Scope.RELEASE, names=(contract.LEASE_NAME,)),
    # The certificates' Secrets, which the chart names: written, never read. What they hold is seen as files.
    *_grants(kinds.SECRET, Verb.PATCH, scope=Scope.RELEASE, names=SECRETS),
    # Pods of our own: a changed annotation makes their kubelets bring changed Secrets at once.
    *_grants(kinds.POD, Verb.LIST, Verb.PATCH, scope=Scope.RELEASE),
)

OPERATOR: Final[tuple[Grant, ...]] = (
    *_in_namespaces(Scope.CLUSTER),
    *_grants(kinds.CEILING, *_SEE),
    *_grants(kinds.NAMESPACE, *_SEE),
    *_grants(kinds.PRIORITY_CLASS, *_OWN),
    *_IN_RELEASE,
)

NAMESPACED: Final[tuple[Grant, ...]] = (*_in_namespaces(Scope.NAMESPACES), *_IN_RELEASE)
"""The operator in namespace-scoped mode: nothing cluster-scoped is read or written."""

OPERATOR_DEPLOYMENT: Final = "zaum-operator"

_SCALE: Final = Grant("apps", "deployments/scale", Verb.PATCH, Scope.RELEASE, (OPERATOR_DEPLOYMENT,))

_END_LEASE: Final = _grants(kinds.LEASE, Verb.DELETE, scope=Scope.RELEASE, names=(contract.LEASE_NAME,))

UNINSTALL: Final[tuple[Grant, ...]] = (
    _SCALE,
    *_END_LEASE,
    *_grants(kinds.POD, Verb.LIST, Verb.DELETE),
    *_grants(kinds.NETWORK_POLICY, Verb.LIST, Verb.DELETE),
    *_grants(kinds.PRIORITY_CLASS, Verb.LIST, Verb.DELETE),
)

UNINSTALL_NAMESPACED: Final[tuple[Grant, ...]] = (
    _SCALE,
    *_END_LEASE,
    *_grants(kinds.POD, Verb.LIST, scope=Scope.RELEASE),
    *_grants(kinds.POD, Verb.LIST, Verb.DELETE, scope=Scope.NAMESPACES),
    *_grants(kinds.NETWORK_POLICY, Verb.LIST, Verb.DELETE, scope=Scope.NAMESPACES),
    *_grants(kinds.QUOTA, Verb.LIST, Verb.DELETE, scope=Scope.NAMESPACES),
)
"""The uninstall hook in namespace-scoped mode; it also waits for the operator's own pods."""


def allows(table: tuple[Grant, ...], wanted: Grant, *, release: bool, across: bool = False) -> bool:
    """Say whether a request is in the table.

    `release` when it goes to the release namespace, `across` when it names no namespace although its kind has some.
    """
    return any(
        (grant.group, grant.resource, grant.verb) == (wanted.group, wanted.resource, wanted.verb)
        and _reaches(grant.scope, release=release, across=across)
        and (not grant.names or (wanted.names and set(wanted.names) <= set(grant.names)))
        for grant in table
    )


def _reaches(scope: Scope, *, release: bool, across: bool) -> bool:
    match scope:
        case Scope.CLUSTER:
            return True
        case Scope.NAMESPACES:
            return not across
        case Scope.RELEASE:
            return release
        case _:
            assert_never(scope)
