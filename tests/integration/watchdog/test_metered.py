"""Metered calls: what the watchdog charges is what the provider's books say, and never less."""

import contextlib
import dataclasses
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.cluster.world import provider
from tests.cluster.world.provider import Fault
from tests.integration.watchdog import conftest, metering, rig, upstream, world
from tests.integration.watchdog.test_routes import api
from tests.support.authority import Authority
from zaum_api import contract, documents

__all__ = ["api"]


@pytest.fixture
def ledger(authority: Authority) -> Iterator[metering.Ledger]:
    running = metering.Ledger(authority.server(contract.LEDGER_TLS_NAME))
    yield running
    running.server.close()


@pytest.fixture
def gateway(authority: Authority, api: upstream.Upstream, ledger: metering.Ledger) -> Iterator[metering.Gateway]:
    running = metering.Gateway(authority.server(contract.GATEWAY_TLS_NAME), api)  # type: ignore[arg-type]  # its port counts
    running.ledger = ledger
    yield running
    running.server.close()


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    return dataclasses.replace(
        config,
        routes=(metering.OPENAI, metering.ANTHROPIC),
        upstream_ca_pem=authority.pem,
        limits=metering.limits((*metering.TOKENS_DAY, 50_000_000), (*metering.COST_DAY, 2_000_000_000)),
        ledger=documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, authority.pem),
    )


@pytest.fixture
def watchdog(start: conftest.Start, files: rig.Files) -> rig.Watchdog:
    return started(start, files)


def started(start: conftest.Start, files: rig.Files, **changes: object) -> rig.Watchdog:
    """Start one that the ledger has answered."""
    token = files.directory / "ledger-token"
    token.write_text("ledger-token-1")
    watchdog = start(arguments=("--ledger-token", str(token)), **changes)
    watchdog.record("ledger")
    return watchdog


@pytest.fixture
def books(api: upstream.Upstream) -> metering.Provider:
    return metering.Provider(api)


KINDS = [
    (kind, stream)
    for kind, stream in itertools.product(metering.PATHS, (False, True))
    if not (kind == "embeddings" and stream)
]
NEVER_GZIPPED = "the watchdog asks for no coding, but an upstream may use one"


@pytest.mark.parametrize(("kind", "stream"), KINDS)
def test_i07_each_call_is_charged_what_the_provider_charges_and_never_less(
    watchdog: rig.Watchdog, books: metering.Provider, ledger: metering.Ledger, kind: str, stream: bool
) -> None:
    done_all = []
    for fault, say in itertools.product(Fault, ("1", "40")):
        raw = metering.body(kind, **({"stream": True} if stream else {}))
        metering.call(watchdog, kind, raw=raw, x_fault=fault.value, x_say=say)
        done = watchdog.record("request")
        done_all.append(done)
        used = books.used.pop()
        assert not books.used, "one call, once"
        said = (fault, done["doubt"])
        if fault in provider.ENDS_WELL:
            assert (done["tokens"], done["cost"], done["doubt"]) == (used.tokens, metering.cost(used), ""), said
        else:
            assert done["doubt"], said
            assert done["tokens"] >= max(used.tokens, done["reservedTokens"]), said
            assert done["cost"] >= max(metering.cost(used), done["reservedCost"]), said
        assert done["reservedTokens"] >= used.tokens
        assert done["model"] == "world-1"
    charged = sum(each["tokens"] for each in done_all), sum(each["cost"] for each in done_all)
    watchdog.stop()
    assert (ledger.spent("policy:tokens/day"), ledger.spent("policy:cost/day")) == charged
    assert (ledger.counters.tokens, ledger.counters.cost) == charged
    assert not [found for found in watchdog.drained() if found["kind"] == "request"], "exactly one record for each"


# What leaves, and what comes back.


def test_what_a_request_does_not_say_is_put_in_and_the_rest_leaves_as_it_came(
    watchdog: rig.Watchdog, books: metering.Provider, api: upstream.Upstream
) -> None:
    raw = b' {"x":1,"messages":[{"role":"user","content":"\\u00fc \xc3\xbc"}] , "model":"world-1","stream":true}'
    refused = metering.call(watchdog, "chat", raw=raw)
    assert refused is not None
    assert (refused.status, refused.rule, refused.json["error"]["param"]) == (400, "limits.unpriced", "x")
    raw = raw.replace(b'"x":1', b'"temperature":1.0')
    answer = metering.call(watchdog, "chat", raw=raw, accept_encoding="gzip")
    assert answer is not None
    assert answer.status == 200
    inserted = b'"max_completion_tokens":4096,"stream_options":{"include_usage":true},'
    assert api.asked[-1].body == raw.replace(b"{", b"{" + inserted, 1)
    assert api.asked[-1].header("content-length") == [str(len(api.asked[-1].body))]
    assert api.asked[-1].header("accept-encoding") == ["identity"]
    assert len(api.asked) == 1, "what is refused does not leave"
    assert (watchdog.record("request")["maxOutput"], books.used[0].output) == (4096, provider.WORDS)


