"""The wire contract's names: unique, in bounds, and never a way into someone else's."""

import ast
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents, reading

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABELS = st.from_regex(re.compile(r"[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?"), fullmatch=True)


@given(LABELS, LABELS)
def test_i12_cluster_scoped_names_differ_for_different_policies(first: str, second: str) -> None:
    assert contract.cluster_name(first, second) != contract.cluster_name(first + second, "x")
    assert (contract.cluster_name("a", first) == contract.cluster_name("a", second)) == (first == second)


def test_i12_a_slash_cannot_be_moved_between_namespace_and_name() -> None:
    assert contract.cluster_name("a-b", "c") != contract.cluster_name("a", "b-c")


@given(LABELS)
def test_no_policy_can_make_the_guards_name(policy: str) -> None:
    assert contract.child_name(policy) != contract.GUARD_NAME


@given(LABELS, st.integers(min_value=0, max_value=99))
def test_the_longest_pod_name_is_a_dns_label(policy: str, ordinal: int) -> None:
    name = contract.pod_name(policy, ordinal, "0a1b2")
    assert len(name) <= 63
    assert DNS_LABEL.fullmatch(name)


def test_the_longest_policy_name_leaves_room_for_ordinal_and_suffix() -> None:
    assert len(contract.pod_name("p" * contract.POLICY_NAME_MAX, 99, "fffff")) <= 63


def test_i03_agent_and_watchdog_never_share_a_uid() -> None:
    assert len({contract.AGENT_UID, contract.WATCHDOG_UID, contract.COMPONENT_UID}) == 3
    assert min(contract.AGENT_UID, contract.WATCHDOG_UID, contract.COMPONENT_UID) >= 10000


def test_ports_are_unique() -> None:
    ports = [value for name, value in vars(contract).items() if name.endswith("_PORT")]
    assert len(ports) == len(set(ports)) >= 9


def test_every_breach_has_a_probe_status_of_its_own_that_is_a_failure() -> None:
    assert set(contract.BREACH_STATUS) == set(contract.Breach)
    assert len(set(contract.BREACH_STATUS.values())) == len(contract.Breach)
    assert all(status >= 400 for status in contract.BREACH_STATUS.values())


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"])
def test_the_environment_names_the_proxy_in_both_cases(name: str) -> None:
    environment = contract.agent_environment()
    assert environment[name] == environment[name.lower()]
    assert "127.0.0.1" in environment[name]


def test_the_environment_is_a_fresh_dict_each_time() -> None:
    contract.agent_environment()["HTTPS_PROXY"] = "changed"
    assert contract.agent_environment()["HTTPS_PROXY"] != "changed"


@pytest.mark.parametrize("module", [contract, documents, reading])
def test_the_contract_needs_only_the_standard_library(module: object) -> None:
    source = Path(str(module.__file__)).read_text()  # type: ignore[attr-defined]
    imported = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported
    assert imported <= {*sys.stdlib_module_names, "zaum_api"}
