"""What only the operator sees: an object of a policy that somebody edits past it, answered as the policy says."""

import uuid
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support import edits
from tests.support.e2e import tampering
from tests.support.e2e.agents import RESTRICTED
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.tampering import Prey, settled, without_bindings
from zaum_api import contract, incidents

pytestmark = pytest.mark.alone
WITHIN_SECONDS: Final = 5.0
STEP_SECONDS: Final = 60.0
OWN: Final = contract.child_name(tampering.POLICY)
OPEN: Final = edits.Edit("an open door", "networkpolicy", {"spec": {"egress": [{}]}})
FIELD: Final = "containment.onTampering"


@pytest.fixture
def herd(api: Api, images: dict[str, str]) -> Iterator[tuple[Prey, Prey]]:
    """Two namespaces with a policy each, and somebody who may write all that the operator makes of them."""
    run = uuid.uuid4().hex[:5]
    names = [f"t-tampering-{run}-{index}" for index in range(2)]
    for name in names:
        meta = {"name": name, "labels": RESTRICTED}
        api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    first, other = (Prey(api, tampering.hand(api, name), name, images["demo-agent"]) for name in names)
    for prey in (first, other):
        prey.make()
    for prey in (first, other):
        settled(prey)
    yield first, other
    for name in names:
        tampering.drop_hand(api, name)
        api.delete("namespaces", "", name)


def answered(prey: Prey, answer: str) -> None:
    """Have the policy ask for an answer, and wait until the operator goes by it."""
    patch = {"spec": {"containment": {"onTampering": answer}}}
    prey.api.merge("agentpolicies", prey.namespace, tampering.POLICY, patch)

    def in_force(policy: Object) -> bool:
        fields = policy.get("status", {}).get("effective", {}).get("fields", ())
        return any((item["field"], item["value"]) == (FIELD, answer) for item in fields)

    prey.api.until(
        "agentpolicies", prey.namespace, tampering.POLICY, in_force, seconds=STEP_SECONDS, what=f"{FIELD}: {answer}"
    )


def closed(policy: Object) -> bool:
    """Say whether nothing of the edit is left."""
    return {} not in policy["spec"].get("egress", [])


def proven(incident: Object) -> bool:
    """Say whether every step of an Incident is confirmed."""
    return bool(incident.get("status", {}).get("phase") == incidents.Phase.CONTAINED.value)


def test_i09_an_edit_past_the_operator_is_put_back_and_answered_as_the_policy_says(
    api: Api, herd: tuple[Prey, Prey]
) -> None:
    prey, other = herd
    here = prey.namespace
    (pod,) = prey.pods()
    with without_bindings(api, other):
        # The control: the same edit is put back without an Incident where nobody asks for one.
        answered(prey, "Ignore")
        prey.restored(OPEN, within=WITHIN_SECONDS)
        answered(prey, "Quarantine")
        # The operator has been over the policy again since it put the edit back, and what it makes of one comes first.
        assert api.items("incidents", here) == []
        prey.strike(OPEN)
        api.until("networkpolicies", here, OWN, closed, seconds=WITHIN_SECONDS, what="the edit is put back")
        incident = api.until_any("incidents", here, "", proven, seconds=STEP_SECONDS, what="the quarantine is proven")
    spec = incident["spec"]
    assert (spec["reason"], spec["action"], spec["reporter"]) == ("Tampering", "Quarantine", "Operator")
    assert spec["pod"]["uid"] == pod["metadata"]["uid"]
    assert f"NetworkPolicy {OWN} was changed" in spec["evidence"]["summary"]
    assert all(condition(incident, step.value).get("status") == "True" for step in incidents.STEPS)
    assert prey.pods() == []
    assert len(api.items("incidents", here)) == 1
    assert len(other.pods()) == 1
    assert api.items("incidents", other.namespace) == []
