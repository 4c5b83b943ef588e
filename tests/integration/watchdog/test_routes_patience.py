"""What is never waited for too long on routes: slow heads, bodies and readers, silent upstreams, idle connections."""

import asyncio
import dataclasses
import os
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.watchdog import test_patience
from zaum_api import documents
from zaum_egress import hosts
from zaum_watchdog.core import exchanges, policy
from zaum_watchdog.core.exchanges import SECOND, Phase
from zaum_watchdog.shell import clock, files, hop, log, route_side, routes, upstream, watch

SERVICE = documents.Route(
    "web", "web.tools.svc.cluster.local", 80, "", (documents.Allowed(("GET", "POST"), "/*"),), None, False, True
)


class Way(hop.Hop):
    """Dials for ever, unless a test says that it stands."""

    def __init__(self) -> None:
        self.dialled: list[upstream.Connection] = []
        self.secure: list[bool] = []

    @property
    def usable(self) -> bool:
        return True

    @property
    def limits(self) -> Any:
        return types.SimpleNamespace(on=False)

    def dial(self, upstream: Any, failed: Any, *, secure: bool = False) -> None:
        self.dialled.append(upstream)
        self.secure.append(secure)

    def say(self, authority: hosts.Authority, over: Any) -> None:
        over.write(b"CONNECT " + authority.host.name.encode() + b"\r\n\r\n")

    def distrusted(self, over: Any, rule: Any) -> bool:
        return False

    def stands(self) -> test_patience.Wire:
        """Let the last connection stand, up to the upstream."""
        made = test_patience.Wire()
        self.dialled[-1].connection_made(made)  # type: ignore[arg-type]
        self.dialled[-1].data_received(b"HTTP/1.1 200 OK\r\n\r\n")
        return made


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def way() -> Way:
    return Way()


@pytest.fixture
def shared(
    config: documents.WatchdogConfig, loop: asyncio.AbstractEventLoop, way: Way, tmp_path: Path
) -> Iterator[routes.Routes]:
    ruled = policy.Policy.of(dataclasses.replace(config, routes=(SERVICE,)))
    reading, writing = os.pipe()
    token = files.TokenFile(tmp_path / "token")
    yield routes.Routes(
        watch.Watch(loop, ruled, token, log.Log(loop, writing), tmp_path / "last-word"), way, tmp_path / "credentials"
    )
    os.close(reading)
    os.close(writing)


@pytest.fixture
def side(shared: routes.Routes) -> route_side.RouteSide:
    made = shared.accept()
    made.connection_made(test_patience.Wire())  # type: ignore[arg-type]
    return made


def used(side: route_side.RouteSide) -> test_patience.Wire:
    found: Any = side.transport
    return found  # type: ignore[no-any-return]


GET = b"GET /web/x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /web/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


def expires(side: route_side.RouteSide, phase: Phase) -> None:
    """See that a phase lasts as long as it may, and no longer."""
    assert side.phase is phase
    before = (used(side).written, [*used(side).calls])
    side.expire(clock.monotonic() + exchanges.PATIENCE[phase] - SECOND)
    assert (used(side).written, used(side).calls) == before
    side.expire(clock.monotonic() + exchanges.PATIENCE[phase] + SECOND)


def test_an_idle_connection_is_closed_without_a_word(side: route_side.RouteSide) -> None:
    expires(side, Phase.IDLE)
    assert (used(side).written, used(side).calls) == (b"", ["close"])


def test_a_slow_head_is_refused_and_more_of_it_gains_no_time(side: route_side.RouteSide) -> None:
    side.data_received(b"GET /web")
    since = clock.monotonic()
    side.data_received(b"/x")
    side.expire(since + exchanges.PATIENCE[Phase.HEAD] + 1)
    assert used(side).written.startswith(b"HTTP/1.1 400 ")
    assert b"request.malformed" in used(side).written


