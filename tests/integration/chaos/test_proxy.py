"""The proxy between operator and API server: faithful without trouble, and each trouble does what its name says."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import web

from tests.chaos.proxy import Proxy, Trouble

PATH = "/api/v1/namespaces/agents/pods"


class Upstream:
    """Stands in for the API server: answers with what it was asked, and streams a line each time `tick` is called."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.ticks: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.raw_path}")
        if "watch" not in request.query:
            body = (await request.read()).decode()
            told = {"authorization": request.headers.get("Authorization"), "body": body}
            return web.json_response(told, status=201 if request.method == "POST" else 200)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(f"{await self.ticks.get()}\n".encode())


@contextlib.asynccontextmanager
async def lab() -> AsyncIterator[tuple[Upstream, Proxy, aiohttp.ClientSession]]:
    upstream = Upstream()
    runner = web.ServerRunner(web.Server(upstream.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = Proxy(f"http://127.0.0.1:{runner.addresses[0][1]}", ssl.create_default_context())
    try:
        async with made.serve() as proxy:
            base = f"http://127.0.0.1:{proxy.port}"
            async with aiohttp.ClientSession(base, timeout=aiohttp.ClientTimeout(total=5)) as session:
                yield upstream, proxy, session
    finally:
        await runner.cleanup()


def test_without_trouble_nothing_is_changed() -> None:
    async def body() -> None:
        async with lab() as (upstream, proxy, session):
            headers = {"Authorization": "Bearer x"}
            exactly = yarl.URL(f"{PATH}?fieldManager=a%2Fb", encoded=True)
            async with session.post(exactly, data=b"{}", headers=headers) as answer:
                assert (answer.status, await answer.json()) == (201, {"authorization": "Bearer x", "body": "{}"})
            assert upstream.seen == [f"POST {PATH}?fieldManager=a%2Fb"]
            assert dict(proxy.counts.writes) == {"POST pods": 1}

    asyncio.run(body())


@pytest.mark.parametrize(
    ("trouble", "method", "status", "reaches"),
    [
        (Trouble.CONFLICT, "PATCH", 409, False),
        (Trouble.CONFLICT, "GET", 200, True),
        (Trouble.TOO_MANY, "GET", 429, False),
        (Trouble.ERROR, "DELETE", 500, False),
        (Trouble.GONE, "GET", 200, True),
    ],
)
def test_a_trouble_refuses_what_it_is_for(trouble: Trouble, method: str, status: int, *, reaches: bool) -> None:
    async def body() -> None:
        async with lab() as (upstream, proxy, session), proxy.in_trouble(trouble, 0):
            async with session.request(method, f"{PATH}/x") as answer:
                told: dict[str, Any] = json.loads(await answer.read())
                assert answer.status == status
                assert reaches or (told["kind"], told["code"]) == ("Status", status)
                assert trouble is not Trouble.TOO_MANY or answer.headers["Retry-After"] == "1"
            assert bool(upstream.seen) is reaches

    asyncio.run(body())


def test_a_lost_answer_has_been_a_write() -> None:
    async def body() -> None:
        async with lab() as (upstream, proxy, session), proxy.in_trouble(Trouble.LOST_ANSWER, 0):
            with pytest.raises(aiohttp.ClientError):
                async with session.post(PATH, data=b"{}"):
                    pass
            assert upstream.seen == [f"POST {PATH}"]

    asyncio.run(body())


def test_a_watch_is_refused_with_410() -> None:
    async def body() -> None:
        async with lab() as (_, proxy, session):
            gone = proxy.in_trouble(Trouble.GONE, 0)
            async with gone, session.get(f"{PATH}?watch=true") as answer:
                assert answer.status == 410

    asyncio.run(body())


def test_a_watch_can_be_cut() -> None:
    async def body() -> None:
        async with lab() as (upstream, proxy, session), session.get(f"{PATH}?watch=true") as answer:
            upstream.ticks.put_nowait("one")
            assert await answer.content.readline() == b"one\n"
            assert proxy.cut() == 1
            with pytest.raises(aiohttp.ClientError):
                await answer.content.readline()

    asyncio.run(body())


def test_a_half_open_watch_says_nothing_and_then_breaks() -> None:
    async def body() -> None:
        async with lab() as (upstream, proxy, session), session.get(f"{PATH}?watch=true") as answer:
            upstream.ticks.put_nowait("one")
            assert await answer.content.readline() == b"one\n"
            reading = asyncio.create_task(answer.content.readline())
            async with proxy.in_trouble(Trouble.HALF_OPEN, 0.2):
                upstream.ticks.put_nowait("two")
                done, _ = await asyncio.wait({reading}, timeout=0.1)
                assert not done
            with pytest.raises(aiohttp.ClientError):
                await reading

    asyncio.run(body())
