"""A plain call of a model that goes straight does what one that goes step by step does, byte by byte."""

import asyncio
import dataclasses
import itertools
import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.watchdog import metering
from tests.support.properties import examples
from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_watchdog.core import policy, refusals
from zaum_watchdog.core.exchanges import SECOND
from zaum_watchdog.shell import (
    brake,
    clock,
    exchange,
    files,
    flow,
    held,
    hop,
    log,
    routes,
    straight,
    upstream,
    watch,
)  # fmt: skip

KEY: Final = "sk-0123456789abcdefghijklmnop"
ROUTE: Final = dataclasses.replace(
    metering.OPENAI,
    credential=documents.Credential("authorization", "Bearer "),
    models=("world-1", "world-2"),
    tls=False,
)
BEGUN: Final = 1_000 * SECOND
Meter = tuple[str, documents.Kind, documents.Window, int]
LARGE: Final[tuple[Meter, ...]] = (
    (*metering.TOKENS_MINUTE, 10**9), (*metering.TOKENS_DAY, 10**9), (*metering.COST_DAY, 10**12),
)  # fmt: skip


class Wire:
    """Remembers how it was used."""

    def __init__(self) -> None:
        self.used: list[object] = []

    def write(self, data: bytes) -> None:
        self.used.append(data)

    def untaken(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.used.append(name)


class Out(log.Log):
    """Keeps the records."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.dropped = 0

    def write(self, line: str, *, rare: bool = False) -> None:
        self.lines.append(line)


class Way(hop.Hop):
    """Dials for ever."""

    def __init__(self) -> None:
        self.dialled: list[bool] = []

    @property
    def usable(self) -> bool:
        return True

    @property
    def limits(self) -> Any:
        return types.SimpleNamespace(on=False, reported=lambda _: False)

    def dial(self, upstream: Any, failed: Any, *, secure: bool = False) -> None:
        self.dialled.append(secure)

    def say(self, authority: hosts.Authority, over: Any) -> None:
        """Say nothing."""

    def distrusted(self, over: Any, rule: Any) -> bool:
        return False


class World:
    """One connection of the agent, one to the provider that was kept, and the books."""

    def __init__(self, folder: Path, limited: tuple[Meter, ...], lent: int) -> None:
        meters = metering.limits(
            (documents.POLICY, documents.Kind.CONNECTIONS, documents.Window.NOW, 2),
            *limited,
        )
        peer = documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, "x")
        config = self._config = documents.WatchdogConfig(
            "agents", "straight", documents.GatewayPeer(("127.0.0.1",), 1, contract.GATEWAY_TLS_NAME, "x"), (),
            documents.RequestRate(600, 100), 8, documents.Runaway(None, None, None), routes=(ROUTE,),
            limits=meters, ledger=peer,
        )  # fmt: skip
        self.loop, self.out, self.way = asyncio.new_event_loop(), Out(), Way()
        self.watch = watch.Watch(
            self.loop, policy.Policy.of(config), files.TokenFile(folder / "t"), self.out, folder / "w"
        )
        self.routes = routes.Routes(self.watch, self.way, folder)
        self.books = self.watch.limits.books
        assert self.books is not None
        leases = tuple(
            documents.Lease(f"{meter.id}-{place}", meter.id, lent, 1200 + place)
            for meter in config.meters
            if not meter.shared_by_shares
            for place in range(2)
        )
        used = tuple(documents.Used(meter.id, 7, meter.limit, 3600) for meter in config.meters)
        heard = documents.Synced("s", 1, leases=leases, shares=(), refused=(), usage=used)
        self.watch.limits.hear(heard, returned=(), sent=clock.monotonic())
        self.side = self.routes.accept()
        self.agent, self.api = Wire(), Wire()
        self.side.connection_made(self.agent)  # type: ignore[arg-type]
        self.connection = self.stands(self.watch.policy.routed[ROUTE.name])
        self.routes.keep(self.connection, nanoseconds=3600 * SECOND)

    def stands(self, route: Any) -> upstream.Connection:
        made = upstream.Connection(self.way, route, None, None, None)  # type: ignore[arg-type]
        made.transport, made.stage = self.api, upstream.Stage.READY  # type: ignore[assignment]
        made.brake = brake.Brake(self.api)
        made._out = flow.Flow(self.watch.limits, route.authority, documents.Kind.BYTES_OUT, made._spent)
        made._in = flow.Flow(self.watch.limits, route.authority, documents.Kind.BYTES_IN, made._spent)
        return made

    def follow(self, *limited: Meter) -> None:
        """Take a document with other limits."""
        changed = dataclasses.replace(metering.limits(*limited), generation=2)
        self.watch.adopt(policy.Policy.of(dataclasses.replace(self._config, limits=changed)))

    def settle_down(self) -> None:
        """Let everything happen that is due at once."""
        for _ in range(20):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def seen(self) -> dict[str, object]:
        """Give all that anybody could see of it."""
        now, books, limits = clock.monotonic(), self.books, self.watch.limits
        self.routes._pool.expire(now)  # Whoever looks for a connection closes those that are too old, and a tick does.
        assert books is not None
        return {
            "agent": b"".join(each for each in self.agent.used if isinstance(each, bytes)),
            "agent's wire": [each for each in self.agent.used if not isinstance(each, bytes)],
            "api": b"".join(each for each in self.api.used if isinstance(each, bytes)),
            "api's wire": list(dict.fromkeys(each for each in self.api.used if not isinstance(each, bytes))),
            "records": self.out.lines,
            "dialled": self.way.dialled,
            "phase": self.side.phase,
            "kept": [each.stage for found in self.routes._pool._idle.values() for each in found if each.wanted],
            "room": self.routes.room.taken,
            "live": self.routes.live,
            "open": self.watch.tunnels,
            "counters": self.watch.counters(),
            "detectors": (tuple(self.watch.seen._asked), self.watch.seen._answered, self.watch.seen._wrong),
            "lines": limits.lines(ROUTE.host, route=ROUTE.name),
            "reserved": [
                (dict(each.minutes), [(name, [(part.held.id, part.amount) for part in parts])
                for name, parts in each.parts.items()])
                for each in books._live.values()
            ],
            "demand": [part.demand(name, now) for name, part in books._shared().items()],
            "leases": [
                (held.id, held.spent, held.reserved, held.touched)
                for each in books._slices.values()
                for held in each._held.values()
            ],
            "ahead": [
                (each._largest, each._peak, each._out, each._recent, each.owed) for each in books._slices.values()
            ],
            "waiting": limits.waiting,
        }  # fmt: skip


def post(body: bytes, *more: str, path: str = "/openai/chat/completions", length: int | None = None) -> bytes:
    lines = ["Host: 127.0.0.1", "Content-Type: application/json", *more]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return f"POST {path} HTTP/1.1\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(body: bytes, *more: str, status: int = 200, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status} Well", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chat(**more: object) -> bytes:
    return metering.body("chat", **more)


SAID = b'{"id":"x","choices":[{"message":{"content":"a: b"}}],"usage":{"prompt_tokens":9,"completion_tokens":3%b}}'
REQUESTS: Final[dict[str, bytes]] = {
    "plain": post(chat(max_tokens=9)),
    "without a maximum": post(chat(temperature=0.5)),
    "a text with marks": post(chat(user='{"a": "b:c"}', max_completion_tokens=50)),
    "streamed": post(chat(stream=True)),
    "larger than what is left": post(chat(max_tokens=10**8)),
    "embeddings": post(metering.body("embeddings"), path="/openai/embeddings"),
    "another model": post(json.dumps({"model": "world-3", "messages": []}).encode()),
    "a model without a price": post(json.dumps({"model": "world-2", "messages": []}).encode()),
    "an unknown member": post(chat(nonsense=1)),
    "a number twice": post(b'{"model":"world-1","n":5,"messages":[],"n":1}'),
    "a member twice": post(b'{"model":"world-1","max_tokens":5,"messages":[],"max_tokens":50}'),
    "no JSON": post(b'{"model":"world-1",'),
    "no body": post(b""),
    "no UTF-8": post(b'{"model":"world-1","messages":[{"role":"user","content":"\xff"}]}'),
    "the last": post(chat(), "Connection: close"),
    "awaited": post(chat(), "Expect: 100-continue"),
    "in parts": post(chat())[:-40],
    "large": post(chat(user="x" * 20_000)),
    "compressed": post(chat(), "Content-Encoding: gzip"),
    "two": post(chat(n=2)) + post(chat(n=3)),
    "the rest": post(chat())[-40:],
}
ANSWERS: Final[dict[str, bytes]] = {
    "plain": answer(SAID % b""),
    "more than was asked": answer(SAID % b',"total_tokens":99999999'),
    "cached": answer(SAID % b',"prompt_tokens_details":{"cached_tokens":4}'),
    "a number twice": answer(SAID % b',"prompt_tokens":4'),
    "without usage": answer(b'{"id":"x"}'),
    "no JSON": answer(b"hello"),
    "an error": answer(b'{"error":{"message":"no"}}', status=400),
    "a late error": answer(b'{"error":{"message":"no"}}', status=500),
    "overloaded": answer(b'{"error":{"message":"no"}}', status=503),
    "of another kind": answer(SAID % b"", kind="text/html"),
    "of two kinds": answer(SAID % b"", "Content-Type: text/html"),
    "compressed": answer(SAID % b"", "Content-Encoding: gzip"),
    "the last": answer(SAID % b"", "Connection: close"),
    "kept for a while": answer(SAID % b"", "Keep-Alive: timeout=5"),
    "with the key": answer(b'{"id":"%b"}' % KEY.encode()),
    "with the key in its head": answer(SAID % b"", f"X-Key: {KEY}"),
    "with a cookie": answer(SAID % b"", "Set-Cookie: a=b", "X-Zaum-Warning: x"),
    "the head alone": answer(SAID % b"").partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
    "the body alone": SAID % b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "too much": answer(SAID % b"") + b"x",
    "interim": b"HTTP/1.1 103 Early\r\n\r\n" + answer(SAID % b""),
    "chunked": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SAID % b""), SAID % b""),
    "until it closes": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + SAID % b"",
    "nothing": b"HTTP/1.1 204 No\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
}


HAPPENS: Final[dict[str, Callable[[World], None]]] = {
    "the agent stops": lambda world: world.side.pause_writing(),
    "the agent goes on": lambda world: world.side.resume_writing(),
    "the agent hangs up": lambda world: world.side.connection_lost(None),
    "the api stops": lambda world: world.connection.pause_writing(),
    "the api goes on": lambda world: world.connection.resume_writing(),
    "the api hangs up": lambda world: world.connection.connection_lost(None),
    "cut": lambda world: world.side.cut(contract.Rule.LATCHED),
    "shed": lambda world: world.routes.shed(1),
    "the ledger forgets": lambda world: world.watch.limits.lost(),
    "another document": lambda world: world.follow((*metering.TOKENS_MINUTE, 10**7), (*metering.COST_DAY, 10**9)),
    "no more bytes": lambda world: world.connection._spent(
        refusals.Refusal(contract.Rule.BYTES_IN_PER_HOUR, "no more")
    ),
}
STEPS = (
    st.tuples(st.just("request"), st.sampled_from(sorted(REQUESTS)))
    | st.tuples(st.just("request"), st.just("plain"))
    | st.tuples(st.just("answer"), st.sampled_from(sorted(ANSWERS)))
    | st.tuples(st.just("answer"), st.just("plain"))
    | st.tuples(st.just("happens"), st.sampled_from(sorted(HAPPENS)))
    | st.tuples(st.just("wait"), st.sampled_from(("1", "30", "700")))
)
Step = tuple[str, str]


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = BEGUN

    def __call__(self) -> int:
        return self.now


def told(
    folder: Path, time: Clock, steps: tuple[Step, ...], limited: tuple[Meter, ...], lent: int
) -> list[dict[str, str]]:
    """Do it all, and say what was seen after each step."""
    time.now = BEGUN
    world = World(folder, limited, lent)
    time.now += 61 * SECOND  # The minute before the first.
    found = []
    try:
        for sort, what in steps:
            match sort:
                case "request":
                    if world.side.transport.used[-1:] not in (["reset"], ["close"]):  # type: ignore[attr-defined]
                        world.side.data_received(REQUESTS[what])
                case "answer":
                    if world.connection.stage is upstream.Stage.READY:
                        world.connection.data_received(ANSWERS[what])
                case "happens":
                    HAPPENS[what](world)
                case _:
                    time.now += int(what) * SECOND
                    world.side.expire(time.now)
                    world.watch.enforce(time.now)
            world.settle_down()
            found.append({name: repr(value) for name, value in world.seen().items()})
    finally:
        world.loop.close()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("straight")
    (made / ROUTE.name).mkdir()
    (made / ROUTE.name / contract.CREDENTIAL_FILE).write_text(KEY)
    return made


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "monotonic", made)
    monkeypatch.setattr(clock, "wall", made)
    return made


PLAIN: Final = (("request", "plain"), ("answer", "plain"))


def same(folder: Path, time: Clock, steps: tuple[Step, ...], limited: tuple[Meter, ...], lent: int) -> None:
    """See that nobody can tell."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(straight, "fits", lambda *_: False)
        expected = told(folder, time, steps, limited, lent)
    for step, one, other in itertools.zip_longest(steps, told(folder, time, steps, limited, lent), expected):
        assert one == other, step


ONE_BY_ONE: Final[tuple[tuple[Step, ...], ...]] = (
    *((("request", each), ("answer", "plain")) for each in REQUESTS),
    *((("request", "plain"), ("answer", each), ("request", "plain")) for each in ANSWERS),
    *((("request", "plain"), ("happens", each), ("answer", "plain")) for each in HAPPENS),
    *((("happens", each), ("request", "plain"), ("answer", "plain")) for each in HAPPENS),
    (("request", "plain"), ("wait", "700")),
    (("request", "plain"), ("happens", "the agent stops"), ("wait", "700")),
    (("request", "plain"), ("happens", "no more bytes"), ("happens", "no more bytes")),
    (("request", "two"), ("answer", "plain"), ("answer", "plain")),
    (("request", "in parts"), ("request", "the rest"), ("answer", "plain")),
    (("request", "plain"), ("answer", "the head alone"), ("answer", "the body alone")),
)


@pytest.mark.parametrize("lent", [10**8, 3_000])
def test_i07_a_call_that_goes_straight_is_nothing_but_faster(folder: Path, time: Clock, lent: int) -> None:
    for steps in ONE_BY_ONE:
        same(folder, time, PLAIN + steps, LARGE, lent)


def _behind(steps: list[Step]) -> tuple[Step, ...]:
    return PLAIN * 2 + tuple(steps)


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    steps=st.lists(STEPS, min_size=1, max_size=7).map(tuple) | st.lists(STEPS, min_size=1, max_size=7).map(_behind),
    limited=st.sampled_from((LARGE, LARGE[1:], LARGE[:2], LARGE[:1], ((*metering.TOKENS_DAY, 7000), LARGE[2]))),
    lent=st.sampled_from((10**8, 5_000, 3_000, 100)),
)
def test_i07_whatever_comes_after_whatever_it_is_nothing_but_faster(
    folder: Path, time: Clock, steps: tuple[Step, ...], limited: tuple[Meter, ...], lent: int
) -> None:
    same(folder, time, steps, limited, lent)


