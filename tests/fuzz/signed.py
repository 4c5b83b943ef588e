"""Signatures of CONNECT heads and of tokens: whatever was changed is no longer signed."""

import functools
import json
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fuzz import target
from zaum_egress import signed_head
from zaum_gateway import signatures
from zaum_gateway.core import credentials, nonces, sessions, signed

NOW: Final = 1_800_000_000
MASTER: Final = sessions.Master("m", NOW - 4000, bytes(range(32)))
MASTERS: Final = sessions.Masters.of(MASTER)
SOURCE: Final = "10.0.0.1"
AUTHORITY: Final = "api.example.com:443"
WHO: Final = credentials.Identity(namespace="agents", pod="zaum-a-0-x", uid="0" * 36, service_account="zaum-a")


def _good(authority: str = AUTHORITY, *, created: int = NOW, source: str = SOURCE) -> bytes:
    """Write what a head says, one thing on each line: authority, Signature-Input, Signature."""
    issued = sessions.issue(MASTERS, WHO, source=source, until=NOW + 600, now=NOW)
    assert issued is not None
    parameters = signed_head.parameters(created=created, nonce="n0nce_-", key_id=issued.key_id)
    signature = signed_head.sign(issued.key, authority, parameters)
    lines = signed_head.headers(parameters, signature).decode().splitlines()
    return "\n".join([authority, *(line.partition(": ")[2] for line in lines)]).encode()


GOOD: Final = _good()


def check_head(data: bytes) -> None:
    """Only what was signed passes: nothing else is anybody's."""
    lines = data.decode("latin-1").split("\n", 2)
    authority, input_, signature = [*lines, "", "", ""][:3]
    claim = signed_head.read(input_, signature)
    if claim is not None:
        sessions.Grant.read(claim.key_id)
    found = signed.identity(
        input_, signature, authority=authority, source=SOURCE, masters=MASTERS, seen=nonces.Nonces(), now=NOW
    )
    if isinstance(found, credentials.Identity):
        assert data == GOOD
        assert found == WHO
    else:
        assert found.problem


# Its own secret, so that the same seed gives the same cases; it guards nothing.
_PRIVATE: Final = ec.derive_private_key(0x5A41554D, ec.SECP256R1())


@functools.cache
def known() -> signatures.KeySet:
    public: Any = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(_PRIVATE.public_key()))
    return signatures.KeySet.read("https://issuer", {"keys": [{**public, "kid": "k", "alg": "ES256", "use": "sig"}]})


_CLAIMS: Final = {"iss": "https://issuer", "aud": ["zaum"], "exp": NOW + 600, "sub": "system:serviceaccount:a:b"}


def _token(key_id: str) -> bytes:
    """Sign without a random number (RFC 6979), which the JOSE library cannot."""
    parts = (json.dumps(part).encode() for part in ({"alg": "ES256", "typ": "JWT", "kid": key_id}, _CLAIMS))
    text = b".".join(jwt.utils.base64url_encode(part) for part in parts)
    der = _PRIVATE.sign(text, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return text + b"." + jwt.utils.base64url_encode(jwt.utils.der_to_raw_signature(der, ec.SECP256R1()))


TOKEN: Final = _token("k")


def check_token(data: bytes) -> None:
    """A token that passes says what was signed."""
    found = signatures.claims(data.decode("latin-1"), known())
    if not isinstance(found, credentials.Invalid | signatures.UnknownKey):
        assert dict(found) == _CLAIMS


def _signature_line() -> bytes:
    return GOOD.split(b"\n")[2]


_WORDS: Final = (
    *(b"\n", b"zaum=", b'("@method" "@authority")', b";created=", b";nonce=", b';keyid="', b'"', b":", b"=", b"A" * 43),
    *(
        b"1/m/",
        b"/",
        b"-",
        b"0",
        b"9" * 12,
        b"9" * 13,
        b"10.0.0.1",
        b"::1",
        b"\0",
        b"\xff",
        b"CONNECT",
        b"api.example.com",
    ),
    *(_signature_line(), b"zaum2=", b";alg=none", b"\r", b" "),
)
_NONE: Final = jwt.encode(_CLAIMS, "", algorithm="none", headers={"kid": "k"}).encode()
_TOKEN_WORDS: Final = (
    *(
        b".",
        b"..",
        b"=",
        b"e30",
        b"bnVsbA",
        b"W10",
        b"eyJhbGciOiJub25lIn0",
        b"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ",
        b"A" * 86,
    ),
    *(b"eyJhbGciOiJFUzI1NiIsImtpZCI6WzFdfQ", b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJiNjQiOmZhbHNlLCJjcml0IjpbImI2NCJdfQ"),
    *(b"\0", b"\xff", b" ", b"\n", b"-", b"_", b"+", b"/", b"eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ", b"MQ", b"Ii0i"),
)
TARGETS: Final = (
    target.Target(
        "signed heads",
        check_head,
        (
            GOOD,
            _good("evil.example.com:443").replace(b"evil", b"api_", 1),
            _good(created=NOW - 60),
            _good(source="10.0.0.2"),
        ),
        _WORDS,
        target.joined(_WORDS, most=10).map(lambda drawn: GOOD + drawn),
    ),
    target.Target(
        "tokens",
        check_token,
        (TOKEN, _token("other"), _NONE, TOKEN.rpartition(b".")[0] + b".", b"e30.e30.e30"),
        _TOKEN_WORDS,
        target.joined(_TOKEN_WORDS, most=6),
    ),
)
