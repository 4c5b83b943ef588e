"""Who has not been told of an authority, as the pods say."""

import json
from typing import Any

from zaum_api import contract, reading
from zaum_operator.core.certificates import trust

PEM = "-----BEGIN CERTIFICATE-----\nbmV4dA==\n-----END CERTIFICATE-----\n"
OLD = PEM.replace("bmV4dA", "b2xk")


def document(*authorities: str) -> str:
    return json.dumps({"gateway": {"caPEM": "".join(authorities)}})


def config(policy: str, **data: str) -> dict[str, Any]:
    metadata = {"namespace": "agents", "labels": {contract.LABEL_POLICY: policy}}
    return {"metadata": metadata, "data": {key.replace("_", "."): text for key, text in data.items()}}


def pod(policy: str, text: str, **over: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "agents",
        "name": f"zaum-{policy}-0",
        "labels": {contract.LABEL_POLICY: policy},
        "annotations": {contract.ANNOTATION_CONFIG_DIGEST: reading.digest(text.encode())},
    }
    return {"metadata": metadata | over.pop("metadata", {}), "status": {"phase": "Running"}} | over


def test_a_pod_that_names_a_document_with_the_authority_has_been_told() -> None:
    told = document(OLD, PEM)
    assert trust.behind(PEM, [config("a", config_json=told)], [pod("a", told)]) == ""


def test_a_pod_that_names_the_document_before_has_not() -> None:
    late = trust.behind(PEM, [config("a", config_json=document(OLD, PEM))], [pod("a", document(OLD))])
    assert late == "not yet told: agents/zaum-a-0"


def test_each_version_of_a_document_tells() -> None:
    first, second = document(OLD, PEM), document(PEM)
    both = [config("a", config_json=first, config_v2_json=second)]
    assert trust.behind(PEM, both, [pod("a", first), pod("a", second)]) == ""


def test_another_policys_document_tells_nothing() -> None:
    told = document(PEM)
    assert trust.behind(PEM, [config("a", config_json=told)], [pod("b", told)]) == "not yet told: agents/zaum-b-0"


def test_pods_that_have_ended_or_are_going_are_not_waited_for() -> None:
    ended = pod("a", document(OLD), status={"phase": "Failed"})
    going = pod("b", document(OLD), metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert trust.behind(PEM, [], [ended, going]) == ""


def test_documents_that_are_none_tell_nothing() -> None:
    for text in ("", "[]", "{", '{"gateway": {"caPEM": 1}}', '{"gateway": []}'):
        assert trust.behind(PEM, [config("a", config_json=text)], [pod("a", text)]) != ""


def test_a_crowd_is_counted() -> None:
    late = trust.behind(PEM, [], [pod(f"p{n}", OLD) for n in range(5)])
    assert late == "not yet told: agents/zaum-p0-0, agents/zaum-p1-0, agents/zaum-p2-0 and 2 more"