def test_an_upstream_that_cannot_be_reached_is_given_up(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    expires(side, Phase.DIALLING)
    assert used(side).written.startswith(b"HTTP/1.1 503 ")
    assert way.dialled[0].stage is upstream.Stage.GONE


def test_plain_http_goes_by_tls_to_the_gateway(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    assert way.secure == [True]
    assert way.stands().written == (
        b"CONNECT web.tools.svc.cluster.local\r\n\r\nGET /x HTTP/1.1\r\nhost: web.tools.svc.cluster.local\r\n\r\n"
    )


def test_a_slow_body_is_refused(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(POST)
    made = way.stands()
    side.data_received(b"12345")
    side.expire(clock.monotonic())
    expires(side, Phase.ASKING)
    assert used(side).written.startswith(b"HTTP/1.1 400 ")
    assert made.calls[-1] == "close"


def test_a_body_that_the_upstream_does_not_take_is_not_held_against_the_agent(
    side: route_side.RouteSide, way: Way
) -> None:
    side.data_received(POST)
    way.stands()
    way.dialled[-1].pause_writing()
    expires(side, Phase.ASKING)
    assert used(side).written.startswith(b"HTTP/1.1 503 ")
    assert b"gateway.upstreamUnavailable" in used(side).written


def test_a_body_that_drips_is_refused_in_the_end(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(POST.replace(b"10", b"99"))
    way.stands()
    started = clock.monotonic()
    for seconds in range(0, 900, 50):
        side.data_received(b"x")
        side.expire(started + seconds * SECOND)
        assert (used(side).written == b"") == (seconds < 650), "a drip is as good as silence from 600 s on"
    assert used(side).written.startswith(b"HTTP/1.1 400 ")


def test_a_model_may_think_for_minutes_but_not_for_ever(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    way.stands()
    assert exchanges.PATIENCE[Phase.THINKING] >= 600 * SECOND
    expires(side, Phase.THINKING)
    assert b"gateway.upstreamUnavailable" in used(side).written


def test_an_answer_that_stops_is_cut(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    way.stands()
    way.dialled[0].data_received(ANSWER + b"12345")
    side.expire(clock.monotonic())
    expires(side, Phase.ANSWERED)
    assert used(side).calls == ["reset"]


def test_a_reader_that_stops_is_cut_and_stops_the_upstream_before(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    made = way.stands()
    way.dialled[0].data_received(ANSWER + b"12345")
    side.pause_writing()
    assert made.calls == ["pause_reading"]
    side.expire(clock.monotonic() + exchanges.UNTAKEN - SECOND)
    assert used(side).calls == []
    side.expire(clock.monotonic() + exchanges.UNTAKEN + SECOND)
    assert used(side).calls == ["reset"]


def test_a_reader_that_is_slow_is_not_taken_for_one_that_stops(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    way.stands()
    way.dialled[-1].data_received(ANSWER + b"12345")
    side.pause_writing()
    now = clock.monotonic()
    for left in (900, 600, 300):
        used(side).left = left
        now += exchanges.UNTAKEN - SECOND
        side.expire(now)
    assert "reset" not in used(side).calls
    side.expire(now + exchanges.UNTAKEN + SECOND)
    assert used(side).calls[-1] == "reset"


def test_a_reader_that_goes_on_is_given_the_rest(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    made = way.stands()
    way.dialled[0].data_received(ANSWER + b"12345")
    side.pause_writing()
    side.resume_writing()
    assert made.calls == ["pause_reading", "resume_reading"]
    side.expire(clock.monotonic() + exchanges.UNTAKEN + SECOND)
    way.dialled[0].data_received(b"67890")
    assert used(side).written.endswith(b"1234567890")
    assert side.phase is Phase.IDLE


def test_the_rest_of_a_last_answer_is_waited_for_as_long_as_it_is_being_taken(side: route_side.RouteSide) -> None:
    side.data_received(b"POST /web/x HTTP/1.0\r\n\r\n")
    now = clock.monotonic() + exchanges.PATIENCE[Phase.ENDED] + SECOND
    for left in (900, 600, 300):
        used(side).left = left
        side.expire(now)
        now += exchanges.UNTAKEN
    assert used(side).calls == ["write_eof"]
    side.expire(now + SECOND)
    assert used(side).calls[-1] == "reset", "nothing was taken for too long"


def test_an_agent_that_has_got_everything_is_not_waited_for(side: route_side.RouteSide) -> None:
    side.data_received(b"POST /web/x HTTP/1.0\r\n\r\n")
    expires(side, Phase.ENDED)
    assert used(side).calls[-1] == "reset"


def test_a_kept_connection_is_closed_after_its_time(
    side: route_side.RouteSide, shared: routes.Routes, way: Way
) -> None:
    side.data_received(GET)
    made = way.stands()
    way.dialled[0].data_received(ANSWER + b"1234567890")
    shared.expire(clock.monotonic() + exchanges.POOL_IDLE - SECOND)
    assert made.calls == []
    shared.expire(clock.monotonic() + exchanges.POOL_IDLE + SECOND)
    assert made.calls == ["close"]
    side.data_received(GET)
    assert len(way.dialled) == 2


def test_bytes_on_a_kept_connection_end_it(side: route_side.RouteSide, way: Way) -> None:
    side.data_received(GET)
    made = way.stands()
    way.dialled[0].data_received(ANSWER + b"1234567890")
    way.dialled[0].data_received(ANSWER + b"forged....")
    assert made.calls == ["close"]
    side.data_received(GET)
    assert len(way.dialled) == 2


def test_a_gateway_that_hangs_up_without_an_answer_is_asked_again_and_not_for_ever(
    side: route_side.RouteSide, way: Way
) -> None:
    side.data_received(GET)
    for number in (1, 2, 3):
        assert len(way.dialled) == number
        way.dialled[-1].connection_made(test_patience.Wire())  # type: ignore[arg-type]
        assert used(side).written == b""
        way.dialled[-1].connection_lost(None)
    assert len(way.dialled) == 3
    assert b"gateway.unavailable" in used(side).written


def test_what_comes_before_its_turn_is_held_up_to_a_bound(side: route_side.RouteSide) -> None:
    side.data_received(GET)
    side.data_received(GET + b"x" * 60_000)
    assert used(side).calls == []
    side.data_received(b"x" * 10_000)
    assert used(side).calls == ["pause_reading"]


def test_an_agent_that_hangs_up_frees_its_place_and_the_upstream(
    side: route_side.RouteSide, shared: routes.Routes, way: Way
) -> None:
    side.data_received(GET)
    made = way.stands()
    assert shared.live == 1
    side.connection_lost(None)
    assert (shared.live, made.calls) == (0, ["close"])
