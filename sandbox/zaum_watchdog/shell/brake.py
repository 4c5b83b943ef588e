"""Stop reading from a connection for one or several reasons at once."""

from enum import IntFlag
from typing import Protocol


class Reads(Protocol):
    """A transport, as far as it reads."""

    def pause_reading(self) -> None:
        """Take no more bytes."""

    def resume_reading(self) -> None:
        """Take bytes again."""


class Why(IntFlag):
    """Why a side is not read."""

    NONE = 0
    OTHER_SIDE = 1
    """The other side has not taken yet what came."""
    LATER = 2
    """What came is still being taken apart."""
    HELD = 4
    """What came cannot be used yet."""
    SEALED = 8
    """What came is still being decrypted."""
    READING = 16
    """What came is still being read."""
    ROOM = 32
    """There is no memory for what would come."""
    LIMITED = 64
    """What came may not pass yet."""


class Brake:
    """Reads as long as there is no reason not to."""

    __slots__ = ("_transport", "_why")

    def __init__(self, transport: Reads) -> None:
        self._transport = transport
        self._why = Why.NONE

    @property
    def why(self) -> Why:
        """Say why the side is not read, NONE while it is."""
        return self._why

    def pull(self, why: Why) -> None:
        """Stop for this reason."""
        if not self._why:
            self._transport.pause_reading()
        self._why |= why

    def release(self, why: Why) -> None:
        """Take back this reason."""
        if not self._why:
            return  # As nearly always; to reckon with flags takes long.
        self._why &= ~why
        if not self._why:
            self._transport.resume_reading()
