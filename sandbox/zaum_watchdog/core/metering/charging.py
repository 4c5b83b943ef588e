"""Decide what a call is charged, by what it might have used at most and what its answer said.

Never less than what is proven; the worst case wherever there is a doubt; nothing only where the provider says that it
did not do it.
"""

from typing import Final, NamedTuple

from zaum_api import documents
from zaum_watchdog.core.metering import asked, prices, usage

_UNDONE: Final = frozenset({503, 529})
"""Server's errors that say that it did not begin: no capacity, overloaded."""
_MAYBE_DONE: Final = frozenset({408, 409, 499})
"""Client's errors that come after it may have begun: too late, a second one of the same, hung up."""


class Charge(NamedTuple):
    """What a call is charged. `cost` in micro-dollars. `doubt`: why it is the worst case; empty where it is not."""

    tokens: int
    cost: int
    doubt: str = ""


class Most(NamedTuple):
    """What is reserved for a call before it leaves."""

    tokens: int
    cost: int


def most(request: asked.Asked, output: int, price: documents.Price | None) -> Most:
    """Give what to reserve where no answer is longer than `output` tokens; without a price cost is not limited."""
    going_in = prices.input_most(request)
    answered = prices.output_most(request, output)
    return Most(going_in + answered, prices.cost_most(request, going_in, answered, price) if price is not None else 0)


def undone(status: int) -> bool:
    """Say whether an answer with this status says that the model was not asked."""
    return status in _UNDONE or (400 <= status < 500 and status not in _MAYBE_DONE)


def settle(reserved: Most, price: documents.Price | None, status: int, read: usage.Read) -> Charge:
    """Charge a call that was answered, or left and was not (status 0)."""
    said = Charge(read.used.tokens, prices.cost(read.used, price) if price is not None else 0)
    if undone(status):
        return said
    doubt = read.doubt or ("" if 200 <= status < 300 else "it did not end well")
    if not doubt:
        return said
    return Charge(max(reserved.tokens, said.tokens), max(reserved.cost, said.cost), doubt)
