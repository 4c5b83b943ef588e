"""Let bytes pass, one way of one connection, no further than they are reserved.

Bytes are reserved in pieces, ahead of their passing, and larger ones the faster they pass. Where nothing is there to be
reserved, the flow stands still until the ledger has answered; what is not used goes back when nothing passes any more.
"""

from collections.abc import Callable
from typing import Final

from zaum_api import contract, documents
from zaum_api.documents import synced
from zaum_egress import hosts
from zaum_watchdog.core import refusals
from zaum_watchdog.shell import clock, limits

LEAST: Final = synced.BYTES_LEAST
PIECE: Final = 64 * 1024
PIECE_MOST: Final = 1024 * 1024
LASTS: Final = 60 * limits.SECOND
STALE: Final = 10 * limits.SECOND
"""How long a piece is kept of which something passes now and then."""


class Flow:
    """One way of one connection."""

    __slots__ = (
        "_at", "_call", "_kind", "_left", "_limits", "_names", "_open", "_piece", "_refused", "_seen", "_since",
        "_size", "_then",
    )  # fmt: skip

    def __init__(
        self,
        shared: limits.Limits,
        at: hosts.Authority,
        kind: documents.Kind,
        refused: Callable[[refusals.Refusal], None],
    ) -> None:
        """Take whom to tell that no more may pass; in the mode Report it is told too, and all passes."""
        self._limits = shared
        self._at = at
        self._kind = kind
        self._refused = refused
        self._call = 0
        self._names: tuple[str, ...] = ()
        self._piece = 0
        self._left = 0
        self._seen = 0
        self._since = 0
        self._size = PIECE
        self._open = False
        self._then: Callable[[], None] | None = None

    def passes(self, size: int) -> bool:
        """Count bytes that pass at once, as most do; False: nothing is counted, and they are to go by `room`."""
        if size < self._left:
            self._left -= size
            return True
        return False

    def room(self, most: int) -> int:
        """Give how many bytes may pass now, at most `most`; 0: they are to `wait`."""
        if not self._left:
            self._renew()
        return min(self._left, most)

    def used(self, count: int) -> None:
        """Count bytes that pass: no more than there was room for."""
        self._left -= count
        if not self._left:
            self._settle()

    def wait(self, then: Callable[[], None]) -> None:
        """Call `then` once when there is room again; nothing is called after a refusal, nor after `close`."""
        if self._then is None:
            self._then = then
            self._ask(self._size)

    def _ask(self, size: int) -> None:
        self._names = self._limits.byte_meters(self._at.host.name, self._kind)
        self._piece = self._limits.piece(self._names, size)
        self._call = self._limits.number()
        amounts = dict.fromkeys(self._names, self._piece)
        self._limits.reserve(self._call, amounts, self._answered, at=self._at, until=clock.monotonic() + LASTS)

    def rest(self, now: int) -> None:
        """Give back what is reserved, if nothing has passed since the last look, or it is old."""
        if self._call and self._then is None and (self._left == self._seen or now - self._since > STALE):
            self._size = PIECE
            self._settle()
        self._seen = self._left

    def close(self) -> None:
        """End: give everything back."""
        if self._then is not None:
            self._then = None
            self._limits.give_up(self._call)
            self._call = 0
        else:
            self._settle()
        self._left = 0
        self._limits.flows.discard(self)

    def _renew(self) -> None:
        """Take another piece of what this pod holds; the ledger is not asked."""
        if self._then is not None:
            return
        names = self._names = self._limits.byte_meters(self._at.host.name, self._kind)
        if self._open or not names:
            self._left = PIECE_MOST
            return
        call = self._limits.number()
        size = self._limits.take(call, names, self._size, until=clock.monotonic() + LASTS)
        if size:
            self._granted(call, size)

    def _granted(self, call: int, size: int) -> None:
        self._call, self._piece, self._left = call, size, size
        self._seen = 0
        self._since = clock.monotonic()
        self._size = min(self._size * 2, PIECE_MOST)
        self._limits.flows.add(self)

    def _answered(self, refused: refusals.Refusal | None) -> None:
        call, self._call = self._call, 0
        if refused is not None and self._piece > LEAST and refused.rule is not contract.Rule.LEDGER_UNAVAILABLE:
            self._ask(LEAST)  # There may be somewhat less left.
            return
        then, self._then = self._then, None
        if refused is None:
            self._granted(call, self._piece)
        else:
            self._limits.unmet(refused)
            self._open = self._limits.reported(refused)
            self._refused(refused)
        if then is not None and (refused is None or self._open):
            then()

    def _settle(self) -> None:
        """Charge what has passed of the piece, and give back the rest."""
        call, self._call = self._call, 0
        if call:
            used, self._left = self._piece - self._left, 0
            self._limits.settle(call, dict.fromkeys(self._names, used))
            self._limits.flows.discard(self)
