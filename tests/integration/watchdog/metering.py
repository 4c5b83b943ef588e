"""A provider behind the gateway, with books of its own, and calls of it as an SDK makes them."""

import contextlib
import http.client
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.cluster.world import provider
from tests.integration.watchdog import conftest, rig, upstream, world
from zaum_api import contract, documents

TOKENS_MINUTE = (documents.POLICY, documents.Kind.TOKENS, documents.Window.MINUTE)
TOKENS_DAY = (documents.POLICY, documents.Kind.TOKENS, documents.Window.DAY)
COST_DAY = (documents.POLICY, documents.Kind.COST, documents.Window.DAY)
PRICE = documents.Price("world-1", 2_000_000, 500_000, 2_500_000, 8_000_000)
POST = documents.Allowed(("POST",), "/*")
OPENAI = documents.Route("openai", conftest.NAMED, 443, "/v1", (POST,), api="OpenAI", prices=(PRICE,))
ANTHROPIC = documents.Route("anthropic", conftest.NAMED, 443, "", (POST,), api="Anthropic", prices=(PRICE,))
PATHS = {
    "chat": "/openai/chat/completions",
    "responses": "/openai/responses",
    "embeddings": "/openai/embeddings",
    "messages": "/anthropic/v1/messages",
}
TEXTS: Mapping[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Say it in a few words, and then once more, please."}]},
    "responses": {"input": "Say it in a few words, and then once more, please."},
    "embeddings": {"input": ["Say it in a few words", "and then once more, please."]},
    "messages": {"messages": [{"role": "user", "content": "Say it in a few words, please."}], "max_tokens": 64},
}


def body(kind: str, **more: object) -> bytes:
    """Write what an SDK would send."""
    return json.dumps({"model": "world-1", **TEXTS[kind], **more}).encode()


class Provider:
    """Answers from the upstream's threads; `used` are its books."""

    def __init__(self, api: upstream.Upstream) -> None:
        self.used: list[provider.Used] = []
        self.bodies: list[dict[str, Any]] = []
        self.pause: Callable[[], object] = lambda: None
        """Called between the pieces of an answer."""
        api.answer = self._answer

    def _answer(self, asked: upstream.Asked) -> None:
        lines = [line.partition(b": ") for line in asked.head.split(b"\r\n")[1:]]
        headers = {name.decode().lower(): value.decode() for name, _, value in lines}
        self.bodies.append(json.loads(asked.body))
        reply = provider.reply(asked.line.split(" ")[1], headers, asked.body)
        self.used.append(reply.used)
        if not reply.status:
            raise EOFError
        more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        framing = "transfer-encoding: chunked" if reply.streamed else f"content-length: {_length(reply)}"
        head = f"HTTP/1.1 {reply.status} X\r\ncontent-type: {reply.content_type}\r\n{more}{framing}\r\n\r\n"
        asked.send(head.encode())
        for piece in reply.pieces if reply.streamed else _halves(b"".join(reply.pieces)):
            asked.send(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.streamed else piece)
            self.pause()
        if not reply.complete:
            raise EOFError
        if reply.streamed:
            asked.send(b"0\r\n\r\n")


