"""The signature of a CONNECT head, as both ends spell it: a subset of HTTP Message Signatures (RFC 9421).

One signature, labelled `zaum`, by hmac-sha256 over `"@method"` and `"@authority"` with `created`, `nonce` and `keyid`,
in this order and nothing else. The method is always CONNECT. `@authority` is the request's target as it stands, the
port included: what a CONNECT asks for has no default port. Another order or a further parameter is no signature of
ours, so there is one way to write each and nothing to be normalised.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Final

HEADER_INPUT: Final = "signature-input"
HEADER_SIGNATURE: Final = "signature"
INPUT_MAX: Final = 2048
"""Bytes. A key id has some 200, the rest 100."""
SIGNATURE_BYTES: Final = 32

_COVERED: Final = '("@method" "@authority")'
_INPUT: Final = re.compile(
    r'zaum=(\("@method" "@authority"\);created=([0-9]{1,12});nonce="([0-9A-Za-z_-]{1,64})"'
    r';keyid="([!#-\[\]-~]{1,1024})")'
)
_SIGNATURE: Final = re.compile(r"zaum=:([0-9A-Za-z+/]{43}=):")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature says of itself, and its bytes; nothing of it is proven yet."""

    created: int
    nonce: str
    key_id: str
    parameters: str
    signature: bytes


def parameters(*, created: int, nonce: str, key_id: str) -> str:
    """Write the signature's parameters; `created` in whole seconds since the epoch."""
    return f'{_COVERED};created={created};nonce="{nonce}";keyid="{key_id}"'


def sign(key: bytes, authority: str, parameters_: str) -> bytes:
    """Give the signature over the base (RFC 9421 §2.5) of a CONNECT to `authority`."""
    base = f'"@method": CONNECT\n"@authority": {authority}\n"@signature-params": {parameters_}'
    return hmac.digest(key, base.encode("ascii"), "sha256")


def headers(parameters_: str, signature: bytes) -> bytes:
    """Write both header lines."""
    encoded = base64.b64encode(signature).decode("ascii")
    return f"Signature-Input: zaum={parameters_}\r\nSignature: zaum=:{encoded}:\r\n".encode("ascii")


def read(input_: str, signature: str) -> Claim | None:
    """Read both headers' values; None for what is no signature of this form."""
    found, signed = _INPUT.fullmatch(input_), _SIGNATURE.fullmatch(signature)
    if found is None or signed is None or len(input_) > INPUT_MAX:
        return None
    try:
        raw = base64.b64decode(signed[1], validate=True)
    except binascii.Error:
        return None
    return Claim(created=int(found[2]), nonce=found[3], key_id=found[4], parameters=found[1], signature=raw)


def verifies(claim: Claim, key: bytes, authority: str) -> bool:
    """Say whether `key` made the signature for a CONNECT to `authority`, in constant time."""
    if not authority.isascii():
        return False
    return hmac.compare_digest(claim.signature, sign(key, authority, claim.parameters))
