"""The adapter to the API server against a loopback server that answers from a script."""

import asyncio
import contextlib
import http.server
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zaum_gateway.cluster import api

Answer = tuple[int, bytes]


@contextlib.contextmanager
def scripted(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """Answer each request with the next of `answers`; give the URL and the list of paths asked for."""
    left, asked = list(answers), list[str]()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = left.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def against(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a coroutine with an open client against scripted answers; give its result and what was asked."""

    def run(action: Callable[[api.ClusterApi], Awaitable[Any]], *answers: Answer) -> tuple[Any, list[str]]:
        async def whole() -> Any:
            cluster = await api.ClusterApi.open()
            try:
                return await action(cluster)
            finally:
                await cluster.close()

        with scripted(*answers) as (url, asked):
            path = tmp_path / "kubeconfig"
            user = {"name": "it", "user": {"token": "t"}}
            context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "clusters": [{"name": "it", "cluster": {"server": url}}],
                "users": [user],
                "contexts": [context],
            }
            path.write_text(json.dumps(config))
            monkeypatch.setenv("KUBECONFIG", str(path))
            # A proxy variable must not lead the API's traffic elsewhere: this one leads nowhere.
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
            return asyncio.run(whole()), asked

    return run


def page(*names: str, following: str = "", version: str = "7") -> Answer:
    items = [{"metadata": {"name": name}} for name in names]
    return 200, json.dumps({"metadata": {"resourceVersion": version, "continue": following}, "items": items}).encode()


def lines(*events: object) -> Answer:
    return 200, b"".join(json.dumps(event).encode() + b"\n" for event in events)


async def gather(cluster: api.ClusterApi) -> tuple[list[str], str]:
    bodies, version = await cluster.gather("/api/v1/pods", "a=b")
    return [body["metadata"]["name"] for body in bodies], version


async def watch(cluster: api.ClusterApi) -> list[str]:
    return [kind async for kind, _ in cluster.watch("/api/v1/pods", "a=b", "7")]


async def get(cluster: api.ClusterApi) -> api.Body:
    return await cluster.get("/openid/v1/jwks")


def test_a_long_list_is_read_page_by_page(against: Callable[..., Any]) -> None:
    (names, version), asked = against(gather, page("a", "b", following="more", version="5"), page("c", version="5"))
    assert (names, version) == (["a", "b", "c"], "5")
    assert "continue=more" in asked[1]
    assert all("labelSelector=a%3Db" in path and "limit=500" in path for path in asked)


def test_a_watch_gives_its_events_until_it_ends(against: Callable[..., Any]) -> None:
    kinds, asked = against(watch, lines({"type": "ADDED", "object": {}}, {"type": "BOOKMARK", "object": {}}))
    assert kinds == ["ADDED", "BOOKMARK"]
    assert "resourceVersion=7" in asked[0]
    assert "allowWatchBookmarks=true" in asked[0]


def test_an_event_may_be_as_long_as_an_object(against: Callable[..., Any]) -> None:
    kinds, _ = against(watch, lines({"type": "ADDED", "object": {"data": "x" * 3_000_000}}))
    assert kinds == ["ADDED"]


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (gather, (410, b"{}")),
        (watch, (410, b"{}")),
        (watch, lines({"type": "ERROR", "object": {"code": 410, "message": "too old"}})),
    ],
)
def test_a_version_that_is_too_old_asks_for_a_list(against: Callable[..., Any], action: Any, answer: Answer) -> None:
    with pytest.raises(api.Expired):
        against(action, answer)


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        (gather, (403, b"{}")),
        (gather, (404, b"{}")),
        (gather, (500, b"{}")),
        (gather, (200, b"no json")),
        (gather, (200, b"[]")),
        (get, (503, b"{}")),
        (get, (200, b"")),
        (watch, (429, b"{}")),
        (watch, (200, b"no json\n")),
        (watch, (200, b"x" * (api.LINE_MAX + 100_000))),
        (watch, lines({"type": "ADDED"})),
        (watch, lines({"object": {}})),
        (watch, lines({"type": "ERROR", "object": {"code": 500, "reason": "InternalError"}})),
    ],
)
def test_what_is_no_usable_answer_is_an_outage(against: Callable[..., Any], action: Any, answer: Answer) -> None:
    with pytest.raises(api.Unreachable):
        against(action, answer)


def test_nobody_listening_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "it", "user": {"token": "t"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))

    async def all_ways() -> None:
        cluster = await api.ClusterApi.open()
        try:
            for action in (gather, watch, get):
                with pytest.raises(api.Unreachable):
                    await action(cluster)
        finally:
            await cluster.close()

    asyncio.run(all_ways())
