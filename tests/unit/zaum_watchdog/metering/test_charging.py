"""What calls cost at most, and what they are charged: never less than is proven, never nothing for a doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zaum_watchdog.metering import reading
from zaum_api import documents
from zaum_watchdog.core.metering import asked, charging, prices, usage
from zaum_watchdog.core.metering.endpoints import Endpoint

PRICE = documents.Price(model="m", input=250_000, cached_input=25_000, cache_write=312_500, output=2_000_000)
"""A quarter of a dollar for a million tokens in, two for a million out."""


def request(endpoint: Endpoint = Endpoint.CHAT, *, size: int = 300, choices: int = 1, images: int = 0) -> asked.Asked:
    return asked.Asked(endpoint, "m", size, choices=choices, images=images, image_bytes=images * 10)


def test_the_worst_case_is_every_byte_a_token_and_every_answer_as_long_as_it_may_be() -> None:
    assert prices.input_most(request(size=300, choices=3)) == 300 + prices.OVERHEAD
    assert prices.output_most(request(size=300, choices=3), 1000) == 3000
    assert prices.input_most(request(images=2, size=320)) == 300 + 2 * prices.IMAGE + prices.OVERHEAD
    assert prices.output_most(request(Endpoint.EMBEDDINGS), 1000) == 0


def test_cost_is_in_micro_dollars_and_rounded_up() -> None:
    assert prices.cost(prices.Usage(input=1_000_000), PRICE) == 250_000
    assert prices.cost(prices.Usage(cached=1_000_000), PRICE) == 25_000
    assert prices.cost(prices.Usage(written=1_000_000), PRICE) == 312_500
    assert prices.cost(prices.Usage(written_long=1_000_000), PRICE) == 500_000
    assert prices.cost(prices.Usage(output=1_000_000), PRICE) == 2_000_000
    assert prices.cost(prices.Usage(cached=1), PRICE) == 1
    assert prices.cost(prices.Usage(), PRICE) == 0


TOKENS = st.integers(0, 3000)


@st.composite
def within(draw: st.DrawFn) -> tuple[asked.Asked, int, prices.Usage]:
    """Draw a request, how long its answers may be, and a use that keeps to both."""
    found = request(size=draw(st.integers(20, 3000)), choices=draw(st.integers(1, 4)), images=draw(st.integers(0, 2)))
    output, long = draw(st.integers(1, 2000)), draw(st.booleans())
    found = asked.Asked(found.endpoint, "m", found.size, choices=found.choices, long_cache=long)
    bounds = sorted(draw(st.lists(st.integers(0, prices.input_most(found)), min_size=3, max_size=3)))
    parts = [bounds[0], bounds[1] - bounds[0], bounds[2] - bounds[1], prices.input_most(found) - bounds[2]]
    written_long = parts[3] if long else 0
    used = prices.Usage(parts[0], parts[1], parts[2], written_long, draw(st.integers(0, found.choices * output)))
    return found, output, used


PRICES = st.builds(documents.Price, st.just("m"), TOKENS, TOKENS, TOKENS, TOKENS)


@given(within(), PRICES)
def test_i07_no_use_within_a_request_costs_more_than_was_reserved(
    case: tuple[asked.Asked, int, prices.Usage], price: documents.Price
) -> None:
    found, output, used = case
    reserved = charging.most(found, output, price)
    assert used.tokens <= reserved.tokens
    assert prices.cost(used, price) <= reserved.cost


@given(within(), PRICES, st.integers(0, 20_000), st.integers(0, 50_000))
def test_i07_what_is_affordable_fits_and_one_token_more_does_not(
    case: tuple[asked.Asked, int, prices.Usage], price: documents.Price, tokens: int, budget: int
) -> None:
    found = case[0]
    output = prices.output_affordable(found, tokens=tokens, budget=budget, price=price)
    if output < 0:
        least = charging.most(found, 0, price)
        assert least.tokens > tokens or least.cost > budget
        return
    fits, over = charging.most(found, output, price), charging.most(found, output + 1, price)
    assert fits.tokens <= tokens
    assert fits.cost <= budget
    assert over.tokens > tokens or over.cost > budget or output == asked.OUTPUT_MAX


def test_what_is_not_limited_affords_all_and_a_budget_without_a_price_nothing() -> None:
    assert prices.output_affordable(request(), tokens=None, budget=None, price=None) == asked.OUTPUT_MAX
    assert prices.output_affordable(request(), tokens=None, budget=10**9, price=None) < 0
    free = documents.Price("m", 0, 0, 0, 0)
    assert prices.output_affordable(request(), tokens=None, budget=0, price=free) == asked.OUTPUT_MAX


SAID = usage.Read(prices.Usage(input=100, output=20))
NOTHING = usage.Read(prices.Usage(), "no usage was said")
DOUBTED = usage.Read(prices.Usage(input=100, output=20), "the total is less than its parts")
BEYOND = usage.Read(prices.Usage(input=50_000), "no output was said")
WHOLE = (reading.RESERVED.tokens, reading.RESERVED.cost)


@pytest.mark.parametrize(
    ("status", "read", "expected"),
    [
        (200, SAID, (120, 65)),
        (200, NOTHING, WHOLE),
        (200, DOUBTED, WHOLE),
        (200, BEYOND, (50_000, 500_000)),
        (200, usage.Read(prices.Usage(input=90_000, output=1)), (90_001, 22_502)),
        (0, NOTHING, WHOLE),
        (500, NOTHING, WHOLE),
        (502, NOTHING, WHOLE),
        (504, SAID, WHOLE),
        (408, NOTHING, WHOLE),
        (302, NOTHING, WHOLE),
        (400, NOTHING, (0, 0)),
        (401, NOTHING, (0, 0)),
        (429, NOTHING, (0, 0)),
        (503, NOTHING, (0, 0)),
        (529, NOTHING, (0, 0)),
        (429, DOUBTED, (120, 65)),
    ],
)
def test_i07_a_doubt_costs_the_worst_case_and_a_proof_costs_what_it_proves(
    status: int, read: usage.Read, expected: tuple[int, int]
) -> None:
    charged = charging.settle(reading.RESERVED, PRICE, status, read)
    assert (charged.tokens, charged.cost) == expected
    assert bool(charged.doubt) == (status in {0, 302, 408, 500, 502, 504} or (status == 200 and bool(read.doubt)))


def test_without_a_price_nothing_is_said_of_cost() -> None:
    assert charging.settle(charging.most(request(), 10, None), None, 200, SAID) == charging.Charge(120, 0)
