"""The adapter to a real API server: the only module that imports the Kubernetes client.

Bodies are dicts. What is not in the table of access is not sent. Answers that are errors become `errors`.
"""

import asyncio
import json
import os
import urllib.parse
from typing import Any, Final

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.gate import REQUEST_SECONDS, Gate
from zaum_operator.cluster.port import LOG_BYTES, LOG_LINES, Listing, Take
from zaum_operator.core import access, kinds
from zaum_operator.core.access import Grant, Scope, Verb
from zaum_operator.core.kinds import Kind, Object, Operations
from zaum_operator.metrics import Metrics

CONNECTIONS: Final = 64
PAGE: Final = 25
"""Parsing a page and taking it in holds the loop, some 10 ms for every 50 pods; and it is whole in memory."""
NO_HINT_SECONDS: Final = 1.0
"""How long a 429 without Retry-After stops us."""
POD_GRACE_SECONDS: Final = 5
"""What an agent whose pod is deleted has to end by itself; one that is contained has less, by its pod's own grace."""
_JSON: Final = "application/json"
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_JSON_PATCH: Final = "application/json-patch+json"
_SERVER_SIDE: Final = (("fieldManager", contract.FIELD_MANAGER), ("force", "true"))


class Client:
    """An API server behind the official client. `table` is all that may be sent."""

    def __init__(
        self,
        api: Any,  # noqa: ANN401 - untyped library
        *,
        table: tuple[Grant, ...],
        release_namespace: str,
        metrics: Metrics,
        gate: Gate,
    ) -> None:
        self._api = api
        self._table = table
        self._release = release_namespace
        self._metrics = metrics
        self._gate = gate

    async def close(self) -> None:
        """Close all connections."""
        await self._api.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """Give one object, None when it does not exist.

        Where the table grants no `get`, it is a list by name: the API server authorises and serves that alike.
        """
        if not self._may(Verb.GET, kind, namespace, name=name):
            found = await self.list(kind, namespace, name=name)
            return found[0] if found else None
        try:
            return await self._send(Verb.GET, kind, namespace, name)
        except errors.NotFoundError:
            return None

    async def list(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", name: str = ""
    ) -> list[Object]:
        """Give all objects of a kind, page by page; with `name` that one alone."""
        query = {"labelSelector": selector} if selector else {}
        query |= {"fieldSelector": f"metadata.name={name}"} if name else {}
        return (await self._pages(kind, namespace, query)).items

    async def listing(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", take: Take | None = None
    ) -> Listing:
        """Give the same with the version of the list, which is the same on all its pages; or hand over each page."""
        return await self._pages(kind, namespace, {"labelSelector": selector} if selector else {}, take)

    async def _pages(
        self, kind: Kind, namespace: str | None, query: dict[str, str], take: Take | None = None
    ) -> Listing:
        items: list[Object] = []
        query["limit"] = str(PAGE)
        while True:
            page = await self._send(Verb.LIST, kind, namespace, query=query)
            named = [{"apiVersion": kind.api_version, "kind": kind.name} | item for item in page.get("items") or ()]
            if take is None:
                items += named
            else:
                take(named)
            metadata = page.get("metadata") or {}
            del page, named  # or two pages are in memory when the next one comes
            if not metadata.get("continue"):
                return Listing(items, _number(metadata.get("resourceVersion")))
            query["continue"] = metadata["continue"]

    async def apply(self, kind: Kind, body: Object) -> Object:
        """Apply an object server-side."""
        metadata = body["metadata"]
        return await self._send(
            Verb.PATCH,
            kind,
            metadata.get("namespace"),
            metadata["name"],
            body=body,
            query=dict(_SERVER_SIDE),
            content=_APPLY,
        )

    async def apply_status(self, kind: Kind, body: Object) -> Object:
        """Apply the status of an object server-side."""
        metadata = body["metadata"]
        return await self._send(
            Verb.PATCH, kind, metadata.get("namespace"), metadata["name"],
            body=body, query=dict(_SERVER_SIDE), content=_APPLY, subresource="status",
        )  # fmt: skip

    async def create(self, kind: Kind, body: Object) -> Object:
        """Create an object."""
        query = {"fieldManager": contract.FIELD_MANAGER}
        return await self._send(Verb.CREATE, kind, body["metadata"].get("namespace"), body=body, query=query)

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: dict[str, Any], *, subresource: str = ""
    ) -> Object:
        """Merge-patch an object or its subresource."""
        query = {"fieldManager": contract.FIELD_MANAGER}
        return await self._send(
            Verb.PATCH, kind, namespace, name, body=patch, query=query, content=_MERGE, subresource=subresource
        )

    async def json_patch(
        self, kind: Kind, namespace: str | None, name: str, patch: Operations, *, subresource: str = ""
    ) -> Object:
        """Patch an object by RFC 6902; a `test` that does not hold is an InvalidError (422)."""
        query = {"fieldManager": contract.FIELD_MANAGER}
        return await self._send(
            Verb.PATCH, kind, namespace, name, body=patch, query=query, content=_JSON_PATCH, subresource=subresource
        )

    async def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str = "") -> Object | None:
        """Delete an object; one that is gone, or that another has replaced, is no error."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if kind is kinds.POD:
            options["gracePeriodSeconds"] = POD_GRACE_SECONDS
        try:
            answer = await self._send(Verb.DELETE, kind, namespace, name, body=options)
        except errors.NotFoundError:
            return None
        except errors.ConflictError:
            if not uid:
                raise
            return None
        # A Status where it went at once; else the object, which may still wait for its grace or for finalizers.
        leaving = (answer.get("metadata") or {}).get("deletionTimestamp")
        return {"apiVersion": kind.api_version, "kind": kind.name} | answer if leaving else None

    async def log(self, namespace: str, pod: str, container: str) -> str:
        """Give the end of a container's log, which is no JSON."""
        request = f"get pods/log {namespace}/{pod}"
        self._check(request, Verb.GET, kinds.POD, namespace=namespace, name=pod, subresource="log")
        query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        path = _path(kinds.POD, namespace, pod, "log", query)
        status, text, _ = await self._exchange(
            request, "GET", path, content=_JSON, body=None, seconds=REQUEST_SECONDS, accept="*/*"
        )
        if status != 200:
            _answer(request, status, text)
        return text

    async def _send(
        self,
        verb: Verb,
        kind: Kind,
        namespace: str | None,
        name: str = "",
        *,
        body: Object | Operations | None = None,
        query: dict[str, str] | None = None,
        content: str = _JSON,
        subresource: str = "",
    ) -> Object:
        request = f"{verb.value} {kind.plural}{f'/{subresource}' if subresource else ''} {namespace or ''}/{name}"
        self._check(request, verb, kind, namespace=namespace, name=name, subresource=subresource)
        method = {Verb.GET: "GET", Verb.LIST: "GET", Verb.CREATE: "POST", Verb.PATCH: "PATCH", Verb.DELETE: "DELETE"}[
            verb
        ]
        reads = verb in {Verb.GET, Verb.LIST}
        patient = reads and kind is not kinds.LEASE
        seconds = REQUEST_SECONDS if patient else await self._gate.enter(request, kind)
        path = _path(kind, namespace, name, subresource, query)
        status, text, after = await self._exchange(request, method, path, content=content, body=body, seconds=seconds)
        if not reads:
            self._metrics.writes.labels(verb.value, kind.name).inc()
        if status == 409:
            self._metrics.conflicts.labels(kind.name).inc()
        if status == 429:
            self._gate.pause(after)
            raise errors.OverloadedError(request, status, text[:300], after)
        return _answer(request, status, text)

    def _check(
        self, request: str, verb: Verb, kind: Kind, *, namespace: str | None, name: str, subresource: str
    ) -> None:
        if not self._may(verb, kind, namespace, name=name, subresource=subresource):
            raise errors.NotInTableError(request, 0, "is not in the table of access")

    def _may(self, verb: Verb, kind: Kind, namespace: str | None, *, name: str, subresource: str = "") -> bool:
        resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
        wanted = Grant(kind.group, resource, verb, Scope.CLUSTER, (name,) if name else ())
        across = kind.namespaced and namespace is None
        return access.allows(self._table, wanted, release=namespace == self._release, across=across)

    async def _exchange(
        self,
        request: str,
        method: str,
        path: str,
        *,
        content: str,
        body: Object | Operations | None,
        seconds: float,
        accept: str = _JSON,
    ) -> tuple[int, str, float]:
        headers = {"Accept": accept, "Content-Type": content}
        # Asked for at each request: in a pod the token is renewed on disk, and the library reads it again.
        token = await self._api.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        try:
            response = await self._api.rest_client.request(
                method,
                self._api.configuration.host + path,
                headers=headers,
                body=body,
                _request_timeout=seconds,
            )
            raw = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, kubernetes_client.ApiException) as error:
            raise errors.UnavailableError(request, 0, f"{type(error).__name__}: {error}") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # A task inside the library was ended, not we: kopf ends all that were born after it when it stops.
            raise errors.UnavailableError(request, 0, "the connection's task was ended") from error
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw or "")
        return int(response.status), text, _seconds(response.headers.get("Retry-After"))


