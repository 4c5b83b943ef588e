"""The polls that wait for a policy's orders, and the orders as they were last seen in its account."""

import asyncio
from collections import defaultdict
from collections.abc import Container, Mapping

from zaum_api import documents
from zaum_ledger.core import standing


class Board:
    """Orders by policy (`namespace/policy`). The account holds them; here stands what was last read of it."""

    def __init__(self) -> None:
        self._orders: dict[str, standing.Orders] = {}
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._over = False

    def show(self, key: str, orders: standing.Orders, *, looked: bool = False) -> None:
        """Put up what stands for a policy now, and wake those who wait where that is something else.

        `looked`: it was read a while ago, beside the writer, and counts only if it is newer than what stands here.
        """
        stands = self._orders.get(key, ())
        if stands == orders or (looked and _newest(orders) <= _newest(stands)):
            return
        if orders:
            self._orders[key] = orders
        else:
            self._orders.pop(key, None)
        for future in self._waiting.get(key, ()):
            if not future.done():
                future.set_result(None)

    def shown(self) -> Mapping[str, standing.Orders]:
        """Give all that stands here now."""
        return dict(self._orders)

    def forget(self, stood: Mapping[str, standing.Orders], known: Container[str]) -> None:
        """Take down what stood here when a look began that found no such policy, unless it has changed meanwhile."""
        for key, orders in stood.items():
            if key not in known and self._orders.get(key) == orders:
                del self._orders[key]

    def release(self) -> None:
        """Let all polls go, for the end."""
        self._over = True
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    def after(self, key: str, pod: str, number: int) -> documents.Orders:
        """Give a pod's orders after a number."""
        found = standing.for_pod(self._orders.get(key, ()), pod)
        return documents.Orders(tuple(order for order in found if order.number > number))

    async def wait(
        self, key: str, pod: str, number: int, seconds: float = documents.ORDERS_WAIT_SECONDS
    ) -> documents.Orders:
        """Give a pod's orders after a number as soon as there are some, or none after some seconds."""
        until = asyncio.get_running_loop().time() + seconds
        while not (found := self.after(key, pod, number)).orders:
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or self._over:
                break
            await self._change(key, left)
        return found

    async def _change(self, key: str, seconds: float) -> None:
        """Wait for a change of a policy's orders."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[key].add(future)
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            self._waiting[key].discard(future)
            if not self._waiting[key]:
                del self._waiting[key]


def _newest(orders: standing.Orders) -> int:
    return max((order.number for order in orders), default=0)
