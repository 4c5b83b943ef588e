"""Three pods, fifty calls at a time from each, against limits of tokens and money, while what counts them is killed."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import random
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cluster.world import http1, llm
from tests.integration.limits import conftest
from tests.integration.limits.conftest import NAMED, Pods
from tests.integration.watchdog import metering, rig, world
from tests.races import judge, reading
from tests.support import ledger, postgres
from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_api.documents import Kind, Meter, Window

PRICE = documents.Price(llm.MODELS[0], 20_000_000, 7_700_000, 40_000_000, 300_654_321)
RATES = {"input": PRICE.input, "cached": PRICE.cached_input, "output": PRICE.output}
POST = documents.Allowed(("POST",), "/*")
ROUTES = (
    documents.Route("openai", NAMED, 443, "/v1", (POST,), api="OpenAI", prices=(PRICE,)),
    documents.Route("anthropic", NAMED, 443, "", (POST,), api="Anthropic", prices=(PRICE,)),
)
REPLICAS = 3
WORKERS = 50
TOKENS_MINUTE = 24_000
COST_DAY = 3_000_000
SECONDS = 14.0
APART = 10
"""By how many seconds a policy must be younger than its ledger for a pod of it to begin with an unspent minute."""
POLICY = "agents/researcher"
SAID = 663
"""Tokens of an answer."""


class Model:
    """The world's LLM behind the gateway, with the witness's records."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.records: list[dict[str, Any]] = []
        self.port = 0
        self.server = self
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._up.wait(world.WAIT)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._task = asyncio.current_task()
        serving = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._context, backlog=512)
        self.port = serving.sockets[0].getsockname()[1]
        self._up.set()
        async with serving:
            await serving.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            await http1.serve(reader, writer, self._respond, lambda _, __: None)
        writer.close()

    def _respond(self, request: http1.Request) -> http1.Answer:
        key = {"authorization": "Bearer key", "x-api-key": "key"}
        answer = llm.respond(dataclasses.replace(request, headers={**request.headers, **key}))
        self.records.append({"t": time.time(), "detail": answer.told})
        return answer

    def close(self) -> None:
        def stop() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        self._loop.call_soon_threadsafe(stop)
        self._thread.join(world.WAIT)
        assert not self._thread.is_alive()


@pytest.fixture
def model(authority: Authority) -> Iterator[Model]:
    running = Model(authority.server(NAMED))
    yield running
    running.close()


@pytest.fixture
def outside(model: Model) -> Model:
    return model


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres.running() as where:
        yield where


