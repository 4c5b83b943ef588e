"""Speak to the API server: the one importer of its client, which translates the client's errors.

JSON bodies stay dicts: the client's typed models cost twice the CPU and are not needed to read a few fields.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
from aiohttp import http_exceptions
from kubernetes import aio

PAGE: Final = 500
ASK_SECONDS: Final = 10.0
WATCH_SECONDS: Final = 60
"""Each watch ends after this long and is taken up again where it ended, so a connection that died in silence (no
FIN, no RST) hides changes for a minute at most."""
ACCEPT: Final = "application/json, application/jwk-set+json"
"""The key set has a type of its own (RFC 7517 §8.5), and the API server answers 406 to who does not take it."""
LINE_MAX: Final = 8 * 1024 * 1024
"""Bytes of one watch event. etcd holds objects of 1.5 MiB, which JSON at most doubles; more is no API server."""
_GONE: Final = 410
# What the HTTP library raises when the other side is away, breaks off or talks nonsense.
_FAULTS: Final = (aiohttp.ClientError, http_exceptions.HttpProcessingError, TimeoutError, OSError, ValueError)

Body = Mapping[str, Any]
Query = list[tuple[str, str]]
Untyped = Any
"""What the client, which has no types, takes and gives."""


class Unreachable(Exception):  # noqa: N818 - says what the cluster is
    """The API server did not give a usable answer. Ask again later; what is known stays in force."""


class Expired(Exception):  # noqa: N818 - the API's own word
    """The resource version is too old to watch from (410): list again."""


class ClusterApi:
    """List, watch and get, by path. Open in a running event loop; close it in the same."""

    def __init__(self, client: Untyped) -> None:
        self._client = client

    @staticmethod
    async def open() -> "ClusterApi":
        """Use the pod's own ServiceAccount, or the file that KUBECONFIG names."""
        loader: Untyped = aio.config
        configuration = aio.client.Configuration()
        configuration.client_session_kwargs = {"trust_env": False}  # a proxy variable must not redirect the API
        path = os.environ.get("KUBECONFIG")
        if path:
            await loader.load_kube_config(config_file=path, client_configuration=configuration)
        else:
            loader.load_incluster_config(client_configuration=configuration)
        return ClusterApi(aio.client.ApiClient(configuration))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def get(self, path: str) -> Body:
        """Get one JSON object; raise Unreachable or Expired."""
        try:
            response = await self._ask(path, [], aiohttp.ClientTimeout(total=ASK_SECONDS))
            raw = await response.read()
        except _FAULTS as error:
            raise Unreachable(_why(error)) from error
        return _object(raw)

    async def gather(self, path: str, selector: str) -> tuple[list[Body], str]:
        """Give all objects and the resource version to watch from."""
        items: list[Body] = []
        query = [("labelSelector", selector), ("limit", str(PAGE))]
        following = ""
        while True:
            page = await self._page(path, [*query, ("continue", following)] if following else query)
            items.extend(item for item in page.get("items") or () if isinstance(item, dict))
            metadata = page.get("metadata") or {}
            following = metadata.get("continue") or ""
            if not following:
                return items, str(metadata.get("resourceVersion", ""))

    async def watch(self, path: str, selector: str, version: str) -> AsyncIterator[tuple[str, Body]]:
        """Give (type, object) of each event since `version`; end when the server ends the watch."""
        query = [
            ("labelSelector", selector),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ]
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ASK_SECONDS, sock_read=WATCH_SECONDS + ASK_SECONDS)
        try:
            response = await self._ask(path, query, timeout)
            try:
                async for line in _lines(response.content):
                    yield _event(line)
            finally:
                response.close()
        except _FAULTS as error:
            raise Unreachable(_why(error)) from error

    async def _page(self, path: str, query: Query) -> Body:
        try:
            response = await self._ask(path, query, aiohttp.ClientTimeout(total=ASK_SECONDS))
            return _object(await response.read())
        except _FAULTS as error:
            raise Unreachable(_why(error)) from error

    async def _ask(self, path: str, query: Query, limits: aiohttp.ClientTimeout) -> Untyped:
        serialized = await self._client.param_serialize(
            "GET",
            path,
            query_params=[pair for pair in query if pair[1]],
            header_params={"Accept": ACCEPT},
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(*serialized, _request_timeout=limits)
        if answer.status == _GONE:
            answer.response.close()
            raise Expired(path)
        if answer.status != 200:
            answer.response.close()
            raise Unreachable(f"{path} answered {answer.status}")
        return answer.response


async def _lines(content: Untyped) -> AsyncIterator[bytes]:
    """Split a stream into lines: a stream reader's own limit is less than an object may have."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_MAX:
            raise Unreachable(f"a watch event has more than {LINE_MAX} bytes")
        for line in lines:
            yield line


def _event(line: bytes) -> tuple[str, Body]:
    event = _object(line)
    kind, body = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise Unreachable("a watch event has no type or no object")
    if kind == "ERROR":
        if body.get("code") == _GONE:
            raise Expired(str(body.get("message", "")))
        raise Unreachable(f"the watch ended: {body.get('reason', '')} {body.get('message', '')}")
    return kind, body


def _object(raw: bytes) -> Body:
    try:
        loaded = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreachable("the answer is no JSON") from error
    if not isinstance(loaded, dict):
        raise Unreachable("the answer is no JSON object")
    return loaded


def _why(error: BaseException) -> str:
    """Name an error for the log; many of the client's have no text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def pause(seconds: float) -> None:
    """Wait between two attempts."""
    await asyncio.sleep(seconds)
