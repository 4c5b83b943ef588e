"""Turn a signed CONNECT head into who made it. Each thing that can be wrong has words of its own."""

from typing import Final

from zaum_api import contract
from zaum_egress import signed_head
from zaum_gateway.core import credentials, nonces, records, sessions

SKEW_SECONDS: Final = 30
"""How far `created` may be from now, either way. It bounds how long a head that somebody recorded is of any use."""
Rule = contract.Rule


def identity(
    input_: str,
    signature: str,
    *,
    authority: str,
    source: str,
    masters: sessions.Masters,
    seen: nonces.Nonces,
    now: float,
) -> credentials.Identity | credentials.Invalid:
    """Judge both headers of a CONNECT to `authority` from `source`; `now` in seconds since the epoch.

    The nonce is remembered last, so that nobody without the key can fill the memory.
    """
    claim = signed_head.read(input_, signature)
    grant = sessions.Grant.read(claim.key_id) if claim is not None else None
    if claim is None or grant is None:
        return _invalid("the head is not signed as a watchdog signs")
    master = masters.keys.get(grant.master)
    if master is None:
        # Lost or not brought yet: it cannot be told from an honest watchdog's.
        return _invalid("the session's master key is not known (any more)", grant)
    if not signed_head.verifies(claim, sessions.derive(master, claim.key_id), authority):
        return _invalid("the signature does not fit the head")
    # From here on the claim is proven: the key's holder made it for this authority.
    if now >= grant.expires:
        return _invalid("the session has expired", grant)
    if abs(now - claim.created) > SKEW_SECONDS:
        return _invalid(f"the signature was not made within {SKEW_SECONDS} s of now", grant)
    owner = grant.identity.uid
    if grant.source != records.address(source):
        problem = "the session was used from another address than its own"
        return credentials.Invalid(problem, Rule.SOURCE_ADDRESS, owner)
    match seen.take(owner, claim.nonce, now):
        case nonces.Taken.FRESH:
            return grant.identity
        case nonces.Taken.SEEN:
            return credentials.Invalid("the signature was used before", Rule.REPLAYED, owner)
        case nonces.Taken.FULL:
            return credentials.Invalid("too many signed requests to remember", Rule.GATEWAY_UNAVAILABLE, owner)


def _invalid(problem: str, grant: sessions.Grant | None = None) -> credentials.Invalid:
    return credentials.Invalid(problem, Rule.SIGNATURE_INVALID, "" if grant is None else grant.identity.uid)
