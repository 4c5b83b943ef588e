"""Keep the process small and level: what Python and asyncio hold longer, or larger, than this process needs."""

import gc
from asyncio import sslproto
from typing import Final

COLLECT_AFTER: Final = (5_000, 4, 2)
"""One parsed answer makes thousands of dicts and lists, which all go by themselves when it is done with: at the usual
700 they are walked many times for nothing. But kopf ties each event into a cycle, with the whole object in it: what is
seldom collected piles up to megabytes, and the allocator seldom gives a peak back. What lives on is little, so the
longest walk stays below some 10 ms."""
TLS_BUFFER: Final = 32 * 1024
"""Bytes that a connection takes from its socket at once: two records of TLS. It holds a buffer of this size, and one
for the most that has ever come at once, for as long as it lives; asyncio's own 256 KiB are for a few connections."""


def settle() -> None:
    """Arrange all of it: after the imports, before the loop. Connections that are open already stay as they are."""
    sslproto.SSLProtocol.max_size = TLS_BUFFER
    gc.collect()
    # What the imports made stays for good: the collector need not walk it again, with the loop stopped.
    gc.freeze()
    # It walks everything only when a quarter as much is new as there was at the last time: that is nothing now.
    gc.collect()
    gc.set_threshold(*COLLECT_AFTER)
