"""RateLimit headers as the draft writes them."""

import re

import pytest

from zaum_api import documents
from zaum_api.documents import Kind, Window
from zaum_watchdog.core.metering import ratelimit
from zaum_watchdog.core.metering.ratelimit import State, told

REQUESTS = documents.Meter("policy", Kind.REQUESTS, Window.MINUTE, 60, 10)
TOKENS = documents.Meter("route/openai", Kind.TOKENS, Window.DAY, 2_000_000)
COST = documents.Meter("policy", Kind.COST, Window.DAY, 10_000_000)
PLACES = documents.Meter("policy", Kind.CONNECTIONS, Window.NOW, 32)
BYTES = documents.Meter("host/*.example", Kind.BYTES_OUT, Window.HOUR, 2**53)


def test_policies_say_what_may_be_used_over_which_time() -> None:
    meters = (REQUESTS, TOKENS, COST, PLACES, BYTES)
    assert ratelimit.policies([State(told(meter), 1, 1) for meter in meters]) == (
        '"policy:requests/minute";q=60;w=60, "route/openai:tokens/day";q=2000000;w=86400;qu="tokens", '
        '"policy:cost/day";q=10000000;w=86400;qu="micro-dollars", '
        '"policy:connections/now";q=32;qu="concurrent-requests", '
        '"host/*.example:bytesOut/hour";q=999999999999999;w=3600;qu="content-bytes"'
    )


def test_limits_say_what_is_left_and_for_how_long() -> None:
    assert ratelimit.limits(
        [State(told(REQUESTS), 3, 10, 60), State(told(TOKENS), -5, 9, 100), State(told(PLACES), 2, 32)]
    ) == ('"policy:requests/minute";r=3;t=60, "route/openai:tokens/day";r=0;t=100, "policy:connections/now";r=2')


@pytest.mark.parametrize(
    ("left", "warned"),
    [
        (10_000_000, ""),
        (2_000_001, ""),
        (2_000_000, "policy:cost/day 80%"),
        (0, "policy:cost/day 100%"),
        (-9, "policy:cost/day 100%"),
    ],
)
def test_a_warning_comes_at_four_fifths(left: int, warned: str) -> None:
    assert ratelimit.warning([State(told(COST), left, COST.limit)]) == warned


def test_a_limit_of_nothing_is_all_used() -> None:
    nothing = documents.Meter("policy", Kind.COST, Window.DAY, 0)
    assert ratelimit.warning([State(told(nothing), 0, 0)]) == "policy:cost/day 100%"


def test_they_are_lists_of_strings_with_parameters() -> None:
    item = r'"[ -!#-\[\]-~]+"(;[a-z]+=([0-9]{1,15}|"[ -!#-\[\]-~]+"))+'
    states = [State(told(REQUESTS), 1, 10, 5), State(told(TOKENS), 2, 9), State(told(BYTES), 2**60, 2**60, 9)]
    for value in (ratelimit.policies(states), ratelimit.limits(states)):
        assert re.fullmatch(f"{item}(, {item})*", value)


def test_the_headers_are_written_whole() -> None:
    states = [State(told(REQUESTS), 1, 10, 60), State(told(COST), 2_000_000, 10_000_000)]
    policy = b'"policy:requests/minute";q=60;w=60, "policy:cost/day";q=10000000;w=86400;qu="micro-dollars"'
    assert ratelimit.lines(states) == [
        b"ratelimit-policy: " + policy,
        b'ratelimit: "policy:requests/minute";r=1;t=60, "policy:cost/day";r=2000000',
        b"x-zaum-warning: policy:requests/minute 90%, policy:cost/day 80%",
    ]


def test_without_a_warning_there_is_no_header_of_it_and_without_meters_there_is_none() -> None:
    assert len(ratelimit.lines([State(told(COST), 9_000_000, 10_000_000)])) == 2
    assert ratelimit.lines([]) == []


def test_a_small_burst_that_is_all_there_is_not_used() -> None:
    assert ratelimit.warning([State(told(REQUESTS), 10, 10, 60)]) == ""
