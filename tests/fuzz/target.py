"""What is fuzzed: a check that takes any bytes, and what bytes that come near something look like."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Target:
    """`check` raises for bytes that show a defect, and depends on nothing but these bytes."""

    name: str
    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    """Good ones and bad ones, from which mutation starts."""
    words: tuple[bytes, ...]
    """What means something there."""
    drawn: st.SearchStrategy[bytes]
    """Whole inputs with the structure that mutation finds only by luck."""


def cut(data: bytes) -> int:
    """Give a place to cut the data at, anywhere in it, always the same for the same data."""
    return zlib.crc32(data) % (len(data) + 1)


def joined(words: tuple[bytes, ...], *, most: int = 8) -> st.SearchStrategy[bytes]:
    """Draw words and other bytes in a row."""
    piece = st.one_of(st.sampled_from(words), st.binary(max_size=3))
    return st.lists(piece, max_size=most).map(b"".join)
