"""Orders for a policy's pods, and the polls that wait for them."""

import asyncio
from collections import defaultdict
from typing import Final

from zaum_api import documents

KEPT: Final = documents.ORDERS_MAX
"""Of a policy; older ones have been heard or overtaken."""


class Board:
    """Orders by policy (`namespace/policy`), in memory: who gives an order gives it again until it is confirmed."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[documents.Order, ...]] = {}
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def post(self, key: str, order: documents.Order) -> None:
        """Put up an order, which has the highest number yet, and wake those who wait."""
        self._orders[key] = (*self._orders.get(key, ()), order)[-KEPT:]
        for future in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(None)

    def release(self) -> None:
        """Let all polls go, for the end."""
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    def after(self, key: str, number: int) -> documents.Orders:
        """Give the orders after a number."""
        return documents.Orders(tuple(order for order in self._orders.get(key, ()) if order.number > number))

    async def wait(self, key: str, number: int, seconds: float = documents.ORDERS_WAIT_SECONDS) -> documents.Orders:
        """Give the orders after a number as soon as there are some, or none after some seconds."""
        found = self.after(key, number)
        if found.orders:
            return found
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[key].add(future)
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[key]
        return self.after(key, number)
