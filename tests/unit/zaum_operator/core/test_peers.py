"""Which of our pods may answer, and which are witnesses whether or not they answer."""

from zaum_api import contract
from zaum_operator.core import peers
from zaum_operator.core.kinds import Object


def authorizer(name: str, **status: object) -> Object:
    labels = {contract.LABEL_NAME: contract.APP_NAME, contract.LABEL_COMPONENT: contract.COMPONENT_AUTHORIZER}
    return {"metadata": {"name": name, "labels": labels}, "status": {"phase": "Running", "podIP": name} | status}


def test_every_authorizer_whose_process_may_run_is_a_witness() -> None:
    running, waiting = (
        {"name": "authorizer", "state": {"running": {}}},
        {"name": "authorizer", "state": {"waiting": {}}},
    )
    leaving = authorizer("c", containerStatuses=[running])
    leaving["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    stranger = authorizer("z")
    stranger["metadata"]["labels"][contract.LABEL_NAME] = "other"
    pods = [
        authorizer("a"),
        authorizer("b", containerStatuses=[running]),
        leaving,
        authorizer("d", podIP=""),
        authorizer("e", containerStatuses=[waiting]),
        authorizer("f", phase="Failed"),
        stranger,
    ]
    assert peers.witnesses(pods, contract.COMPONENT_AUTHORIZER) == ("a", "b", "c", "d"), (
        "one without an address cannot be asked, and confirms nothing"
    )
