"""The session with the gateway: a key from the authorizer, how long it is good, when the next one is asked for.

There is one session for each of the gateway's addresses, because a session is bound to the address that it was asked
from, and that follows from the address that is dialled. Times are monotonic nanoseconds.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final

from zaum_api import contract, documents
from zaum_egress import signed_head

SECOND: Final = 1_000_000_000
DUE: Final = 2 / 3
"""Of a session's life: then the next one is asked for."""
MARGIN: Final = 2 * SECOND
"""A session that ends sooner is not signed with any more: the head has to arrive."""
FIRST_WAIT: Final = SECOND // 2
LONGEST_WAIT: Final = 15 * SECOND
"""Between two questions while none is answered: doubled from the first to the longest."""
FINAL: Final = frozenset(
    {contract.Rule.POD_UNKNOWN, contract.Rule.POLICY_GONE, contract.Rule.QUARANTINED, contract.Rule.LATCHED}
)
"""Refusals that say what is true of the pod. With one of these as the last word, tunnels end with their session."""


@dataclass(frozen=True, slots=True)
class Session:
    """A key in use. `began` is when it was received."""

    document: documents.Session
    began: int

    @property
    def ends(self) -> int:
        """Give the moment from which on the key is of no use."""
        return self.began + self.document.seconds * SECOND

    def usable(self, now: int) -> bool:
        """Say whether a head that is signed now will be taken."""
        return now < self.ends - MARGIN

    def headers(self, authority: str, *, nonce: str, now: int) -> bytes:
        """Sign a CONNECT: the header lines. It is dated by the authorizer's clock, carried on by our monotonic one."""
        created = self.document.now + (now - self.began) // SECOND
        said = signed_head.parameters(created=created, nonce=nonce, key_id=self.document.key_id)
        return signed_head.headers(said, signed_head.sign(self.document.key, authority, said))


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one address: the session, whether a question is open, and how the last one ended."""

    session: Session | None = None
    spoilt: bool = False
    """The gateway has refused what was signed with the session: its master keys were lost."""
    asking: bool = False
    next_at: int = 0
    wait: int = FIRST_WAIT
    refused: contract.Rule | None = None

    def usable(self, now: int) -> Session | None:
        """Give the session if it can be signed with."""
        session = self.session
        return session if session is not None and not self.spoilt and session.usable(now) else None

    def due(self, now: int) -> bool:
        """Say whether to ask for a session now."""
        return not self.asking and now >= self.next_at

    def asked(self) -> "State":
        """Note that the question is out."""
        return dataclasses.replace(self, asking=True)

    def given(self, document: documents.Session, now: int) -> "State":
        """Take a session in; the one before is forgotten, tunnels that were opened with it stay."""
        return State(Session(document, now), next_at=now + int(document.seconds * SECOND * DUE))

    def failed(self, now: int, rule: contract.Rule | None) -> "State":
        """Note that no session came: refused by a rule, or None where nobody answered."""
        wait = min(self.wait * 2, LONGEST_WAIT)
        # An outage says nothing new of the pod: a refusal stays the last word until there is another one.
        refused = self.refused if rule is None else rule
        return dataclasses.replace(self, asking=False, next_at=now + self.wait, wait=wait, refused=refused)

    def unknown(self, key_id: str, now: int) -> "State":
        """Sign no more with a session that the gateway does not know, and ask anew; one that came since stays."""
        if self.session is None or self.session.document.key_id != key_id or self.spoilt:
            return self
        return dataclasses.replace(self, spoilt=True, next_at=min(self.next_at, now))

    def over(self, now: int) -> contract.Rule | None:
        """Give the rule by which tunnels end now: the session is over, and the next one was refused for good."""
        if self.session is None or now < self.session.ends or self.refused not in FINAL:
            return None
        return self.refused
