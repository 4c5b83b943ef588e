"""A reverse proxy on loopback between the operator and the API server that does to requests what bad networks do."""

import asyncio
import contextlib
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import aiohttp
import yarl
from aiohttp import web

HOST: Final = "127.0.0.1"
CHUNK: Final = 65536
NO_ANSWER_SECONDS: Final = 20.0
HALF_OPEN_SECONDS: Final = 60.0
"""Bounds: whoever still waits then is let go."""
SLOW_SECONDS: Final = 0.7
WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOP: Final = frozenset({"connection", "host", "transfer-encoding", "content-length", "keep-alive", "content-encoding"})


class Trouble(Enum):
    """What is done to requests while it lasts."""

    CONFLICT = 409
    GONE = 410
    TOO_MANY = 429
    ERROR = 500
    NO_ANSWER = "no answer"
    LOST_ANSWER = "the answer is lost"
    SLOW = "late"
    HALF_OPEN = "streams are silent"


@dataclass
class Counts:
    """What passed: writes by verb and resource, and all requests by method."""

    writes: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass
class Proxy:
    """Forwards to `upstream` (a URL); `trouble` is what holds at the moment."""

    upstream: str
    trust: ssl.SSLContext
    counts: Counts = field(default_factory=Counts)
    _trouble: Counter[Trouble] = field(default_factory=Counter)
    _streams: dict[int, web.BaseRequest] = field(default_factory=dict)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no stream is silent."""
    _answers: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when requests that got no answer are let go."""
    _session: aiohttp.ClientSession | None = None
    port: int = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        """Listen on loopback, on a free port, for the time of the block."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        connector = aiohttp.TCPConnector(ssl=self.trust, limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._session = session
            runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1.0)
            await runner.setup()
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            self.port = runner.addresses[0][1]
            try:
                yield self
            finally:
                self.cut()
                await runner.cleanup()

    @contextlib.asynccontextmanager
    async def in_trouble(self, trouble: Trouble, seconds: float) -> AsyncIterator[None]:
        """Have a trouble for the time of the block, which lasts `seconds`."""
        self._trouble[trouble] += 1
        if trouble is Trouble.HALF_OPEN:
            self._heard.clear()
        if trouble is Trouble.NO_ANSWER:
            self._answers.clear()
        try:
            yield
            await asyncio.sleep(seconds)
        finally:
            self._trouble[trouble] -= 1
            if trouble is Trouble.NO_ANSWER and not self._trouble[trouble]:
                self._answers.set()
            if trouble is Trouble.HALF_OPEN and not self._trouble[trouble]:
                self._heard.set()
                self.cut()

    def cut(self) -> int:
        """Abort every watch that is open; say how many."""
        streams, self._streams = self._streams, {}
        for request in streams.values():
            _abort(request)
        return len(streams)

    def _has(self, trouble: Trouble) -> bool:
        return self._trouble[trouble] > 0

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        watch = request.query.get("watch") in {"true", "1"}
        writes = request.method in WRITES
        self.counts.requests["WATCH" if watch else request.method] += 1
        refusal = self._refusal(request.path, writes=writes, watch=watch)
        if refusal is not None:
            self.counts.refused[str(refusal.status)] += 1
            return refusal
        if self._has(Trouble.NO_ANSWER) and not watch:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NO_ANSWER_SECONDS):
                    await self._answers.wait()
            return _drop(request)
        if self._has(Trouble.SLOW):
            await asyncio.sleep(SLOW_SECONDS)
        return await self._forward(request, watch=watch, writes=writes)

    def _refusal(self, path: str, *, writes: bool, watch: bool) -> web.Response | None:
        lease = "/leases/" in path or path.endswith("/leases")
        if self._has(Trouble.CONFLICT) and writes and not lease:
            return _status(409, "Conflict", "the object has been modified; apply your changes to the latest version")
        if self._has(Trouble.GONE) and watch:
            return _status(410, "Expired", "too old resource version")
        if self._has(Trouble.TOO_MANY):
            return _status(429, "TooManyRequests", "the server has received too many requests", {"Retry-After": "1"})
        if self._has(Trouble.ERROR):
            return _status(500, "InternalError", "etcdserver: leader changed")
        return None

    async def _forward(self, request: web.BaseRequest, *, watch: bool, writes: bool) -> web.StreamResponse:
        assert self._session is not None
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
        body = await request.read()
        exactly = yarl.URL(self.upstream + request.raw_path, encoded=True)
        try:
            answer = await self._session.request(
                request.method, exactly, headers=headers, data=body or None, allow_redirects=False
            )
        except aiohttp.ClientError:
            return _drop(request)
        async with answer:
            if writes and answer.status < 300:
                self.counts.writes[f"{request.method} {_resource(request.path)}"] += 1
            if writes and self._has(Trouble.LOST_ANSWER):
                return _drop(request)
            return await self._answer(request, answer, watch=watch)

    async def _answer(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, *, watch: bool
    ) -> web.StreamResponse:
        dropped = _HOP - {"content-encoding"}
        headers = {key: value for key, value in answer.headers.items() if key.lower() not in dropped}
        response = web.StreamResponse(status=answer.status, headers=headers)
        try:
            if not watch:
                return web.Response(status=answer.status, headers=headers, body=await answer.read())
            self._streams[id(request)] = request
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                if self._has(Trouble.HALF_OPEN):
                    await self._silence()
                    return _drop(request)
                await response.write(chunk)
            await response.write_eof()
        except (aiohttp.ClientError, ConnectionError):
            return _drop(request)
        finally:
            self._streams.pop(id(request), None)
        return response

    async def _silence(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HALF_OPEN_SECONDS):
                await self._heard.wait()


def _resource(path: str) -> str:
    """Give the resource of a path of the API (and the subresource): what follows the group, version and namespace."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(part for index, part in enumerate(parts) if index != 1)


def _status(code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip
    return web.Response(status=code, text=json.dumps(body), content_type="application/json", headers=headers)


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _drop(request: web.BaseRequest) -> web.Response:
    """Break the connection instead of answering; what is returned reaches nobody."""
    _abort(request)
    return web.Response(status=502)
