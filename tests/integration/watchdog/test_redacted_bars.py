"""What redaction may cost: the time for which a body of 1 MiB holds the event loop, asked and answered.

The bodies are those that are meant to hold it up. See test_loop for what is measured, and why the best of three counts.
"""

import contextlib
import dataclasses
import http.client

import pytest

from tests.integration.watchdog import conftest, metering, test_loop, upstream
from tests.integration.watchdog.test_routes import api, gateway
from tests.redaction import bodies, stalls
from tests.support.authority import Authority
from zaum_api import documents
from zaum_watchdog.core.redaction.redactor import Format

__all__ = ["api", "gateway"]

MIB = 1 << 20
CASES = stalls.cases(MIB)
TYPES = {Format.TEXT: "text/plain", Format.JSON: "application/json", Format.EVENTS: "text/event-stream"}
NAMED = bodies.every(bodies.TOKENISE)
TRIES = 3
PATIENCE = 30.0
"""Seconds for work that waits for a core as often as the machine is busy."""


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    route = dataclasses.replace(
        metering.OPENAI, name="plain", api="HTTP", redact=documents.Redaction(NAMED, NAMED), prices=()
    )
    return dataclasses.replace(config, routes=(route,), upstream_ca_pem=authority.pem)


def held(start: conftest.Start, api: upstream.Upstream, name: str) -> float:
    """Ask with the body and be answered with the same one; give the seconds for which the loop was held."""
    form, body = CASES[name]

    def answer(asked: upstream.Asked) -> None:
        asked.send(
            f"HTTP/1.1 200 OK\r\ncontent-type: {TYPES[form]}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        )

    api.answer = answer
    watchdog = start(arguments=test_loop.HEARTBEAT)
    asking = http.client.HTTPConnection("127.0.0.1", watchdog.routes, timeout=PATIENCE)
    with contextlib.closing(asking):
        asking.request("POST", "/plain/chat/completions", body, {"content-type": TYPES[form]})
        answered = asking.getresponse()
        answered.read()
    assert answered.status == 200
    assert ("request" in watchdog.record("request").get("redacted", {})) == (api.asked[-1].body != body)
    return watchdog.metric("zaum_loop_held_max_seconds")


@pytest.mark.parametrize("name", CASES)
def test_a_mebibyte_that_is_redacted_does_not_hold_the_event_loop(
    start: conftest.Start, api: upstream.Upstream, name: str
) -> None:
    took = []
    for _ in range(TRIES):
        took.append(held(start, api, name))
        if took[-1] <= test_loop.HELD_MAX_SECONDS:
            return
    pytest.fail(f"held for {took} s")
