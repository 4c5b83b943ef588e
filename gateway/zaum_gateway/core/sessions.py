"""Session keys: derived, never stored, so that all replicas of the authorizer know them and none has to tell another.

A key is HKDF-Expand (RFC 5869 §2.3) of a master key, which is uniformly random already, over the key id. The key id
says whose it is, from which address it was asked for and when it ends, in clear text: nothing of it is secret, and
whoever changes a letter of it has to know another key.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from zaum_api import contract
from zaum_gateway.core import credentials, records

MASTER_BYTES: Final = 32
SETTLE_SECONDS: Final = 300
"""A master key is used for new sessions when it is this old: by then every replica's kubelet has brought it."""
_LABEL: Final = b"zaum session v1\0"
_MASTER: Final = re.compile(r"([0-9a-z]{1,32}) ([0-9]{1,12}) ([0-9a-f]{64})")
_NAME: Final = re.compile(r"[-.0-9a-zA-Z]{1,253}")
_KEY_ID: Final = re.compile(r"1/([0-9a-z]{1,32})/([0-9]{1,12})/([-.0-9a-zA-Z]+)/([-.0-9a-zA-Z]+)/([-.0-9a-zA-Z]+)"
                            r"/([-.0-9a-zA-Z]+)/([.:0-9a-f]+)")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Master:
    """One master key; `made` in seconds since the epoch."""

    id: str
    made: int
    key: bytes = field(repr=False)

    @staticmethod
    def read(text: str) -> "Master | None":
        """Read what the operator wrote, `<id> <made> <64 hex digits>`; None for anything else."""
        found = _MASTER.fullmatch(text.strip())
        return Master(found[1], int(found[2]), bytes.fromhex(found[3])) if found else None


@dataclass(frozen=True, slots=True)
class Masters:
    """The master keys by id. Empty: there are no sessions, and every hop is TLS."""

    keys: Mapping[str, Master]

    @staticmethod
    def of(*found: Master | None) -> "Masters":
        """Take the ones that could be read."""
        return Masters({master.id: master for master in found if master is not None})

    def issuing(self, now: float) -> Master | None:
        """Give the key for new sessions: the youngest that every replica has by now, else the oldest."""
        ordered = sorted(self.keys.values(), key=lambda master: (master.made, master.id))
        settled = [master for master in ordered if now - master.made >= SETTLE_SECONDS]
        return settled[-1] if settled else next(iter(ordered), None)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key id says: a pod, the address it asked from, and when the session ends (seconds since the epoch)."""

    master: str
    expires: int
    identity: credentials.Identity
    source: str

    @staticmethod
    def read(key_id: str) -> "Grant | None":
        """Read a key id; None for what is none of ours."""
        found = _KEY_ID.fullmatch(key_id)
        if found is None:
            return None
        who = credentials.Identity(namespace=found[3], pod=found[4], uid=found[5], service_account=found[6])
        return Grant(found[1], int(found[2]), who, found[7])

    def key_id(self) -> str:
        """Write the key id."""
        who = self.identity
        parts = (self.master, self.expires, who.namespace, who.pod, who.uid, who.service_account, self.source)
        return "1/" + "/".join(str(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Issued:
    """A session for the answer."""

    key_id: str
    key: bytes = field(repr=False)
    seconds: int


def derive(master: Master, key_id: str) -> bytes:
    """Derive the key that belongs to a key id."""
    return hmac.digest(master.key, _LABEL + key_id.encode("ascii") + b"\x01", "sha256")


def issue(masters: Masters, identity: credentials.Identity, *, source: str, until: float, now: float) -> Issued | None:
    """Make a session that ends with the token, at `until`, and in ten minutes at the latest; None without master keys.

    Names that a key id cannot carry are no names that Kubernetes gives.
    """
    master = masters.issuing(now)
    names = (identity.namespace, identity.pod, identity.uid, identity.service_account)
    seconds = int(min(until - now, contract.TOKEN_SECONDS))
    if master is None or seconds < 1 or not all(_NAME.fullmatch(name) for name in names):
        return None
    grant = Grant(master.id, int(now) + seconds, identity, records.address(source))
    key_id = grant.key_id()
    return Issued(key_id, derive(master, key_id), seconds) if Grant.read(key_id) == grant else None
