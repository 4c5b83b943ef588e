"""The only place that reads a clock or throws dice."""

import asyncio
import secrets
import time
from datetime import UTC, datetime


class Clock:
    """Wall time for what people read and pods carry, monotonic seconds for pauses, and fresh digits for names."""

    def now(self) -> datetime:
        """Give the wall time."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Give monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def digits(self, count: int) -> str:
        """Give fresh lower-case hex digits."""
        return secrets.token_hex(count)[:count]

    def fraction(self) -> float:
        """Give a random fraction from 0 up to 1, for jitter."""
        return secrets.randbelow(1_000_000) / 1_000_000
