"""The roles in the chart grant exactly what the code asks for."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from zaum_api import contract, incidents
from zaum_operator.core import access

TEMPLATES = Path(__file__).resolve().parents[3] / "charts/zaum/templates"
Right = tuple[str, str, str, str, tuple[str, ...]]


def roles(file: str) -> dict[tuple[str, str], Any]:
    """Give the rules of each role in a template by kind and name; rules are written out, never computed."""
    text = (TEMPLATES / file).read_text()
    text = re.sub(r"\{\{- /\*.*?\*/ -\}\}", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *\{\{.*\}\}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{\{.*?\}\}", "x", text)
    found = [item for item in yaml.safe_load_all(text) if item and item["kind"] in {"ClusterRole", "Role"}]
    return {(item["kind"], item["metadata"]["name"]): item["rules"] for item in found}


POD_PARTS = {("pods/log", "get"), ("pods/resize", "patch")}
"""What the operator may do beside pods' own objects: read the end of a dead agent's log, take cpu away in place."""
SCOPES = {"-agents": access.Scope.NAMESPACES, "-wait": access.Scope.RELEASE}
"""What the end of a Role's name says of the namespace that it stands in."""


def granted(*names: tuple[str, str, str]) -> set[Right]:
    """Give the rights of roles by (file, kind, name)."""
    return {
        (scope(kind, name).value, group, resource, verb, tuple(rule.get("resourceNames", ())))
        for file, kind, name in names
        for rule in roles(file)[kind, name]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    }


def scope(kind: str, name: str) -> access.Scope:
    if kind == "ClusterRole":
        return access.Scope.CLUSTER
    return next((given for end, given in SCOPES.items() if name.endswith(end)), access.Scope.RELEASE)


def asked(table: tuple[access.Grant, ...]) -> set[Right]:
    return {(row.scope.value, row.group, row.resource, row.verb.value, row.names) for row in table}


RELEASE = ("rbac.yaml", "Role", "zaum-operator")
HOOK = ("uninstall.yaml", "Role", "zaum-uninstall")
UNINSTALL_AGENTS = ("rbac-namespaced.yaml", "Role", "zaum-uninstall-agents")


@pytest.mark.parametrize(
    ("names", "table"),
    [
        ([RELEASE, ("rbac.yaml", "ClusterRole", "zaum-operator")], access.OPERATOR),
        ([RELEASE, ("rbac-namespaced.yaml", "Role", "zaum-operator-agents")], access.NAMESPACED),
        ([HOOK, ("uninstall.yaml", "ClusterRole", "zaum-uninstall")], access.UNINSTALL),
        (
            [
                HOOK,
                ("uninstall.yaml", "Role", "zaum-uninstall-wait"),
                UNINSTALL_AGENTS,
            ],
            access.UNINSTALL_NAMESPACED,
        ),
    ],
    ids=["operator", "operator in namespaces", "uninstall", "uninstall in namespaces"],
)
def test_the_role_is_the_table(names: list[tuple[str, str, str]], table: tuple[access.Grant, ...]) -> None:
    assert granted(*names) == asked(table)


@pytest.mark.parametrize(
    ("file", "kind", "name", "scope"),
    [
        ("rbac.yaml", "ClusterRole", "zaum-authorizer", "Cluster"),
        ("rbac-namespaced.yaml", "Role", "zaum-authorizer-agents", "Namespaces"),
    ],
)
def test_the_authorizer_reads_pods_policies_and_incidents_and_nothing_else(
    file: str, kind: str, name: str, scope: str
) -> None:
    assert granted((file, kind, name)) == {
        (scope, "", "pods", "list", ()),
        (scope, "", "pods", "watch", ()),
        (scope, contract.GROUP, contract.PLURAL_POLICY, "list", ()),
        (scope, contract.GROUP, contract.PLURAL_POLICY, "watch", ()),
        (scope, contract.GROUP, contract.PLURAL_INCIDENT, "list", ()),
        (scope, contract.GROUP, contract.PLURAL_INCIDENT, "watch", ()),
    }


def test_the_ledger_asks_about_tokens_and_makes_incidents_and_nothing_else() -> None:
    assert granted(("rbac.yaml", "ClusterRole", "zaum-ledger")) == {
        ("Cluster", "authentication.k8s.io", "tokenreviews", "create", ()),
        ("Cluster", contract.GROUP, contract.PLURAL_INCIDENT, "create", ()),
    }


def test_no_part_of_ours_may_release_an_incident() -> None:
    for file in ("rbac.yaml", "rbac-namespaced.yaml", "uninstall.yaml"):
        for rules in roles(file).values():
            for rule in rules:
                if contract.PLURAL_INCIDENT in rule.get("resources", ()):
                    assert not {incidents.RELEASE_VERB, "patch", "update", "delete"} & set(rule["verbs"])


def test_the_authorizer_reads_the_api_servers_public_keys() -> None:
    urls = [
        url for rule in roles("rbac.yaml")["ClusterRole", "zaum-authorizer"] for url in rule.get("nonResourceURLs", [])
    ]
    assert urls == ["/.well-known/openid-configuration", "/openid/v1/jwks"]


@pytest.mark.parametrize("file", ["rbac.yaml", "rbac-namespaced.yaml", "uninstall.yaml"])
def test_i15_no_role_reads_secrets_or_widens_itself(file: str) -> None:
    for rules in roles(file).values():
        for rule in rules:
            words = {*rule.get("apiGroups", ()), *rule.get("resources", ()), *rule["verbs"]}
            assert not words & {"*", "escalate", "bind", "impersonate", "roles", "clusterroles"}
            parts = [resource for resource in rule.get("resources", ()) if resource.startswith("pods/")]
            assert {(part, verb) for part in parts for verb in rule["verbs"]} <= POD_PARTS
            if "secrets" in words:
                assert set(rule["verbs"]) == {"patch"}, "filled by name, never read"
                assert rule["resourceNames"]