def _made(patch: pytest.MonkeyPatch) -> list[str]:
    """Note what deals with requests."""
    made: list[str] = []
    for module, name in ((straight, "Straight"), (held, "Held"), (exchange, "Exchange")):
        original = getattr(module, name)

        class Noted(original):  # type: ignore[misc, valid-type]
            __slots__ = ()

            def __init__(self, *args: Any, name: str = name, **kwargs: Any) -> None:
                made.append(name)
                super().__init__(*args, **kwargs)

        patch.setattr(module, name, Noted)
    return made


@pytest.mark.parametrize(
    ("steps", "by"),
    [
        ((("request", "plain"), ("answer", "plain")), ["Straight"]),
        ((("request", "without a maximum"), ("answer", "cached")), ["Straight"]),
        ((("request", "streamed"), ("answer", "an error")), ["Straight"]),
        ((("request", "plain"), ("answer", "chunked")), ["Straight", "Held"]),
        ((("request", "in parts"), ("answer", "plain")), ["Straight", "Held"]),
        ((("request", "an unknown member"), ("answer", "plain")), ["Straight", "Held"]),
        ((("request", "awaited"), ("answer", "plain")), ["Held"]),
    ],
)
def test_what_is_plain_goes_straight_and_nothing_else(
    folder: Path, time: Clock, monkeypatch: pytest.MonkeyPatch, steps: tuple[Step, ...], by: list[str]
) -> None:
    made = _made(monkeypatch)
    told(folder, time, steps, LARGE, 10**8)
    assert made == by
