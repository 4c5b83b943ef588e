"""Turn what a caller presented into who it is.

Two steps, so that this half stays free of keys and clocks: `signatures` (outside the core) says whether one of the
cluster's keys signed the token and hands over its claims; `identity` judges those claims at a given time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract, tokens

BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing was presented. No watchdog does that: whoever speaks to the gateway so is not one."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """Something was presented that proves nothing; `problem` is for our own log and the caller, without the token."""

    problem: str
    rule: contract.Rule = contract.Rule.TOKEN_INVALID
    owner: str = ""
    """Uid of the pod whose own watchdog may well present this: out of date, or under a key that is not here yet. Empty
    for what no watchdog ever presents."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The pod that a token is bound to (claims `kubernetes.io` of a bound ServiceAccount token, KEP-1205)."""

    namespace: str
    service_account: str
    pod: str
    uid: str
    expires: float = field(default=0.0, compare=False)
    """When the token ends, in seconds since the epoch; a session ends with it."""


Credential = Missing | Invalid | Identity


@dataclass(frozen=True, slots=True)
class Presented:
    """The headers by which a caller may prove who it is, as they stand; None for one that is not there."""

    authorization: str | None = field(default=None, repr=False)
    signature_input: str | None = None
    signature: str | None = None

    @property
    def signed(self) -> bool:
        """Say whether the head claims to be signed."""
        return self.signature_input is not None or self.signature is not None


def misplaced(presented: Presented, listener: contract.Listener) -> Missing | Invalid | None:
    """Refuse what does not belong on a listener; None where the right thing is there, to be looked at."""
    if not presented.authorization and not presented.signed:
        return Missing()
    match listener:
        case contract.Listener.TLS:
            if presented.signed:
                return Invalid("a signature belongs on the port for signed heads", contract.Rule.SIGNATURE_INVALID)
        case contract.Listener.SIGNED:
            if presented.authorization:
                return Invalid("a token travels over TLS alone")
    return None


def bearer(header: str) -> str | None:
    """Give the token in a Proxy-Authorization header (RFC 6750); None when there is none of that scheme."""
    if header[: len(BEARER)].lower() != BEARER:
        return None
    return header[len(BEARER) :].strip() or None


def identity(claims: Mapping[str, object], *, issuer: str, now: float) -> Identity | Invalid:
    """Judge the claims of a token whose signature is good; `now` is in seconds since the epoch.

    What is ours but for its times or the issuer's name keeps its owner: a watchdog comes to hold that by itself.
    """
    problem = tokens.audience_problem(claims, contract.AUDIENCE_EGRESS)
    if problem:
        return Invalid(problem)
    found = _bound(claims)
    if found is None:
        return Invalid("the token is not bound to a pod")
    problem = tokens.issuer_problem(claims, issuer) or tokens.time_problem(claims, now)
    return Invalid(problem, owner=found.uid) if problem else found


def claimed(claims: Mapping[str, object], *, issuer: str) -> str:
    """Give the uid that claims of an unknown key speak for, if they look like a watchdog's; nothing of it is proven."""
    if tokens.issuer_problem(claims, issuer) or tokens.audience_problem(claims, contract.AUDIENCE_EGRESS):
        return ""
    found = _bound(claims)
    return found.uid if found is not None else ""


def account(claims: Mapping[str, object], *, issuer: str, audience: str, now: float) -> str | Invalid:
    """Give the subject of a token whose signature is good, and which is for `audience` alone."""
    problem = (
        tokens.issuer_problem(claims, issuer)
        or tokens.audience_problem(claims, audience)
        or tokens.time_problem(claims, now)
    )
    if problem:
        return Invalid(problem)
    return tokens.text(claims.get("sub")) or Invalid("the token names no subject")


def _bound(claims: Mapping[str, object]) -> Identity | None:
    bound = tokens.part(claims.get("kubernetes.io"))
    pod, account = tokens.part(bound.get("pod")), tokens.part(bound.get("serviceaccount"))
    namespace, name, uid = (
        tokens.text(bound.get("namespace")),
        tokens.text(pod.get("name")),
        tokens.text(pod.get("uid")),
    )
    service_account = tokens.text(account.get("name"))
    if not (namespace and name and uid and service_account):
        return None
    expires = tokens.seconds(claims.get("exp")) or 0.0
    return Identity(namespace=namespace, service_account=service_account, pod=name, uid=uid, expires=expires)
