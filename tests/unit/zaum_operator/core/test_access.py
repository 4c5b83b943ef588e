"""The table of access: what it grants, and what it must never grant."""

import pytest

from zaum_operator.core import access
from zaum_operator.core.access import Grant, Scope, Verb

TABLES = {
    "operator": access.OPERATOR,
    "namespaced": access.NAMESPACED,
    "uninstall": access.UNINSTALL,
    "uninstall-namespaced": access.UNINSTALL_NAMESPACED,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_i15_no_table_reads_secrets_or_climbs(table: tuple[Grant, ...]) -> None:
    secrets = {(grant.verb, grant.scope, grant.names) for grant in table if grant.resource == "secrets"}
    named = ("zaum-ca", "zaum-gateway-tls", "zaum-authorizer-tls", "zaum-ledger-tls", "zaum-session-keys")
    assert secrets <= {(Verb.PATCH, Scope.RELEASE, named)}
    resources = {grant.resource for grant in table} - {"secrets"}
    assert not [resource for resource in resources if "secret" in resource or "token" in resource or "*" in resource]
    assert not {"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes"} & resources
    assert {grant.verb for grant in table} <= set(Verb)
    assert not {grant.group for grant in table} & {"rbac.authorization.k8s.io", "admissionregistration.k8s.io", "*"}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_rows_are_there_once(table: tuple[Grant, ...]) -> None:
    assert len(set(table)) == len(table)


@pytest.mark.parametrize("table", [access.NAMESPACED, access.UNINSTALL_NAMESPACED])
def test_the_namespaced_mode_asks_for_nothing_cluster_scoped(table: tuple[Grant, ...]) -> None:
    assert Scope.CLUSTER not in {grant.scope for grant in table}
    assert not {"priorityclasses", "namespaces", "agentceilings"} & {grant.resource for grant in table}
    everywhere = Grant("", "pods", Verb.LIST)
    assert access.allows(table, everywhere, release=False)
    assert not access.allows(table, everywhere, release=False, across=True)


def test_nothing_is_read_one_by_one_that_is_listed() -> None:
    one_by_one = {(grant.resource, grant.names) for grant in access.OPERATOR if grant.verb is Verb.GET}
    assert one_by_one == {
        ("configmaps", ()),
        ("pods/log", ()),
        ("services", ("zaum-gateway", "zaum-authorizer")),
        ("leases", ("zaum-operator",)),
    }


@pytest.mark.parametrize(
    ("wanted", "release", "allowed"),
    [
        (Grant("", "pods", Verb.CREATE), False, True),
        (Grant("", "pods", Verb.CREATE, names=("any",)), False, True),
        (Grant("", "secrets", Verb.GET), True, False),
        (Grant("", "secrets", Verb.GET, names=("zaum-ca",)), True, False),
        (Grant("", "secrets", Verb.PATCH, names=("zaum-ca",)), True, True),
        (Grant("", "secrets", Verb.PATCH, names=("zaum-ca",)), False, False),
        (Grant("", "secrets", Verb.PATCH, names=("credentials",)), True, False),
        (Grant("", "pods/exec", Verb.CREATE), True, False),
        (Grant("", "pods/log", Verb.GET, names=("any",)), False, True),
        (Grant("", "pods/resize", Verb.PATCH, names=("any",)), False, True),
        (Grant("zaum.dev", "incidents", Verb.CREATE), False, True),
        (Grant("zaum.dev", "incidents", Verb.PATCH), False, False),
        (Grant("zaum.dev", "incidents", Verb.DELETE), False, False),
        (Grant("zaum.dev", "incidents/status", Verb.PATCH), False, True),
        (Grant("zaum.dev", "agentpolicies", Verb.PATCH), False, False),
        (Grant("zaum.dev", "agentpolicies/status", Verb.PATCH), False, True),
        (Grant("", "services", Verb.GET, names=("zaum-gateway",)), True, True),
        (Grant("", "services", Verb.GET, names=("zaum-gateway",)), False, False),
        (Grant("", "services", Verb.GET, names=("other",)), True, False),
        (Grant("", "services", Verb.GET), True, False),
        (Grant("coordination.k8s.io", "leases", Verb.PATCH, names=("zaum-operator",)), True, True),
        (Grant("coordination.k8s.io", "leases", Verb.PATCH, names=("zaum-operator",)), False, False),
        (Grant("coordination.k8s.io", "leases", Verb.PATCH, names=("kube-scheduler",)), True, False),
    ],
)
def test_a_request_is_allowed_only_by_a_row_of_its_scope_and_name(wanted: Grant, release: bool, allowed: bool) -> None:
    assert access.allows(access.OPERATOR, wanted, release=release) is allowed


def test_the_uninstall_hook_may_touch_one_deployment_only() -> None:
    rows = [grant for grant in access.UNINSTALL if grant.group == "apps"]
    assert rows == [Grant("apps", "deployments/scale", Verb.PATCH, Scope.RELEASE, ("zaum-operator",))]
