"""Who counts as an intruder at the gateway, and what becomes of the pod."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract
from zaum_gateway.cluster import mirror
from zaum_gateway.core import contacts, credentials, decisions, records

Rule = contract.Rule
ISSUER = "https://issuer.test"
NOW = 1_000_000.0
HERE, THERE = "10.0.0.1", "10.0.0.2"


def body(uid: str, *addresses: str, phase: str = "Running") -> dict[str, Any]:
    labels = {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE, contract.LABEL_POLICY: "demo"}
    return {
        "metadata": {"namespace": "agents", "name": f"pod-{uid}", "uid": uid, "labels": labels},
        "status": {"phase": phase, "podIPs": [{"ip": address} for address in addresses]},
    }


def seen(*bodies: dict[str, Any]) -> records.Snapshot:
    pods = mirror.Pods()
    pods.replace(bodies)
    return records.Snapshot(pods.view, {}, pods.addresses)


BOTH = seen(body("a", HERE, "fd00::1"), body("b", THERE))


def identity(uid: str) -> credentials.Identity:
    return credentials.Identity(namespace="agents", service_account="zaum-demo", pod=f"pod-{uid}", uid=uid)


def guilty(credential: credentials.Credential, source: str = HERE, snapshot: records.Snapshot = BOTH) -> list[str]:
    return [pod.uid for pod in contacts.guilty(source, credential, snapshot)[0]]


@pytest.mark.parametrize(
    ("credential", "rule"),
    [
        (credentials.Missing(), Rule.TOKEN_MISSING),
        (credentials.Invalid("made up"), Rule.TOKEN_INVALID),
        (credentials.Invalid("made up", Rule.SIGNATURE_INVALID), Rule.SIGNATURE_INVALID),
        (credentials.Invalid("another pod's, expired", owner="b"), Rule.TOKEN_INVALID),
        (identity("b"), Rule.SOURCE_ADDRESS),
    ],
)
@pytest.mark.parametrize("source", [HERE, f"::ffff:{HERE}", "FD00::0:1"])
def test_i04_who_speaks_from_a_pod_without_its_credential_makes_contact(
    credential: credentials.Credential, rule: Rule, source: str
) -> None:
    pods, by = contacts.guilty(source, credential, BOTH)
    assert [pod.uid for pod in pods] == ["a"]
    assert by is rule


@pytest.mark.parametrize(
    "credential",
    [identity("a"), credentials.Invalid("expired", owner="a"), credentials.Invalid("x", Rule.REPLAYED, "a")],
)
def test_a_pods_own_watchdog_makes_none_even_when_it_is_late(credential: credentials.Credential) -> None:
    assert guilty(credential) == []


@pytest.mark.parametrize("source", ["10.0.0.3", "", "nonsense"])
def test_nobody_is_guilty_where_no_pod_lives(source: str) -> None:
    assert guilty(credentials.Missing(), source) == []


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pods_address_is_nobodys(phase: str) -> None:
    assert guilty(credentials.Missing(), snapshot=seen(body("a", HERE, phase=phase))) == []
    assert guilty(credentials.Missing(), snapshot=seen(body("a", HERE, phase="Running"))) == ["a"]


def test_a_new_pod_may_have_the_address_of_one_that_is_gone_unheard() -> None:
    assert guilty(identity("new"), snapshot=BOTH) == []
    assert guilty(identity("new"), snapshot=seen(body("a", HERE), body("new"))) == []
    assert guilty(identity("new"), snapshot=seen(body("a", HERE), body("new", THERE))) == ["a"]
    assert guilty(identity("new"), snapshot=seen(body("a", HERE), body("new", HERE))) == []


def claims(**changes: Any) -> dict[str, Any]:
    bound = {"namespace": "agents", "pod": {"name": "pod-a", "uid": "a"}, "serviceaccount": {"name": "zaum-demo"}}
    whole = {
        "iss": ISSUER, "aud": [contract.AUDIENCE_EGRESS], "exp": NOW + 600, "nbf": NOW, "kubernetes.io": bound
    }  # fmt: skip
    return whole | changes


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        ({"exp": NOW - 60}, "a"),
        ({"nbf": NOW + 60}, "a"),
        ({"exp": None}, "a"),
        ({"iss": "https://before.test"}, "a"),
        ({"aud": ["zaum-ledger"]}, ""),
        ({"aud": [contract.AUDIENCE_EGRESS, "zaum-ledger"]}, ""),
        ({"kubernetes.io": {"namespace": "agents"}}, ""),
    ],
)
def test_a_signed_token_is_its_pods_own_whatever_its_times_say(change: dict[str, Any], owner: str) -> None:
    found = credentials.identity(claims(**change), issuer=ISSUER, now=NOW)
    assert isinstance(found, credentials.Invalid)
    assert found.owner == owner


@pytest.mark.parametrize(
    ("change", "owner"),
    [({}, "a"), ({"iss": "https://elsewhere.test"}, ""), ({"aud": ["x"]}, ""), ({"kubernetes.io": 1}, "")],
)
def test_under_an_unknown_key_it_counts_what_the_token_looks_like(change: dict[str, Any], owner: str) -> None:
    assert credentials.claimed(claims(**change), issuer=ISSUER) == owner


def caught(latches: contacts.Latches, credential: credentials.Credential, source: str = HERE) -> str | None:
    found = latches.caught(source, credential, BOTH)
    return None if found is None else found.uid


def test_i08_a_latched_pod_stays_so_also_with_its_own_good_credential() -> None:
    latches = contacts.Latches()
    assert caught(latches, identity("a")) is None
    assert latches.take(BOTH.pods["a"], Rule.TOKEN_MISSING, NOW) is not None
    for credential in (identity("a"), credentials.Missing(), credentials.Invalid("x")):
        assert caught(latches, credential) == "a"
    assert caught(latches, identity("b"), THERE) is None
    assert caught(latches, credentials.Missing(), THERE) is None


def test_the_first_contact_is_the_one_that_is_kept() -> None:
    latches = contacts.Latches()
    latches.take(BOTH.pods["a"], Rule.TOKEN_MISSING, NOW)
    assert latches.take(BOTH.pods["a"], Rule.TOKEN_INVALID, NOW + 5) is None
    assert latches.all() == (contacts.Contact("a", "agents", "pod-a", Rule.TOKEN_MISSING, int(NOW)),)


def test_a_latch_ends_with_its_pod_and_no_sooner() -> None:
    latches = contacts.Latches()
    latches.take(BOTH.pods["a"], Rule.TOKEN_MISSING, NOW)
    latches.prune(seen(body("a", phase="Failed")).pods)
    assert len(latches) == 1
    latches.prune(seen(body("b", HERE)).pods)
    assert len(latches) == 0


def test_a_proven_pod_does_not_pay_for_the_one_that_had_its_address_before() -> None:
    latches, both_here = contacts.Latches(), seen(body("a", HERE), body("c", HERE))
    latches.take(both_here.pods["a"], Rule.TOKEN_MISSING, NOW)
    assert latches.caught(HERE, identity("c"), both_here) is None


def test_addresses_follow_the_pods() -> None:
    pods = mirror.Pods()
    view = records.Snapshot(pods.view, {}, pods.addresses)

    def uids(source: str = HERE) -> list[str]:
        return [pod.uid for pod in view.speaking(source)]

    pods.put(body("a"))
    assert uids() == []
    pods.put(body("a", HERE))
    pods.put(body("b", HERE))
    assert uids() == ["a", "b"]
    pods.put(body("b", THERE))
    assert (uids(), uids(THERE)) == (["a"], ["b"])
    pods.remove(body("a"))
    pods.remove(body("a"))
    assert uids() == []
    pods.replace([body("c", HERE)])
    assert (uids(), uids(THERE)) == (["c"], [])
    assert set(pods.addresses) == {HERE}


def test_a_decision_about_a_latched_pod_says_what_to_do() -> None:
    decision = decisions.latched(replace(BOTH.pods["a"], policy="demo"))
    assert (decision.rule, decision.uid, decision.policy) == (Rule.LATCHED, "a", "demo")
    assert decision.allowed_by


CREDENTIALS = st.one_of(
    st.just(credentials.Missing()),
    st.builds(credentials.Invalid, st.just("x"), owner=st.sampled_from(["", "a", "b", "gone"])),
    st.sampled_from(["a", "b", "gone"]).map(identity),
)


@given(CREDENTIALS, st.sampled_from([HERE, THERE, "10.0.0.3", "fd00::1", ""]))
def test_only_live_pods_at_the_address_are_latched_and_never_the_one_that_owns_the_credential(
    credential: credentials.Credential, source: str
) -> None:
    pods, rule = contacts.guilty(source, credential, BOTH)
    owner = {credentials.Identity: "uid", credentials.Invalid: "owner"}.get(type(credential), "")
    assert all(pod.live and records.address(source) in pod.addresses for pod in pods)
    assert not owner or getattr(credential, owner) not in {pod.uid for pod in pods}
    assert rule in {Rule.TOKEN_MISSING, Rule.TOKEN_INVALID, Rule.SOURCE_ADDRESS}
