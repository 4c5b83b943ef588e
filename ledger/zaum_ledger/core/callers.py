"""Who speaks to the ledger: the claims of a token whose signature is good, judged at a given time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, tokens

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

    `expires`: when the token ends, in seconds since the epoch. `name`: the pod's.
    """

    namespace: str
    policy: str
    ordinal: int
    uid: str
    expires: float
    name: str = ""

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
    bound = tokens.part(claims.get("kubernetes.io"))
    named, account = tokens.part(bound.get("pod")), tokens.part(bound.get("serviceaccount"))
    namespace, name, uid = (
        tokens.text(bound.get("namespace")),
        tokens.text(named.get("name")),
        tokens.text(named.get("uid")),
    )
    if not (namespace and name and uid):
        return NoPod("the token is not bound to a pod")
    found = _POD.fullmatch(name)
    if found is None or tokens.text(account.get("name")) != contract.child_name(found["policy"]):
        return NoPod("the token's pod is no pod of a policy")
    return Pod(namespace, found["policy"], int(found["ordinal"]), uid, tokens.seconds(claims.get("exp")) or 0.0, name)


def reader(claims: Mapping[str, object], *, issuer: str, now: float) -> str | Unproven:
    """Give the subject of a token that is for reading the usage alone."""
    problem = _problem(claims, issuer, contract.AUDIENCE_LEDGER_READ, now)
    if problem:
        return Unproven(problem)
    return tokens.text(claims.get("sub")) or Unproven("the token names no subject")


def _problem(claims: Mapping[str, object], issuer: str, audience: str, now: float) -> str:
    return (
        tokens.issuer_problem(claims, issuer)
        or tokens.audience_problem(claims, audience)
        or tokens.time_problem(claims, now)
    )
