"""The roles in the chart grant exactly what the code asks for."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from zaum_api import contract
from zaum_operator.core import access

TEMPLATES = Path(__file__).resolve().parents[3] / "charts/zaum/templates"
READ_ONLY = {"get", "list", "watch"}
Right = tuple[str, str, str, str, tuple[str, ...]]


def roles(file: str) -> dict[tuple[str, str], Any]:
    """Give the rules of each role in a template by kind and name; rules are written out, never computed."""
    text = (TEMPLATES / file).read_text()
    text = re.sub(r"\{\{- /\*.*?\*/ -\}\}", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *\{\{.*\}\}$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{\{.*?\}\}", "x", text)
    found = [item for item in yaml.safe_load_all(text) if item and item["kind"] in {"ClusterRole", "Role"}]
    return {(item["kind"], item["metadata"]["name"]): item["rules"] for item in found}


def granted(file: str, name: str) -> set[Right]:
    return {
        (scope, group, resource, verb, tuple(rule.get("resourceNames", ())))
        for (kind, role), rules in roles(file).items()
        if role == name
        for scope in ["Cluster" if kind == "ClusterRole" else "Release"]
        for rule in rules
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    }


def asked(table: tuple[access.Grant, ...]) -> set[Right]:
    return {(row.scope.value, row.group, row.resource, row.verb.value, row.names) for row in table}


@pytest.mark.parametrize(
    ("file", "name", "table"),
    [("rbac.yaml", "zaum-operator", access.OPERATOR), ("uninstall.yaml", "zaum-uninstall", access.UNINSTALL)],
)
def test_the_role_is_the_table(file: str, name: str, table: tuple[access.Grant, ...]) -> None:
    assert granted(file, name) == asked(table)


def test_the_authorizer_reads_pods_and_policies_and_nothing_else() -> None:
    assert granted("rbac.yaml", "zaum-authorizer") == {
        ("Cluster", "", "pods", "list", ()),
        ("Cluster", "", "pods", "watch", ()),
        ("Cluster", contract.GROUP, contract.PLURAL_POLICY, "list", ()),
        ("Cluster", contract.GROUP, contract.PLURAL_POLICY, "watch", ()),
    }
    urls = [
        url for rule in roles("rbac.yaml")["ClusterRole", "zaum-authorizer"] for url in rule.get("nonResourceURLs", [])
    ]
    assert urls == ["/.well-known/openid-configuration", "/openid/v1/jwks"]


@pytest.mark.parametrize("file", ["rbac.yaml", "uninstall.yaml"])
def test_i15_no_role_reads_secrets_or_widens_itself(file: str) -> None:
    for rules in roles(file).values():
        for rule in rules:
            words = {*rule.get("apiGroups", ()), *rule.get("resources", ()), *rule["verbs"]}
            assert not words & {"*", "secrets", "escalate", "bind", "impersonate", "roles", "clusterroles"}
            assert not any(resource.startswith("pods/") for resource in rule.get("resources", ()))