@pytest.mark.parametrize(
    ("asked", "status", "rule"),
    [
        (({"content_type": "text/plain"}, b"{}"), 415, "request.contentType"),
        (({"content_encoding": "gzip"}, b"{}"), 415, "request.contentType"),
        (({}, b"[" * 100_000), 400, "request.malformed"),
        (({}, b'{"model":"world-1","messages":[' + b"[" * 64), 400, "request.malformed"),
        (({}, b'{"model":"world-1","model":"world-2"}'), 400, "request.malformed"),
        (({}, b'{"model":"world-1"'), 400, "request.malformed"),
        (({}, b""), 400, "request.malformed"),
        (({}, b'{"model":"world-1","input":"\xff"}'), 400, "request.malformed"),
        (({}, b'{"model":"none","messages":[]}'), 403, "limits.priceMissing"),
        (({}, b" " * (10 * 1024 * 1024 + 1)), 413, "request.tooLarge"),
    ],
)
def test_what_cannot_be_read_is_refused_and_does_not_leave(
    watchdog: rig.Watchdog, api: upstream.Upstream, asked: tuple[dict[str, str], bytes], status: int, rule: str
) -> None:
    headers, raw = asked
    answer = metering.call(watchdog, "chat", raw=raw, **headers)
    assert answer is not None
    assert (answer.status, answer.rule, answer.json["error"]["message"].partition(":")[0]) == (status, rule, rule)
    assert not api.asked
    assert watchdog.record("decision", rule=rule)["path"].endswith("/chat/completions")


def test_an_endpoint_whose_cost_cannot_be_told_is_closed_and_one_that_is_free_is_not(
    watchdog: rig.Watchdog, api: upstream.Upstream
) -> None:
    for path, status in (("/v1/images/generations", 400), ("/v1/moderations", 200)):
        raw = head(path.replace("/v1", "/openai"), b"{}") + b"{}"
        assert exchanged(watchdog, raw).status == status
    assert [asked.line for asked in api.asked] == ["POST /v1/moderations HTTP/1.1"]


def test_a_route_that_lists_its_models_lets_no_other_one_pass_and_changes_nothing(
    start: conftest.Start, files: rig.Files, books: metering.Provider, api: upstream.Upstream
) -> None:
    route = dataclasses.replace(metering.OPENAI, models=("world-1",))
    watchdog = start(routes=(route,), limits=documents.Limits(), ledger=None)
    raw = metering.body("chat", stream=True)
    answer = metering.call(watchdog, "chat", raw=raw)
    assert answer is not None
    assert (answer.status, api.asked[0].body) == (200, raw)
    other = metering.call(watchdog, "chat", raw=raw.replace(b"world-1", b"world-9"))
    assert other is not None
    assert (other.status, other.rule, other.json["error"]["param"]) == (403, "routes.models", "model")
    hidden = metering.call(watchdog, "chat", raw=raw.replace(b"world-1", b"world-\\u0039"))
    assert hidden is not None
    assert hidden.status == 403
    assert len(books.used) == 1


def test_answers_say_how_the_limits_stand_and_warn_when_they_are_nearly_used(
    start: conftest.Start, files: rig.Files, books: metering.Provider
) -> None:
    limits = metering.limits((*metering.TOKENS_DAY, 20_000))
    watchdog = started(start, files, limits=limits)
    first = metering.call(watchdog, "chat")
    assert first is not None
    assert '"policy:tokens/day";q=20000;w=86400;qu="tokens"' in first.headers["ratelimit-policy"]
    assert '"policy:tokens/day";r=' in first.headers["ratelimit"]
    metering.call(watchdog, "chat", x_say="3500", x_fault="missing")
    metering.call(watchdog, "chat", x_say="3500", x_fault="missing")
    last = metering.call(watchdog, "chat")
    assert last is not None
    assert "policy:tokens/day" in last.headers["x-zaum-warning"]


# Limits.


def test_i07_a_budget_is_never_passed_and_its_last_answers_are_shorter(
    start: conftest.Start, files: rig.Files, books: metering.Provider, ledger: metering.Ledger
) -> None:
    watchdog = started(start, files, limits=metering.limits((*metering.TOKENS_DAY, 30_000)))
    answers = [metering.call(watchdog, "chat", x_say="100000") for _ in range(12)]
    assert all(answer is not None for answer in answers)
    statuses = [answer.status for answer in answers if answer is not None]
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 402}
    lengths = [used.output for used in books.used]
    assert lengths[0] == 4096
    assert lengths == sorted(lengths, reverse=True)
    assert 1 <= lengths[-1] < 4096, "what is left is used"
    spent = sum(used.tokens for used in books.used)
    assert 25_000 < spent <= 30_000
    refused = answers[-1]
    assert refused is not None
    assert refused.headers["x-should-retry"] == "false"
    assert refused.json["error"]["code"] == "insufficient_quota"
    watchdog.stop()
    assert ledger.spent("policy:tokens/day") == spent


