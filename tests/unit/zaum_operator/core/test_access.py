"""The table of access: what it grants, and what it must never grant."""

import pytest

from zaum_operator.core import access
from zaum_operator.core.access import Grant, Scope, Verb


@pytest.mark.parametrize("table", [access.OPERATOR, access.UNINSTALL], ids=["operator", "uninstall"])
def test_i15_no_table_reads_secrets_or_climbs(table: tuple[Grant, ...]) -> None:
    resources = {grant.resource for grant in table}
    assert not [resource for resource in resources if "secret" in resource or "token" in resource or "*" in resource]
    assert not {"pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes"} & resources
    assert {grant.verb for grant in table} <= set(Verb)
    assert not {grant.group for grant in table} & {"rbac.authorization.k8s.io", "admissionregistration.k8s.io", "*"}


def test_rows_are_there_once() -> None:
    assert len(set(access.OPERATOR)) == len(access.OPERATOR)


@pytest.mark.parametrize(
    ("wanted", "release", "allowed"),
    [
        (Grant("", "pods", Verb.CREATE), False, True),
        (Grant("", "pods", Verb.CREATE, names=("any",)), False, True),
        (Grant("", "secrets", Verb.GET), True, False),
        (Grant("", "pods/exec", Verb.CREATE), True, False),
        (Grant("zaum.dev", "agentpolicies", Verb.PATCH), False, False),
        (Grant("zaum.dev", "agentpolicies/status", Verb.PATCH), False, True),
        (Grant("", "services", Verb.GET, names=("zaum-gateway",)), True, True),
        (Grant("", "services", Verb.GET, names=("zaum-gateway",)), False, False),
        (Grant("", "services", Verb.GET, names=("other",)), True, False),
        (Grant("", "services", Verb.GET), True, False),
        (Grant("", "services", Verb.LIST), True, False),
    ],
)
def test_a_request_is_allowed_only_by_a_row_of_its_scope_and_name(wanted: Grant, release: bool, allowed: bool) -> None:
    assert access.allows(access.OPERATOR, wanted, release=release) is allowed


def test_the_uninstall_hook_may_touch_one_deployment_only() -> None:
    rows = [grant for grant in access.UNINSTALL if grant.group == "apps"]
    assert rows == [Grant("apps", "deployments/scale", Verb.PATCH, Scope.RELEASE, ("zaum-operator",))]
