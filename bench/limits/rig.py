"""The processes: one provider, one ledger, the watchdog with and without limits, and LiteLLM's proxy beside them."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench import sessions
from bench import watchdog as proxies
from bench.limits import litellm
from tests.cluster.world import provider
from tests.support import ledger
from tests.support.authority import Authority
from zaum_api import contract, documents, reading

HOST: Final = "api.example.com"
NEAR: Final = "localhost"
"""The name by which who knows no gateway calls the provider."""
ROUTE: Final = "openai"
MODEL: Final = "world-1"
WORDS: Final = 30
MANY: Final = 1_000_000
_SPEECH: Final = ("word",) * WORDS
KINDS: Final = ("whole", "streamed")
BODY: Final = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "You answer in a few words."},
        {"role": "user", "content": "Tell me in a sentence what a watchdog does at night, and what it does by day."},
    ],
    "max_completion_tokens": 64,
    "temperature": 0.2,
}


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to the provider, by a proxy or none."""

    proxy: proxies.Proxy
    host: str
    path: str
    secure: bool = False

    def order(self, kind: str, **load: float) -> dict[str, object]:
        """Write an order for bench/load."""
        streams = {"stream": True, "stream_options": {"include_usage": True}} if kind == "streamed" else {}
        return {
            "target": f"127.0.0.1:{self.proxy.port}",
            "host": self.host,
            "path": self.path,
            "secure": self.secure,
            "body": json.dumps({**BODY, **streams}),
            "bearer": litellm.KEY,
            **load,
        }


