"""Say whether one of the cluster's keys signed a token. The one importer of the JOSE library; offline, no clock.

Only asymmetric algorithms that the API server signs with are read, and each key only with the algorithm that it was
published for, so neither `alg: none` nor an HMAC under a public key gets anywhere (RFC 8725 §3.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

ALGORITHMS: Final = ("RS256", "ES256")
TOKEN_MAX: Final = 8192
"""Bytes. Bound tokens have about 1,300; nothing larger is worth parsing."""
# Issuer, audience and times are judged by zaum_api.tokens, with the time as an argument.
_SIGNATURE_ONLY: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
    "require": [],
}
_NOTHING: Final[Any] = _SIGNATURE_ONLY | {"verify_signature": False}

Claims = Mapping[str, object]


class KeySetError(ValueError):
    """The API server published something that is no key set."""


class BadTokenError(ValueError):
    """Not signed by one of the keys; the message never holds the token."""


class UnknownKeyError(BadTokenError):
    """The token names a key that is not in the set: a rotated one, or nobody's. `said`: its claims, unproven."""

    def __init__(self, said: Claims) -> None:
        super().__init__("the token's key is not the API server's")
        self.said = said


@dataclass(frozen=True, slots=True)
class KeySet:
    """The issuer's name and its public keys by key id."""

    issuer: str
    keys: Mapping[str, jwt.PyJWK]

    @staticmethod
    def read(issuer: object, document: object) -> "KeySet":
        """Read the discovery document's issuer and a JWK set (RFC 7517); keys that this version cannot use are left."""
        if not isinstance(issuer, str) or not issuer:
            raise KeySetError("the discovery document names no issuer")
        listed = document.get("keys") if isinstance(document, Mapping) else None
        keys: dict[str, jwt.PyJWK] = {}
        for item in listed if isinstance(listed, list) else ():
            key = _usable(item)
            if key is not None and key.key_id:
                keys[key.key_id] = key
        if not keys:
            raise KeySetError("the key set has no key that signs with " + " or ".join(ALGORITHMS))
        return KeySet(issuer=issuer, keys=keys)


def claims(token: str, keys: KeySet) -> Claims:
    """Give the claims of a token that one of `keys` signed; raise BadTokenError or UnknownKeyError."""
    if len(token) > TOKEN_MAX:
        raise BadTokenError("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
        key_id = header.get("kid")
        if header.get("alg") not in ALGORITHMS or not isinstance(key_id, str):
            raise BadTokenError("the token is not signed as the API server signs")
        key = keys.keys.get(key_id)
        if key is None:
            raise UnknownKeyError(jwt.decode(token, options=_NOTHING))
        decoded: Claims = jwt.decode(token, key, algorithms=[key.algorithm_name], options=_SIGNATURE_ONLY)
    except jwt.InvalidTokenError as error:
        raise BadTokenError("the token's signature is not the API server's") from error
    return decoded


def _usable(item: object) -> jwt.PyJWK | None:
    if not isinstance(item, dict) or item.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict(item)
    except jwt.PyJWTError:
        return None
    return key if key.algorithm_name in ALGORITHMS else None
