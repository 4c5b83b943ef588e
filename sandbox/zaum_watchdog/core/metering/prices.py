"""What a call uses at most, and what tokens cost: in whole tokens and micro-dollars, rounded up.

Tokenisers reach one token per byte of text and never more; what the provider adds of its own (roles, instructions for
tools and for structured answers) is OVERHEAD, and an image is IMAGE however few bytes it has.
"""

from typing import Final, NamedTuple

from zaum_api import documents
from zaum_watchdog.core.metering import asked
from zaum_watchdog.core.metering.endpoints import Endpoint

OVERHEAD: Final = 2048
"""Tokens that a provider may add to what it is sent."""
IMAGE: Final = 50_000
"""Tokens of one image at most: the costliest model takes 48,169 for one in high detail."""
_MILLION: Final = 1_000_000
_EMBEDDINGS: Final = Endpoint.EMBEDDINGS


class Usage(NamedTuple):
    """Tokens of one call. `input` is new to the provider; `cached` it had; `written` and `written_long` it keeps."""

    input: int = 0
    cached: int = 0
    written: int = 0
    written_long: int = 0
    output: int = 0

    @property
    def tokens(self) -> int:
        """Count them all: what a limit of tokens counts."""
        return self.input + self.cached + self.written + self.written_long + self.output


def input_most(request: asked.Asked) -> int:
    """Give the tokens that a request has at most, before anything is answered."""
    return request.size - request.image_bytes + request.images * IMAGE + OVERHEAD


def output_most(request: asked.Asked, output: int) -> int:
    """Give the tokens of all answers together where none is longer than `output`."""
    return 0 if request.endpoint is _EMBEDDINGS else request.choices * output


def cost(used: Usage, price: documents.Price) -> int:
    """Give what tokens cost, in micro-dollars."""
    going_in, cached, written, written_long, output = used
    product = going_in * price.input + output * price.output
    if cached or written or written_long:
        product += cached * price.cached_input + written * price.cache_write
        if written_long:
            product += written_long * _long_write(price)
    return -(-product // _MILLION)


def cost_most(request: asked.Asked, going_in: int, output: int, price: documents.Price) -> int:
    """Give what so many tokens cost at most: any one of its input may be of the dearest sort."""
    return -(-(going_in * _input_price(request, price) + output * price.output) // _MILLION)


def output_affordable(
    request: asked.Asked, *, tokens: int | None, budget: int | None, price: documents.Price | None
) -> int:
    """Give how long each answer may get so that the call fits into `tokens` and into `budget` micro-dollars.

    None: not limited. Negative where the request alone does not fit. A budget without a price affords nothing.
    """
    going_in = input_most(request)
    room = asked.OUTPUT_MAX * request.choices
    if tokens is not None:
        room = min(room, tokens - going_in)
    if budget is not None:
        room = min(room, _room(request, going_in, budget, price))
    return room // request.choices


def _room(request: asked.Asked, going_in: int, budget: int, price: documents.Price | None) -> int:
    if price is None:
        return -1
    left = budget * _MILLION - going_in * _input_price(request, price)
    if left < 0:
        return -1
    return left // price.output if price.output else asked.OUTPUT_MAX * request.choices


def _input_price(request: asked.Asked, price: documents.Price) -> int:
    dearest = max(price.input, price.cached_input, price.cache_write)
    return max(dearest, _long_write(price)) if request.long_cache else dearest


def _long_write(price: documents.Price) -> int:
    """Price an entry that lives for an hour: twice the input's price, where one of five minutes is 5/4 of it."""
    return max(2 * price.input, -(-8 * price.cache_write // 5))
