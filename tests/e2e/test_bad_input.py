"""Bad input on a real API server: it is refused or it converges, the policy says what is wrong, the operator lives."""

import pytest

from tests.support.e2e import inputs
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, NotSeenError
from tests.support.e2e.inputs import remade, said
from tests.support.e2e.tampering import IDLE
from zaum_api import conditions


def test_specs_drawn_from_the_schema_are_refused_or_answered(agents: Agents) -> None:
    print(f"fuzz: {inputs.drawn(agents)}")


def test_names_that_read_the_same_when_joined_are_two_policies(agents: Agents) -> None:
    inputs.joined_names(agents)


def test_the_longest_name_works_and_longer_or_dotted_ones_are_refused(agents: Agents) -> None:
    inputs.long_names(agents)


def test_a_spec_of_a_megabyte_is_refused(agents: Agents) -> None:
    inputs.megabyte(agents)


@pytest.mark.node
def test_a_hundred_updates_at_once_cost_few_writes_and_the_last_one_holds(agents: Agents) -> None:
    print(f"restless: {inputs.hundred_updates(agents)}")


def test_a_namespace_that_is_deleted_while_policies_are_made_goes_and_takes_nobody_along(agents: Agents) -> None:
    inputs.doomed_namespace(agents)


@pytest.mark.alone
def test_a_crd_that_is_deleted_and_restored_leaves_an_operator_that_works(agents: Agents) -> None:
    inputs.crd_removed(agents)


@pytest.mark.alone
def test_rights_that_are_revoked_and_given_back_leave_an_operator_that_works(agents: Agents, api: Api) -> None:
    api.apply("agentpolicies", agents.policy("patient", command=IDLE))
    agents.ready("patient")
    kept = remade(api.get("clusterrolebindings", "", "zaum-operator"), "roleRef", "subjects")
    try:
        api.delete("clusterrolebindings", "", "zaum-operator")
        api.merge("agentpolicies", agents.namespace, "patient", {"spec": {"desiredState": "Stopped"}})
        with pytest.raises(NotSeenError):
            said(api, agents.namespace, "patient", seconds=5)
    finally:
        api.apply("clusterrolebindings", kept)
    agents.ready("patient", reason=conditions.Reason.STOPPED.value, seconds=90)


@pytest.mark.alone
def test_more_operators_than_meant_never_make_two_pods_of_one_ordinal(agents: Agents) -> None:
    inputs.two_leaders(agents)