class Rig:
    """All of them, until the stack is closed; LiteLLM only by `beside`."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path, *, minutely: bool = True) -> None:
        """Start all; `minutely`: tokens of a minute are limited too, for which `await_minute` waits a minute."""
        self._stack, self._folder, self._minutely = stack, folder, minutely
        self._authority = Authority(folder)
        self._certificates = [self._pem(name) for name in (HOST, NEAR, contract.GATEWAY_TLS_NAME)]
        api = ledger.FakeApi()
        stack.callback(api.close)
        books = folder / "ledger"
        books.mkdir()
        pinned = ("taskset", "-c", str(proxies.LOAD_CORE))
        self.ledger = stack.enter_context(ledger.running(books, api, self._authority, wrapper=pinned))
        self._token = api.token(policy="bench/metered")
        near, self._gateway = self._provider()
        self._sessions = stack.enter_context(sessions.given(self._certificates[2]))
        self._client = stack.enter_context(
            proxies.ended(proxies.start([str(proxies.build()), "calls"], proxies.LOAD_CORE, out=subprocess.PIPE))
        )
        path = f"/{ROUTE}/chat/completions"
        self.direct = Way(proxies.Proxy("direct", near), NEAR, "/v1/chat/completions", secure=True)
        self.unmetered = Way(self._watchdog("unmetered", metered=False), "127.0.0.1", path)
        self.metered = Way(self._watchdog("metered", metered=True), "127.0.0.1", path)

    def beside(self, program: Path) -> Way:
        """Start LiteLLM's proxy before the same provider."""
        base = f"https://{NEAR}:{self.direct.proxy.port}/v1"
        found = litellm.running(program, self._folder, model=MODEL, base=base, ca=self._authority.ca)
        return Way(self._stack.enter_context(found), "127.0.0.1", "/v1/chat/completions")

    def await_minute(self) -> None:
        """Wait for the tokens of a minute: to a ledger that has just begun, the pod before may have spent them."""
        deadline = time.monotonic() + 90
        while True:
            try:
                self.ask(self.metered, KINDS[0], seconds=0.1, concurrency=1, rate=0)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            else:
                return

    def _pem(self, name: str) -> Path:
        pem = self._folder / f"{name}.pem"
        pem.write_bytes(b"".join(path.read_bytes() for path in self._authority.issue(name, name)))
        return pem

    def _provider(self) -> tuple[int, int]:
        whole, stream = self._folder / "whole", self._folder / "stream"
        for file, asked in ((whole, {}), (stream, {"stream": True, "stream_options": {"include_usage": True}})):
            answer = provider.reply("/v1/chat/completions", {}, json.dumps({**BODY, **asked}).encode(), _SPEECH)
            file.write_bytes(b"".join(answer.pieces))
        process = proxies.start(
            [
                str(proxies.build()), "provider", "-tls", ",".join(map(str, self._certificates[:2])),
                "-whole", str(whole), "-stream", str(stream),
                "-named", f"{contract.LEDGER_TLS_NAME}:{contract.LEDGER_PORT}",
                "-behind", f"127.0.0.1:{self.ledger.port}",
            ],
            proxies.LOAD_CORE,
            out=subprocess.PIPE,
        )  # fmt: skip
        self._stack.enter_context(proxies.ended(process))
        return proxies.port_of(process), proxies.port_of(process)

    def _watchdog(self, name: str, *, metered: bool) -> proxies.Proxy:
        folder = self._folder / name
        (folder / "credentials" / ROUTE).mkdir(parents=True)
        (folder / "credentials" / ROUTE / contract.CREDENTIAL_FILE).write_text(litellm.KEY)
        raw = self._config(metered=metered).dump()
        (folder / "config").write_bytes(raw)
        (folder / "digest").write_text(reading.digest(raw))
        (folder / "token").write_text("measured-without-authorizer")
        (folder / "ledger-token").write_text(self._token)
        port, routes, probe = (proxies.free_port() for _ in range(3))
        named = {"config": "config", "digest": "digest", "token": "token", "ledger-token": "ledger-token"}
        options = [part for option, file in named.items() for part in (f"--{option}", str(folder / file))]
        options += ["--credentials", str(folder / "credentials"), "--termination-log", str(folder / "last-word")]
        options += ["--proxy-port", str(port), "--routes-port", str(routes), "--probe-port", str(probe)]
        paths = os.pathsep.join(str(proxies.ROOT / part) for part in ("crds", "sandbox"))
        out = self._stack.enter_context((folder / "log").open("w"))
        process = self._stack.enter_context(
            proxies.ended(
                proxies.start(
                    [sys.executable, "-m", "zaum_watchdog", *options],
                    proxies.PROXY_CORE,
                    out=out,
                    environment={"PYTHONPATH": paths, contract.ENV_ORDINAL: "0"},
                )
            )
        )
        proxies.await_port(routes, process)
        _await_records(folder / "log", ["session", *(["ledger"] if metered else [])])
        return proxies.Proxy(name, routes, process.pid)

    def _config(self, *, metered: bool) -> documents.WatchdogConfig:
        price = documents.Price(MODEL, 2_000_000, 500_000, 2_500_000, 8_000_000)
        route = documents.Route(
            ROUTE, HOST, 443, "/v1", (documents.Allowed(("POST",), "/*"),),
            documents.Credential("authorization", "Bearer "), api="OpenAI", prices=(price,) if metered else (),
        )  # fmt: skip
        most, day = documents.AMOUNT_MAX, documents.Window.DAY
        meters = (
            documents.Meter(documents.POLICY, documents.Kind.TOKENS, documents.Window.MINUTE, most),
            documents.Meter(documents.POLICY, documents.Kind.TOKENS, day, most),
            documents.Meter(f"route/{ROUTE}", documents.Kind.COST, day, most),
        )
        pem = self._authority.pem
        config = documents.WatchdogConfig(
            namespace="bench",
            policy="metered",
            gateway=documents.GatewayPeer(("127.0.0.1",), self._sessions, contract.GATEWAY_TLS_NAME, pem),
            hosts=(),
            requests=documents.RequestRate(MANY, MANY),
            connections=1000,
            runaway=documents.Runaway(None, None, None),
            signed_port=self._gateway,
            routes=(route,),
            upstream_ca_pem=pem,
        )
        if not metered:
            return config
        peer = documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, pem)
        return dataclasses.replace(
            config, limits=documents.Limits(meters if self._minutely else meters[1:], 1, 1), ledger=peer
        )

    def ask(self, way: Way, kind: str, *, seconds: float, concurrency: int, rate: float) -> dict[str, float]:
        """Run one load; raise when a request failed."""
        order = way.order(kind, seconds=seconds, concurrency=concurrency, rate=rate)
        return proxies.ordered(self._client, order, f"{way.proxy.name}, {kind}")


def _await_records(log: Path, kinds: list[str]) -> None:
    deadline = time.monotonic() + 15
    while missing := [kind for kind in kinds if f'"kind":"{kind}"' not in log.read_text()]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no record of {missing}: {log.read_text()[-2000:]}")
        time.sleep(0.05)
