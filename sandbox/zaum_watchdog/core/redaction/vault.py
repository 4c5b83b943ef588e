"""Names for values, and the values that they stand for: `<zaum:email:…>`.

A name is a keyed hash of its value: the same for the same value as long as the key is, and nobody's guess. Whoever sent
a value may have it back for its name; what an upstream sent under a name is turned back for a cleared route alone.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from zaum_watchdog.core.redaction.classes import Kind

NAME: Final = re.compile(rb"<zaum:[a-z]{3,10}:[a-z2-7]{12}>")
NAME_OPENS: Final = 60
"""The byte with which a name begins."""
VALUES_MAX: Final = 4096
BYTES_MAX: Final = 1 << 20
"""Of all values together. The values that were not used for the longest time are forgotten first."""
_LENGTH: Final = 12


class Origin(Enum):
    """Who sent a value first."""

    AGENT = auto()
    UPSTREAM = auto()


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    """Has no repr: a value is to stand in no log."""

    value: bytes
    origin: Origin


class Vault:
    """The names of one pod."""

    __slots__ = ("_bytes", "_kept", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._kept: dict[bytes, _Kept] = {}
        self._bytes = 0

    def name(self, kind: Kind, value: bytes, origin: Origin) -> bytes:
        """Give the name of a value, and keep what it stands for."""
        digest = hmac.digest(self._key, kind.value.encode() + b"\0" + value, hashlib.sha256)
        name = b"<zaum:%s:%s>" % (kind.value.encode(), base64.b32encode(digest)[:_LENGTH].lower())
        known = self._kept.pop(name, None)
        if known is not None and known.origin is Origin.AGENT:
            origin = Origin.AGENT
        self._bytes += 0 if known is not None else len(value)
        self._kept[name] = _Kept(value, origin)
        while len(self._kept) > VALUES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= len(self._kept.pop(next(iter(self._kept))).value)
        return name

    def value(self, name: bytes, *, cleared: bool) -> bytes | None:
        """Give what a name stands for; None if that is not known, or not for whom it would go to."""
        kept = self._kept.get(name)
        if kept is None or not (cleared or kept.origin is Origin.AGENT):
            return None
        self._kept[name] = self._kept.pop(name)
        return kept.value