@pytest.fixture
def books(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Give the variables that name an empty database, of the store that the test's parameter names."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return {}
    where = request.getfixturevalue("server")
    name = f"races{time.monotonic_ns()}"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    (tmp_path / "uri").write_text(where.replace("dbname=postgres", f"dbname={name}"))
    return {"ZAUM_POSTGRES_FILE": str(tmp_path / "uri")}


@dataclass
class Pod:
    """A watchdog and the agent that calls by it; `name` begins the names of its calls."""

    name: str
    ordinal: int
    watchdog: rig.Watchdog
    agent: "subprocess.Popen[str]"
    lines: list[dict[str, Any]] = field(default_factory=list)
    reader: threading.Thread | None = None

    def follow(self) -> None:
        def read() -> None:
            for line in self.agent.stdout or ():
                with contextlib.suppress(json.JSONDecodeError):  # its last line may be half of one
                    self.lines.append(json.loads(line))

        self.reader = threading.Thread(target=read)
        self.reader.start()

    def die(self) -> None:
        """End both, as a watchdog's death does."""
        self.watchdog.process.kill()
        self.agent.kill()

    def over(self) -> None:
        """Wait for the agent's end."""
        self.agent.wait(SECONDS + 90)
        assert self.reader is not None
        self.reader.join(world.WAIT)
        assert self.agent.stdout is not None
        self.agent.stdout.close()


class Field:
    """One race: its pods, the ledger that is killed under them, and what is held against each other afterwards."""

    def __init__(self, pods: Pods, start: Callable[[], ledger.Process], gateway: conftest.Gateway, seed: int) -> None:
        self._pods = pods
        self._start = start
        self._gateway = gateway
        self._numbers = itertools.count()
        self.seed = seed
        self.dice = random.Random(seed)
        self.service = start()
        self.all: list[Pod] = []
        self.killed: dict[str, float] = {}
        self.until = 0.0

    def run(self, ordinal: int, **given: Any) -> Pod:
        watchdog = self._pods.start(ordinal)
        name = f"p{next(self._numbers)}"
        urls = {api: f"http://127.0.0.1:{watchdog.routes}/{api}" for api in ("openai", "anthropic")}
        asked = {"urls": urls, "pod": name, "workers": WORKERS, "until": self.until, "seed": self.seed, **given}
        command = [sys.executable, "-m", "tests.races.agent", json.dumps(asked | {"model": llm.MODELS[0]})]
        agent = subprocess.Popen(command, cwd=rig.ROOT, stdout=subprocess.PIPE, text=True)
        pod = Pod(name, ordinal, watchdog, agent)
        pod.follow()
        self.all.append(pod)
        return pod

    def limit(self, *meters: Meter) -> None:
        """Give the policy other limits, and one pod, which must not have begun."""
        limits = documents.Limits(meters, 1, 1, int(time.time()) + APART)
        self._pods.change(limits=limits)

    # Faults.

    def ledger_killed(self) -> None:
        self.service.kill()
        time.sleep(self.dice.uniform(0, 1.5))
        self.service = self._start()

    def watchdog_killed(self) -> None:
        pod = self.dice.choice([pod for pod in self.all if pod.name not in self.killed])
        self.killed[pod.name] = time.time()
        pod.die()
        self.run(pod.ordinal)

    def way_out_closed(self) -> None:
        """Refuse new connections for a moment, as without an authorizer."""
        name = NAMED.encode()
        self._gateway.answers[name] = world.refusal(contract.Rule.UPSTREAM_UNAVAILABLE, 503)
        time.sleep(self.dice.uniform(0.1, 1.0))
        del self._gateway.answers[name]


def backup(books: Mapping[str, str], folder: Path) -> list[str]:
    """Have the ledger write its books, and read them."""
    file = folder / "backup"
    environment = {
        "PYTHONPATH": f"{rig.ROOT / 'crds'}:{rig.ROOT / 'ledger'}",
        "ZAUM_SQLITE_FILE": str(folder / "ledger.db"),
    }
    command = [sys.executable, "-m", "zaum_ledger", "backup", str(file)]
    subprocess.run(command, env=environment | dict(books), check=True, capture_output=True, cwd="/")
    return file.read_text().splitlines()


@pytest.fixture
def config(config: documents.WatchdogConfig, authority: Authority) -> documents.WatchdogConfig:
    meters = (
        Meter("policy", Kind.TOKENS, Window.MINUTE, TOKENS_MINUTE),
        Meter("policy", Kind.TOKENS, Window.DAY, 10**9),
        Meter("policy", Kind.COST, Window.DAY, COST_DAY),
    )
    return dataclasses.replace(
        config,
        routes=ROUTES,
        upstream_ca_pem=authority.pem,
        requests=documents.RequestRate(600_000, 10_000),
        connections=3000,
        limits=documents.Limits(meters, REPLICAS, 1),
    )


@pytest.fixture
def start(
    tmp_path: Path, api: ledger.FakeApi, authority: Authority, gateway: conftest.Gateway, books: dict[str, str]
) -> Iterator[Callable[[], ledger.Process]]:
    """Give what starts the ledger, again and again with the same books."""
    folder = tmp_path / "books"
    folder.mkdir()
    with contextlib.ExitStack() as stack:

        def start() -> ledger.Process:
            process = stack.enter_context(ledger.running(folder, api, authority, books))
            gateway.ledger = process.port
            return process

        yield start


@pytest.fixture
def race(
    pods: Pods, start: Callable[[], ledger.Process], gateway: conftest.Gateway, config: documents.WatchdogConfig
) -> Iterator[Field]:
    """A race that can begin: its ledger is, by the policy's own words, so much older than the policy."""
    made = Field(pods, start, gateway, random.SystemRandom().randrange(10**6))
    time.sleep(1.5)
    young = dataclasses.replace(config.limits, created=int(time.time()) + APART)
    pods.change(limits=young)
    yield made
    for pod in made.all:
        pod.agent.kill()
        pod.over()


def verdict(race: Field, model: Model, books: Mapping[str, str], folder: Path) -> judge.Race:
    """Read all accounts, when the watchdogs have ended: what they held they have given back by their last word."""
    written = backup(books, folder)
    calls, charges = [], []
    for pod in race.all:
        calls += reading.calls(pod.lines, pod.name)
        charges += reading.charges(pod.watchdog.drained(), pod.name)
    done = reading.done(model.records, RATES)
    held = [reading.book(written, POLICY, f"policy:{kind}/day") for kind in ("tokens", "cost")]
    return judge.Race(TOKENS_MINUTE, COST_DAY, tuple(calls), tuple(done), tuple(charges), held[0], held[1], race.killed)


def answers(watchdog: rig.Watchdog, calls: int, **headers: str) -> list[rig.Answer | None]:
    """Make so many calls at once."""
    raw = metering.body("chat", max_completion_tokens=SAID)
    with concurrent.futures.ThreadPoolExecutor(calls) as threads:
        made = [threads.submit(metering.call, watchdog, "chat", raw=raw, **headers) for _ in range(calls)]
        return [each.result() for each in made]


@pytest.mark.parametrize("limit", [100, 10_000])
def test_i07_663_tokens_do_not_pass_a_limit_of_100_by_being_asked_for_at_once(
    race: Field, pods: Pods, model: Model, limit: int
) -> None:
    """What a limiter lets through that looks before a call and counts after it: BerriAI/litellm 18730."""
    race.limit(Meter("policy", Kind.TOKENS, Window.MINUTE, limit))
    watchdog = pods.start()
    watchdog.record("ledger")
    found = [answer for _ in range(3) for answer in answers(watchdog, 30, x_say=str(SAID), x_wait="0.5")]
    statuses = [answer.status if answer is not None else 0 for answer in found]
    passed = sum(one["detail"]["input"] + one["detail"]["output"] for one in model.records)
    assert passed <= limit
    assert set(statuses) <= {200, 429}, "each was answered"
    assert statuses.count(200) * SAID <= passed
    if limit < SAID:
        assert passed == 0, "not even one fits"
    else:
        assert statuses.count(200) >= 3, "the control: one after the other they fit"
        assert limit < 30 * SAID, "and all at once they would not"


@pytest.mark.parametrize(("books", "deaths"), [("sqlite", "all"), ("postgres", "ledger")], indirect=["books"])
def test_i07_no_race_passes_a_limit_and_the_books_agree_whoever_dies(
    race: Field, model: Model, books: dict[str, str], tmp_path: Path, deaths: str
) -> None:
    print(f"race of seed {race.seed}, killed: {deaths}")
    race.until = time.time() + SECONDS
    for ordinal in range(REPLICAS):
        race.run(ordinal)
    faults = [race.ledger_killed, race.way_out_closed, race.ledger_killed]
    if deaths == "all":
        faults.append(race.watchdog_killed)
    race.dice.shuffle(faults)
    for fault in faults:
        time.sleep(race.dice.uniform(0.5, 3.0))
        fault()
    for pod in race.all:
        pod.over()
        pod.watchdog.stop()
    found = verdict(race, model, books, tmp_path / "books")
    print(judge.summary(found))
    assert judge.faults(found) == []
    statuses = {call.status for call in found.calls}
    assert {200, 429} <= statuses, "the controls: some calls were served, and some raced for the minute in vain"
    assert found.cost.used > COST_DAY / 4, "and there was something to race for"
