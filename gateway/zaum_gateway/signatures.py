"""Say whether one of the cluster's keys signed a token, and what is known of one that none of them did."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from zaum_api import signatures
from zaum_gateway.core import credentials

KeySet = signatures.KeySet
KeySetError = signatures.KeySetError


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """The token names a key that is not in the set: a rotated one, or nobody's. `said`: its claims, unproven."""

    said: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)


def claims(token: str, keys: KeySet) -> Mapping[str, object] | credentials.Invalid | UnknownKey:
    """Give the claims of a token that one of `keys` signed."""
    try:
        return signatures.claims(token, keys)
    except signatures.UnknownKeyError as error:
        return UnknownKey(error.said)
    except signatures.BadTokenError as error:
        return credentials.Invalid(str(error))