async def connect(*, table: tuple[Grant, ...], release_namespace: str, metrics: Metrics, gate: Gate) -> Client:
    """Connect with the pod's ServiceAccount, or outside a pod with the kubeconfig."""
    configuration = kubernetes_client.Configuration()
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        kubernetes_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await kubernetes_config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = CONNECTIONS
    api = kubernetes_client.ApiClient(configuration=configuration)
    return Client(api, table=table, release_namespace=release_namespace, metrics=metrics, gate=gate)


def _path(kind: Kind, namespace: str | None, name: str, subresource: str, query: dict[str, str] | None) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = f"/namespaces/{_quoted(namespace)}" if namespace and kind.namespaced else ""
    path = f"{root}{scope}/{kind.plural}" + "".join(f"/{_quoted(part)}" for part in (name, subresource) if part)
    return f"{path}?{urllib.parse.urlencode(query)}" if query else path


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")


def _answer(request: str, status: int, text: str) -> Object:
    answer = _object(text)
    if 200 <= status < 300:
        return answer
    causes = tuple(str(cause.get("reason", "")) for cause in (answer.get("details") or {}).get("causes") or ())
    raise errors.of_status(
        request, status, str(answer.get("reason", "")), str(answer.get("message", text[:300])), causes
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _seconds(text: str | None) -> float:
    """Read Retry-After; a date or none of all counts as the usual pause."""
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else NO_HINT_SECONDS


def _object(text: str) -> Object:
    """Read a body; one that is no JSON object (a proxy's page, a cut answer) reads as empty."""
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return dict(answer) if isinstance(answer, dict) else {}
