"""Who speaks to the ledger: the claims of a token whose signature is good, judged at a given time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import contract

LEEWAY_SECONDS: Final = 5
"""How far the clocks of API server and ledger may differ."""
_NAME: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_POD: Final = re.compile(rf"{contract.NAME_PREFIX}(?P<policy>{_NAME})-(?P<ordinal>0|[1-9][0-9]?)-[0-9a-f]{{5}}")


@dataclass(frozen=True, slots=True)
class Unproven:
    """The token proves nothing; `problem` is for the log and the caller, without the token."""

    problem: str


@dataclass(frozen=True, slots=True)
class NoPod:
    """The token is good, and speaks for no pod of a policy."""

    problem: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A watchdog: its pod's uid, the policy and the ordinal by the names that the API server signed.

    `expires`: when the token ends, in seconds since the epoch.
    """

    namespace: str
    policy: str
    ordinal: int
    uid: str
    expires: float

    @property
    def key(self) -> str:
        """Name the policy's books."""
        return book(self.namespace, self.policy)


def book(namespace: str, policy: str) -> str:
    """Name a policy's books: by namespace and name, so that they outlive the policy and its re-creation."""
    return f"{namespace}/{policy}"


def pod(claims: Mapping[str, object], *, issuer: str, now: float) -> Pod | NoPod | Unproven:
    """Judge a watchdog's claims (a bound ServiceAccount token, KEP-1205); `now` in seconds since the epoch."""
    problem = _problem(claims, issuer, contract.AUDIENCE_LEDGER, now)
    if problem:
        return Unproven(problem)
    bound = _mapping(claims.get("kubernetes.io"))
    named, account = _mapping(bound.get("pod")), _mapping(bound.get("serviceaccount"))
    namespace, name, uid = _text(bound.get("namespace")), _text(named.get("name")), _text(named.get("uid"))
    if not (namespace and name and uid):
        return NoPod("the token is not bound to a pod")
    found = _POD.fullmatch(name)
    if found is None or _text(account.get("name")) != contract.child_name(found["policy"]):
        return NoPod("the token's pod is no pod of a policy")
    return Pod(namespace, found["policy"], int(found["ordinal"]), uid, _seconds(claims.get("exp")) or 0.0)


def reader(claims: Mapping[str, object], *, issuer: str, now: float) -> str | Unproven:
    """Give the subject of a token that is for reading the usage alone."""
    problem = _problem(claims, issuer, contract.AUDIENCE_LEDGER_READ, now)
    if problem:
        return Unproven(problem)
    return _text(claims.get("sub")) or Unproven("the token names no subject")


def _problem(claims: Mapping[str, object], issuer: str, audience: str, now: float) -> str:
    if claims.get("iss") != issuer:
        return "the token is of another issuer"
    if claims.get("aud") not in (audience, [audience]):
        return f"the token's audience is not {audience} alone"
    expires, starts = _seconds(claims.get("exp")), _seconds(claims.get("nbf", claims.get("iat")))
    if expires is None or starts is None:
        return "the token does not say when it is valid"
    if now >= expires + LEEWAY_SECONDS:
        return "the token has expired"
    if now < starts - LEEWAY_SECONDS:
        return "the token is not valid yet"
    return ""


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
