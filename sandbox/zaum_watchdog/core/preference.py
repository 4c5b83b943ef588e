"""Choose the form of a refusal by the Accept header (RFC 9110 §12.5.1)."""

import re
from typing import Final

_QUALITY: Final = re.compile(rb";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|\Z)", re.IGNORECASE)
_TEXT: Final = (b"text/plain", b"text/*", b"*/*")
_JSON: Final = (b"application/json", b"application/*", b"*/*")


def text(accept: bytes) -> bool:
    """Say whether plain text is preferred to JSON; a tie is for JSON."""
    if b"text/" not in accept.lower():
        return False
    weights: dict[bytes, float] = {}
    for item in accept.lower().split(b","):
        kind = item.partition(b";")[0].strip(b" \t")
        quality = _QUALITY.search(item)
        weights[kind] = float(quality[1]) if quality else 1.0
    return _weight(weights, _TEXT) > _weight(weights, _JSON)


def _weight(weights: dict[bytes, float], kinds: tuple[bytes, ...]) -> float:
    """Give the weight of the most specific kind that is named."""
    return next((weights[kind] for kind in kinds if kind in weights), 0.0)