def test_i09_the_ledger_hears_that_a_budget_is_spent_when_not_even_a_shorter_answer_fits(
    start: conftest.Start, files: rig.Files, books: metering.Provider, ledger: metering.Ledger
) -> None:
    limited = metering.limits((*metering.TOKENS_DAY, 30_000))
    watchdog = started(start, files, limits=limited, containment=documents.Containment())
    while (answer := metering.call(watchdog, "chat", x_say="100000")) is not None and answer.status == 200:
        assert not any(sync.needs for sync in ledger.syncs)
    assert answer is not None
    assert answer.status == 402
    assert books.used[-1].output < 4096, "the control: the last one was shortened"
    metering.eventually(lambda: any(sync.needs for sync in ledger.syncs), "the ledger does not hear of it")
    (need,) = next(sync.needs for sync in ledger.syncs if sync.needs)
    left = 30_000 - sum(used.tokens for used in books.used)
    assert need.meter == "policy:tokens/day"
    assert left < need.amount <= 30_000


def test_a_rate_of_tokens_is_refused_so_that_sdks_come_back_in_time(
    start: conftest.Start, files: rig.Files, books: metering.Provider
) -> None:
    watchdog = started(start, files, limits=metering.limits((*metering.TOKENS_MINUTE, 9_000)))
    first = metering.call(
        watchdog, "messages", x_say="64", raw=metering.body("messages", max_tokens=6000), x_fault="missing"
    )
    second = metering.call(watchdog, "messages", raw=metering.body("messages", max_tokens=6000))
    assert first is not None
    assert second is not None
    assert (first.status, second.status, second.json["error"]["type"]) == (200, 429, "rate_limit_error")
    assert 1 <= int(second.headers["retry-after"]) <= 61
    assert len(books.used) == 1


def test_without_the_ledger_nothing_of_a_budget_is_spent(
    start: conftest.Start, files: rig.Files, books: metering.Provider, ledger: metering.Ledger
) -> None:
    watchdog = started(start, files)
    ledger.answers = False
    answer = metering.call(watchdog, "chat")
    assert answer is not None
    assert (answer.status, answer.rule) == (503, "limits.ledgerUnavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert not books.used


# Ends that are none.


@pytest.mark.parametrize("stream", [False, True])
def test_i07_whoever_hangs_up_is_charged_the_worst_case_once(
    watchdog: rig.Watchdog, books: metering.Provider, ledger: metering.Ledger, stream: bool
) -> None:
    gone = threading.Event()
    books.pause = lambda: gone.wait(world.WAIT)
    raw = metering.body("chat", stream=stream)
    with socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT) as agent:
        agent.sendall(head("/openai/chat/completions", raw, "x-say: 500") + raw)
        agent.recv(10)
    done = watchdog.record("request")
    gone.set()
    assert done["doubt"]
    assert done["tokens"] == done["reservedTokens"] >= books.used[0].tokens
    watchdog.stop()
    assert ledger.spent("policy:tokens/day") == done["tokens"]


def test_i07_what_goes_on_when_the_process_is_told_to_stop_is_charged(
    watchdog: rig.Watchdog, books: metering.Provider, ledger: metering.Ledger
) -> None:
    gone = threading.Event()
    books.pause = lambda: gone.wait(world.WAIT)
    raw = metering.body("chat", stream=True)
    with socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT) as agent:
        agent.sendall(head("/openai/chat/completions", raw, "x-say: 500") + raw)
        agent.recv(10)
        watchdog.stop()
    gone.set()
    done = [found for found in watchdog.drained() if found["kind"] == "request"]
    assert len(done) == 1
    assert done[0]["tokens"] == done[0]["reservedTokens"] >= books.used[0].tokens
    assert ledger.spent("policy:tokens/day") == done[0]["tokens"]


def test_i07_a_change_of_the_config_that_cuts_a_call_charges_it(
    watchdog: rig.Watchdog, books: metering.Provider, files: rig.Files, config: documents.WatchdogConfig
) -> None:
    gone = threading.Event()
    books.pause = lambda: gone.wait(world.WAIT)
    raw = metering.body("chat", stream=True)
    with socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT) as agent:
        agent.sendall(head("/openai/chat/completions", raw, "x-say: 500") + raw)
        agent.recv(10)
        files.write(dataclasses.replace(config, routes=(metering.ANTHROPIC,)).dump())
        done = watchdog.record("request")
    gone.set()
    assert (done["rule"], done["tokens"]) == ("config.removed", done["reservedTokens"])


