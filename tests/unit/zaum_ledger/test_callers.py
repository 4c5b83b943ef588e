"""Whose a token is, by what the API server signed."""

from typing import Any

import pytest

from zaum_api import contract
from zaum_ledger.core import callers

ISSUER = "https://issuer.test"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": [contract.AUDIENCE_LEDGER],
    "sub": "system:serviceaccount:agents:zaum-researcher",
    "nbf": 1000,
    "exp": 1600,
    "kubernetes.io": {
        "namespace": "agents",
        "pod": {"name": "zaum-researcher-2-0a1b2", "uid": "uid"},
        "serviceaccount": {"name": "zaum-researcher", "uid": "sa"},
    },
}


def bound(**more: Any) -> dict[str, Any]:
    return CLAIMS | {"kubernetes.io": CLAIMS["kubernetes.io"] | more}


def judged(claims: dict[str, Any], now: float = 1200) -> callers.Pod | callers.NoPod | callers.Unproven:
    return callers.pod(claims, issuer=ISSUER, now=now)


def test_a_watchdogs_token_names_its_policy_its_ordinal_and_its_pod() -> None:
    pod = judged(CLAIMS)
    assert pod == callers.Pod("agents", "researcher", 2, "uid", 1600.0, CLAIMS["kubernetes.io"]["pod"]["name"])
    assert isinstance(pod, callers.Pod)
    assert pod.key == "agents/researcher"


@pytest.mark.parametrize(
    ("claims", "now", "problem"),
    [
        (CLAIMS | {"iss": "https://other.test"}, 1200, "issuer"),
        (CLAIMS | {"aud": [contract.AUDIENCE_EGRESS]}, 1200, "audience"),
        (CLAIMS | {"aud": [contract.AUDIENCE_LEDGER, contract.AUDIENCE_EGRESS]}, 1200, "audience"),
        (CLAIMS, 1605, "expired"),
        (CLAIMS, 994, "not valid yet"),
        ({key: value for key, value in CLAIMS.items() if key != "exp"}, 1200, "when it is valid"),
        (CLAIMS | {"exp": True}, 1200, "when it is valid"),
    ],
)
def test_a_token_for_another_time_or_place_proves_nothing(claims: dict[str, Any], now: float, problem: str) -> None:
    found = judged(claims, now)
    assert isinstance(found, callers.Unproven)
    assert problem in found.problem


def test_clocks_may_differ_by_seconds() -> None:
    assert isinstance(judged(CLAIMS, 1604), callers.Pod)
    assert isinstance(judged(CLAIMS, 995), callers.Pod)


@pytest.mark.parametrize(
    "claims",
    [
        {key: value for key, value in CLAIMS.items() if key != "kubernetes.io"},
        bound(pod="zaum-researcher-2-0a1b2"),
        bound(pod={"name": "zaum-researcher-2-0a1b2"}),
        bound(pod={"name": "zaum-researcher-2", "uid": "uid"}),
        bound(pod={"name": "zaum-researcher-02-0a1b2", "uid": "uid"}),
        bound(pod={"name": "zaum-researcher-2-0a1bz", "uid": "uid"}),
        bound(pod={"name": "zaum-other-2-0a1b2", "uid": "uid"}),
        bound(serviceaccount={"name": "default"}),
        bound(namespace=""),
    ],
)
def test_i12_only_a_policys_own_pod_with_its_own_account_is_one_of_its_pods(claims: dict[str, Any]) -> None:
    assert isinstance(judged(claims), callers.NoPod)


def test_i12_a_policy_whose_name_ends_like_a_pods_is_not_another_one() -> None:
    claims = bound(pod={"name": "zaum-a-1-2-0a1b2", "uid": "uid"}, serviceaccount={"name": "zaum-a-1"})
    found = judged(claims)
    assert isinstance(found, callers.Pod)
    assert (found.policy, found.ordinal) == ("a-1", 2)


def test_who_reads_has_an_audience_of_its_own() -> None:
    claims = CLAIMS | {"aud": contract.AUDIENCE_LEDGER_READ}
    assert callers.reader(claims, issuer=ISSUER, now=1200) == CLAIMS["sub"]
    assert isinstance(callers.reader(CLAIMS, issuer=ISSUER, now=1200), callers.Unproven)
    assert isinstance(callers.reader(claims | {"sub": ""}, issuer=ISSUER, now=1200), callers.Unproven)
    assert isinstance(judged(claims), callers.Unproven)