def _halves(whole: bytes) -> tuple[bytes, bytes]:
    return whole[: len(whole) // 2], whole[len(whole) // 2 :]


def _length(reply: provider.Reply) -> int:
    return sum(map(len, reply.pieces)) * (1 if reply.complete else 2)


def call(
    watchdog: rig.Watchdog, kind: str, *, raw: bytes | None = None, path: str = "", **headers: str
) -> rig.Answer | None:
    """Ask, and read the answer to its end; None where it has none."""
    connection = http.client.HTTPConnection("127.0.0.1", watchdog.routes, timeout=world.WAIT)
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    with contextlib.closing(connection):
        try:
            connection.request("POST", path or PATHS[kind], body(kind) if raw is None else raw, sent)
            response = connection.getresponse()
            head = {name.lower(): value for name, value in response.getheaders()}
            return rig.Answer(response.status, head, response.read())
        except (ConnectionError, http.client.HTTPException):
            return None


def cost(used: provider.Used) -> int:
    """Give what the provider would charge, in micro-dollars."""
    price = PRICE
    parts = (used.input - used.cached) * price.input + used.cached * price.cached_input + used.output * price.output
    return -(-parts // 1_000_000)


def eventually(check: Callable[[], bool], what: str) -> None:
    """Wait for something that another thread does."""
    until = time.monotonic() + world.WAIT
    while not check():
        assert time.monotonic() < until, what
        time.sleep(0.01)


class Ledger:
    """A ledger of one policy with one pod: lends what is left of each limit, and adds up what was spent of it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._lent: dict[str, tuple[str, int]] = {}
        self._spent: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self.answers = True
        self.counters = documents.Counters()
        self.syncs: list[documents.Sync] = []
        self._orders: list[documents.Order] = []
        self.server = world.Server(self._serve)

    def spent(self, meter: str) -> int:
        """Give what the watchdog said that it spent."""
        with self._lock:
            return sum(self._spent.get(lease, 0) for lease, (name, _) in self._lent.items() if name == meter)

    def _serve(self, accepted: socket.socket) -> None:
        with self._context.wrap_socket(accepted, server_side=True) as tls:
            self.server.hand_over(tls)
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    data = tls.recv(65536)
                    if not data:
                        return
                    rest += data
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
                while len(rest) < length:
                    rest += tls.recv(65536)
                body, rest = rest[:length], rest[length:]
                if not self.answers:
                    return
                if head.startswith(b"GET "):
                    orders = self._awaited(tls, int(head.partition(b"&after=")[2].partition(b" ")[0]))
                    if orders is None:
                        return
                    said = orders.dump()
                else:
                    said = self._synced(documents.Sync.parse(body)).dump()
                tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said)

    def order(self, action: documents.Action, reason: str = "Manual") -> None:
        """Order something of whoever asks."""
        self._orders.append(documents.Order(len(self._orders) + 1, action, reason))

    def _awaited(self, tls: ssl.SSLSocket, after: int) -> documents.Orders | None:
        """Wait until there are orders after a number; None: whoever asked has gone."""
        tls.settimeout(0.02)
        while len(self._orders) <= after:
            with contextlib.suppress(TimeoutError):
                tls.recv(1)  # Nothing more comes on this connection.
                return None
        tls.settimeout(world.WAIT)
        return documents.Orders(tuple(self._orders[after:]))

    def _synced(self, sync: documents.Sync) -> documents.Synced:
        with self._lock:
            self.counters = sync.counters
            self.syncs.append(sync)
            self._spent |= {spent.lease: spent.amount for spent in sync.spent}
            for returned in sync.returned:
                self._lent[returned] = (self._lent[returned][0], self._spent.get(returned, 0))
            limits = {meter.id: meter.limit for meter in sync.meters}
            leases, refused = [], []
            for want in sync.wants if sync.session else ():
                left = limits[want.meter] - self._used(want.meter)
                if want.amount <= left:
                    lease = documents.Lease(f"lease-{next(self._numbers)}", want.meter, want.amount, 120)
                    self._lent[lease.id] = (want.meter, want.amount)
                    leases.append(lease)
                else:
                    refused.append(documents.Refused(want.meter, left, 3600))
            used = tuple(documents.Used(meter, self._used(meter), limit, 3600) for meter, limit in limits.items())
            return documents.Synced("session-1", sync.sequence, tuple(leases), (), tuple(refused), used)

    def _used(self, meter: str) -> int:
        return sum(amount for name, amount in self._lent.values() if name == meter)


class Gateway(world.Gateway):
    """Leads the ledger's name to the ledger, and all others to the provider."""

    ledger: Ledger

    def tunnel(self, head: bytes, near: socket.socket) -> None:
        if not head.startswith(f"CONNECT {contract.LEDGER_TLS_NAME}:{contract.LEDGER_PORT} ".encode()):
            super().tunnel(head, near)
            return
        with socket.create_connection(("127.0.0.1", self.ledger.server.port), world.WAIT) as outside:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            world.relay(near, outside)


def limits(*limited: tuple[str, documents.Kind, documents.Window, int]) -> documents.Limits:
    """Limit something for one pod."""
    return documents.Limits(tuple(documents.Meter(*each) for each in limited), replicas=1, generation=1)