def test_a_stream_is_passed_on_event_by_event(watchdog: rig.Watchdog, books: metering.Provider) -> None:
    go_on = threading.Semaphore(0)
    books.pause = lambda: go_on.acquire(timeout=world.WAIT)
    raw = metering.body("chat", stream=True)
    with socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT) as agent:
        agent.sendall(head("/openai/chat/completions", raw) + raw)
        got = agent.recv(65536)
        while b"data: " not in got:
            got += agent.recv(65536)
        for count in range(1, provider.WORDS + 1):
            assert got.count(b"data: ") == count
            go_on.release()
            got += agent.recv(65536)
        for _ in range(9):
            go_on.release()


def test_bodies_are_held_up_to_a_sum_and_what_waits_for_room_gets_it_when_there_is_some(
    watchdog: rig.Watchdog, books: metering.Provider
) -> None:
    def ask(size: int, sent: bytes, *lines: str) -> socket.socket:
        agent = stack.enter_context(socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT))
        agent.sendall(head("/openai/chat/completions", b" " * size, *lines) + sent)
        return agent

    mebibyte = 1024 * 1024
    with contextlib.ExitStack() as stack:
        first, _ = (ask(10 * mebibyte, b" " * (9 * mebibyte)) for _ in range(2))
        answer = metering.call(watchdog, "chat")
        assert answer is not None
        assert answer.status == 200, "it fits"
        waiting = ask(6 * mebibyte, b"", "Expect: 100-continue")
        behind = ask(len(metering.body("chat")), metering.body("chat"))
        for agent in (waiting, behind):
            agent.settimeout(0.3)
            with pytest.raises(TimeoutError):
                agent.recv(1)
            agent.settimeout(world.WAIT)
        assert watchdog.resident_mib() < 100
        first.close()
        assert waiting.recv(65536).startswith(b"HTTP/1.1 100 ")
        assert behind.recv(12) == b"HTTP/1.1 200"
    assert len(books.used) == 2


def head(path: str, raw: bytes, *lines: str) -> bytes:
    """Write a request's head."""
    said = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *lines)
    return "\r\n".join((*said, f"Content-Length: {len(raw)}", "", "")).encode()


def exchanged(watchdog: rig.Watchdog, raw: bytes) -> rig.Answer:
    """Send raw bytes, and read the answer."""
    with socket.create_connection(("127.0.0.1", watchdog.routes), world.WAIT) as agent:
        agent.sendall(raw)
        response = http.client.HTTPResponse(agent)
        response.begin()
        head_ = {name.lower(): value for name, value in response.getheaders()}
        return rig.Answer(response.status, head_, response.read())


def test_the_mode_report_lets_pass_what_limits_refuse_and_counts_it(
    start: conftest.Start, files: rig.Files, books: metering.Provider
) -> None:
    limits = metering.limits((*metering.TOKENS_DAY, 7_000))
    watchdog = started(start, files, limits=limits, mode=documents.Mode.REPORT)
    raw = metering.body("chat", max_tokens=3000)
    for _ in range(3):
        answer = metering.call(watchdog, "chat", raw=raw, x_say="2999")
        assert answer is not None
        assert answer.status == 200
    unpriced = metering.call(watchdog, "responses", raw=metering.body("responses", background=True))
    assert unpriced is not None
    assert unpriced.status == 200
    assert [used.output for used in books.used] == [2999, 2999, 2999, provider.WORDS]
    rules = [watchdog.record("decision", status=0)["rule"] for _ in range(4)]
    assert rules == ["egress.allowed", "limits.tokens.perDay", "limits.tokens.perDay", "limits.unpriced"]


def test_tokens_that_bring_nothing_new_are_noticed(
    start: conftest.Start, files: rig.Files, books: metering.Provider
) -> None:
    """And those that do are not, though there are more of them."""
    stuck = documents.Runaway(None, None, None, no_progress=documents.NoProgressDetector(10, 2))
    watchdog = started(start, files, runaway=stuck)
    since = time.monotonic()
    while time.monotonic() - since < 4:
        raw = metering.body("chat", user=f"turn-{len(books.used)}")
        answer = metering.call(watchdog, "chat", raw=raw)
        assert answer is not None
        assert answer.status == 200, "new requests"
    assert sum(used.input + used.output for used in books.used) > 100
    while (answer := metering.call(watchdog, "chat", raw=metering.body("chat"))) is not None and answer.status == 200:
        assert time.monotonic() - since < 4 + world.WAIT
    assert watchdog.record("breach")["reason"] == "RunawayNoProgress"
