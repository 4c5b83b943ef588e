"""Claims in, identity or the reason why not out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, tokens
from zaum_gateway.core import credentials

NOW = 1_000_000.0
ISSUER = "https://issuer.test"


def claims(**changes: Any) -> dict[str, Any]:
    bound = {
        "namespace": "agents",
        "pod": {"name": "zaum-demo-0-abcde", "uid": "uid-1"},
        "serviceaccount": {"name": "zaum-demo", "uid": "uid-2"},
    }
    whole = {
        "iss": ISSUER,
        "aud": [contract.AUDIENCE_EGRESS],
        "exp": int(NOW) + 600,
        "nbf": int(NOW),
        "iat": int(NOW),
        "kubernetes.io": bound,
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


def judge(found: dict[str, Any]) -> credentials.Identity | credentials.Invalid:
    return credentials.identity(found, issuer=ISSUER, now=NOW)


def test_a_bound_token_names_its_pod() -> None:
    assert judge(claims()) == credentials.Identity(
        namespace="agents", service_account="zaum-demo", pod="zaum-demo-0-abcde", uid="uid-1"
    )


def test_a_single_audience_may_be_spelt_as_a_string() -> None:
    assert isinstance(judge(claims(aud=contract.AUDIENCE_EGRESS)), credentials.Identity)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"iss": "https://elsewhere.test"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"aud": ["zaum-ledger"]}, "audience"),
        ({"aud": [contract.AUDIENCE_EGRESS, "zaum-ledger"]}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": {contract.AUDIENCE_EGRESS: 1}}, "audience"),
        ({"exp": int(NOW) - 5}, "expired"),
        ({"exp": None}, "when"),
        ({"exp": "tomorrow"}, "when"),
        ({"exp": True}, "when"),
        ({"nbf": int(NOW) + 6}, "not valid yet"),
        ({"nbf": None, "iat": None}, "when"),
        ({"nbf": None, "iat": int(NOW) + 60}, "not valid yet"),
        ({"kubernetes.io": None}, "not bound"),
        ({"kubernetes.io": "agents"}, "not bound"),
        ({"kubernetes.io": {"namespace": "agents", "serviceaccount": {"name": "zaum-demo"}}}, "not bound"),
        ({"kubernetes.io": {"namespace": "agents", "pod": {"name": "p", "uid": ""}}}, "not bound"),
        ({"kubernetes.io": {"namespace": "agents", "pod": {"name": "p", "uid": 7}}}, "not bound"),
        ({"kubernetes.io": {"namespace": "agents", "pod": {"name": "p", "uid": "u"}}}, "not bound"),
    ],
)
def test_i04_claims_that_prove_nothing(change: dict[str, Any], problem: str) -> None:
    verdict = judge(claims(**change))
    assert isinstance(verdict, credentials.Invalid)
    assert problem in verdict.problem


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    edge = tokens.LEEWAY_SECONDS
    assert isinstance(judge(claims(exp=NOW - edge + 1)), credentials.Identity)
    assert isinstance(judge(claims(exp=NOW - edge)), credentials.Invalid)
    assert isinstance(judge(claims(nbf=NOW + edge)), credentials.Identity)
    assert isinstance(judge(claims(nbf=NOW + edge + 1)), credentials.Invalid)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["iss", "aud", "exp", "nbf", "kubernetes.io"]), JSON)
def test_whatever_stands_in_a_claim_the_answer_is_a_verdict(name: str, value: object) -> None:
    assert isinstance(judge(claims(**{name: value})), credentials.Identity | credentials.Invalid)


@pytest.mark.parametrize("name", ["exp", "nbf"])
@pytest.mark.parametrize("sign", [1, -1])
def test_i04_a_time_beyond_all_times_is_none(name: str, sign: int) -> None:
    found = claims(**{name: sign * 10**400})
    judged = judge(found)
    assert isinstance(judged, credentials.Invalid)
    assert judged.owner == "uid-1"
    assert credentials.claimed(found, issuer=ISSUER) == "uid-1"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("BEARER abc", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
        ("", None),
    ],
)
def test_the_token_of_a_header(header: str, token: str | None) -> None:
    assert credentials.bearer(header) == token


TOKEN = credentials.Presented(authorization="Bearer x")
SIGNED = credentials.Presented(signature_input="i", signature="s")
BOTH = credentials.Presented(authorization="Bearer x", signature_input="i", signature="s")
HALF = credentials.Presented(signature="s")
Listener = contract.Listener


@pytest.mark.parametrize(
    ("presented", "listener", "rule"),
    [
        (TOKEN, Listener.TLS, None),
        (SIGNED, Listener.SIGNED, None),
        (HALF, Listener.SIGNED, None),
        (TOKEN, Listener.SIGNED, contract.Rule.TOKEN_INVALID),
        (BOTH, Listener.SIGNED, contract.Rule.TOKEN_INVALID),
        (SIGNED, Listener.TLS, contract.Rule.SIGNATURE_INVALID),
        (BOTH, Listener.TLS, contract.Rule.SIGNATURE_INVALID),
        (HALF, Listener.TLS, contract.Rule.SIGNATURE_INVALID),
    ],
)
def test_i04_each_proof_counts_on_its_own_listener_alone(
    presented: credentials.Presented, listener: Listener, rule: contract.Rule | None
) -> None:
    found = credentials.misplaced(presented, listener)
    if rule is None:
        assert found is None, "it is looked at"
    else:
        assert isinstance(found, credentials.Invalid)
        assert found.rule is rule


@pytest.mark.parametrize("listener", Listener)
@pytest.mark.parametrize("nothing", [credentials.Presented(), credentials.Presented(authorization="")])
def test_i04_nothing_is_nothing_on_each_listener(nothing: credentials.Presented, listener: Listener) -> None:
    assert credentials.misplaced(nothing, listener) == credentials.Missing()


def test_a_token_is_not_in_what_is_printed() -> None:
    assert "Bearer" not in repr(TOKEN)


def account(**changes: Any) -> str | credentials.Invalid:
    whole = {"aud": [contract.AUDIENCE_AUTHORIZER], "sub": "system:serviceaccount:zaum-system:zaum-operator"}
    found = claims(**(whole | changes))
    return credentials.account(found, issuer=ISSUER, audience=contract.AUDIENCE_AUTHORIZER, now=NOW)


def test_an_accounts_token_names_its_subject() -> None:
    assert account() == "system:serviceaccount:zaum-system:zaum-operator"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"aud": [contract.AUDIENCE_EGRESS]}, "audience"),
        ({"aud": [contract.AUDIENCE_AUTHORIZER, contract.AUDIENCE_EGRESS]}, "audience"),
        ({"iss": "https://elsewhere.test"}, "issuer"),
        ({"exp": int(NOW) - 60}, "expired"),
        ({"sub": None}, "subject"),
        ({"sub": ""}, "subject"),
        ({"sub": ["system:serviceaccount:zaum-system:zaum-operator"]}, "subject"),
    ],
)
def test_i04_an_account_that_proves_nothing(change: dict[str, Any], problem: str) -> None:
    found = account(**change)
    assert isinstance(found, credentials.Invalid)
    assert problem in found.problem
