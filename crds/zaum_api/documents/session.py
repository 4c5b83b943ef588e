"""What the authorizer answers to `GET contract.PATH_SESSION`: a key by which the pod signs its CONNECT heads."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from zaum_api import reading
from zaum_api.reading import DocumentError, Fields

SESSION_VERSION: Final = "v1"
SESSION_MAX_BYTES: Final = 4 * 1024
KEY_BYTES: Final = 32
_KEY_ID: Final = re.compile(r"[!#-\[\]-~]{1,1024}")
"""Visible ASCII without quote and backslash: it stands in a structured string (RFC 9651) as it is."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session key. `key_id` is opaque to the watchdog; `seconds` is how long the key is good.

    `now` is the authorizer's wall clock in whole seconds since the epoch: signatures say when they were made by that
    clock, so that a node whose own clock is wrong is no outage.
    """

    key_id: str
    key: bytes = field(repr=False)
    seconds: int
    now: int

    @staticmethod
    def parse(raw: bytes) -> "Session":
        """Read an answer; raise DocumentError, which never repeats the key."""
        if len(raw) > SESSION_MAX_BYTES:
            raise DocumentError("", f"is larger than {SESSION_MAX_BYTES} bytes")
        fields = Fields(reading.load_json(raw), "")
        if fields.text("version") != SESSION_VERSION:
            raise DocumentError("version", f"this version reads {SESSION_VERSION}")
        session = Session(
            key_id=fields.one("keyId", _key_id),
            key=fields.one("key", _key),
            seconds=fields.whole("seconds", least=1, most=86_400),
            now=fields.whole("now", least=0, most=2**40),
        )
        fields.end()
        return session

    def dump(self) -> bytes:
        """Write the canonical form."""
        return reading.canonical(
            {
                "version": SESSION_VERSION,
                "keyId": self.key_id,
                "key": base64.b64encode(self.key).decode("ascii"),
                "seconds": self.seconds,
                "now": self.now,
            }
        )


def _key_id(value: object, place: str) -> str:
    if not isinstance(value, str) or not _KEY_ID.fullmatch(value):
        raise DocumentError(place, "must be visible ASCII without quotes")
    return value


def _key(value: object, place: str) -> bytes:
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise DocumentError(place, f"must be {KEY_BYTES} bytes in base64")
    return key
