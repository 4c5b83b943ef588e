"""Which tokens count as signed by the API server."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from zaum_gateway import signatures
from zaum_gateway.core import credentials

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = {"sub": "system:serviceaccount:agents:zaum-demo", "exp": 1}


def jwk(kid: str, text: str | dict[str, Any], **more: str) -> dict[str, Any]:
    loaded = json.loads(text) if isinstance(text, str) else text
    return {**loaded, "kid": kid, "use": "sig", **more}


DOCUMENT = {
    "keys": [
        jwk("rsa", RSAAlgorithm.to_jwk(RSA.public_key()), alg="RS256"),
        jwk("ec", ECAlgorithm.to_jwk(EC.public_key())),
    ]
}
KEYS = signatures.KeySet.read("https://issuer.test", DOCUMENT)


def sign(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", claims: Any = CLAIMS) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def public_pem() -> bytes:
    return RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_token_under_each_kind_of_key_is_read() -> None:
    assert signatures.claims(sign(), KEYS) == CLAIMS
    assert signatures.claims(sign(EC, "ES256", "ec"), KEYS) == CLAIMS


def test_times_are_left_to_the_core() -> None:
    assert isinstance(signatures.claims(sign(claims={"exp": 1, "nbf": 2**40}), KEYS), dict)


def hmac_under_the_public_key() -> str:
    head = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "kid": "rsa", "typ": "JWT"}).encode())
    body = jwt.utils.base64url_encode(json.dumps(CLAIMS).encode())
    message = head + b"." + body
    signature = HMACAlgorithm(HMACAlgorithm.SHA256).sign(message, public_pem())
    return (message + b"." + jwt.utils.base64url_encode(signature)).decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "..",
        sign(OTHER),
        sign("", "none"),
        sign("x" * 64, "HS256"),
        hmac_under_the_public_key(),
        sign(RSA, "RS512"),
        sign(RSA, "PS256"),
        sign(EC, "ES256", "rsa"),
        sign(RSA, "RS256", "ec"),
        sign(kid=None),
        sign()[:-4],
        sign() + "A" * 9000,
        "[" * 4000,
        jwt.utils.base64url_encode(b"[" * 3000).decode() + ".e30.e30",
    ],
)
def test_i04_what_no_key_signed_is_invalid(token: str) -> None:
    assert isinstance(signatures.claims(token, KEYS), credentials.Invalid)


def test_an_unknown_key_is_told_apart() -> None:
    assert signatures.claims(sign(kid="next"), KEYS) == signatures.UnknownKey()


def test_no_problem_carries_the_token() -> None:
    token = sign(OTHER)
    verdict = signatures.claims(token, KEYS)
    assert isinstance(verdict, credentials.Invalid)
    assert not any(part in verdict.problem for part in token.split("."))


@pytest.mark.parametrize(
    "useless",
    [
        jwk("a", {"kty": "oct", "k": "c2VjcmV0"}),
        jwk("b", RSAAlgorithm.to_jwk(RSA.public_key()), alg="HS256"),
        jwk("c", RSAAlgorithm.to_jwk(RSA.public_key()), alg="RS512"),
        {**jwk("d", RSAAlgorithm.to_jwk(RSA.public_key())), "use": "enc"},
        jwk("", RSAAlgorithm.to_jwk(RSA.public_key())),
        {"kid": "e"},
        {"kid": "f", "kty": "RSA"},
        "g",
        None,
    ],
)
def test_keys_of_no_use_are_left_out(useless: object) -> None:
    keys = signatures.KeySet.read("https://issuer.test", {"keys": [useless, *DOCUMENT["keys"]]})
    assert set(keys.keys) == {"rsa", "ec"}


@pytest.mark.parametrize(
    ("issuer", "document"),
    [("", DOCUMENT), (None, DOCUMENT), ("https://issuer.test", {}), ("https://issuer.test", {"keys": []}), ("i", [])],
)
def test_a_document_without_issuer_or_keys_is_refused(issuer: object, document: object) -> None:
    with pytest.raises(signatures.KeySetError):
        signatures.KeySet.read(issuer, document)
