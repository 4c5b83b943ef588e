"""Speak to the API server: its signing keys, whether a token still stands (TokenReview), and new Incidents.

The standard library's client on a few threads: three kinds of small requests need no Kubernetes client.
"""

import asyncio
import http.client
import json
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from threading import local
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from zaum_api import contract

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
KEYS_PATH: Final = "/openid/v1/jwks"
REVIEW_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
ASK_SECONDS: Final = 5.0
ANSWER_MAX: Final = 1024 * 1024
SAID_MAX: Final = 256
"""Characters of the API server's own words."""
THREADS: Final = 8
"""So many questions at a time: hundreds of reviews a second, and a slow API server holds no more than these."""


class Unreachable(Exception):  # noqa: N818 - says what the cluster is
    """The API server did not give a usable answer. Ask again later."""


class NotThere(Unreachable):
    """There is no such namespace, or the API server does not know of Incidents."""


class Created(Enum):
    """What has become of an object that was to be made."""

    MADE = auto()
    THERE = auto()
    """One of its name was there."""


class Verdict(Enum):
    """What the API server says of a token."""

    STANDS = auto()
    ENDED = auto()
    """Its pod or ServiceAccount is gone, or it never was a token of this audience."""
    UNKNOWN = auto()
    """Nobody could be asked."""


class Cluster(Protocol):
    """What the ledger asks of the cluster."""

    async def keys(self) -> tuple[object, object]:
        """Give the issuer and the JWK set; raise Unreachable."""

    async def review(self, token: str) -> Verdict:
        """Say whether a watchdog's token stands now."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is, and files with this pod's own token (read anew each time) and the CA."""

    url: str
    token_file: Path
    ca_file: Path | None


class ApiServer:
    """The real cluster."""

    def __init__(self, access: Access) -> None:
        self._access = access
        address = urlsplit(access.url)
        self._host, self._port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
        self._tls = ssl.create_default_context(cafile=access.ca_file) if address.scheme == "https" else None
        self._threads = ThreadPoolExecutor(THREADS, "api")
        self._own = local()

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def keys(self) -> tuple[object, object]:
        """Give the issuer and the JWK set; raise Unreachable."""
        discovery = await self._ask("GET", DISCOVERY_PATH, None)
        return discovery.get("issuer"), await self._ask("GET", KEYS_PATH, None)

    async def create(self, namespace: str, incident: Mapping[str, Any]) -> Created:
        """Make an Incident. The same again finds it there (409, AlreadyExists)."""
        path = f"/apis/{contract.API_VERSION}/namespaces/{namespace}/{contract.PLURAL_INCIDENT}"
        status, answer = await self._answer("POST", path, json.dumps(incident).encode())
        said = f"{path} answered {status}: {str(answer.get('message', ''))[:SAID_MAX]}"
        match status:
            case 200 | 201:
                return Created.MADE
            case 409 if answer.get("reason") == "AlreadyExists":
                return Created.THERE
            case 404:
                raise NotThere(said)
            case _:
                raise Unreachable(said)

    async def review(self, token: str) -> Verdict:
        """Ask by TokenReview; what cannot be asked is UNKNOWN."""
        spec = {"token": token, "audiences": [contract.AUDIENCE_LEDGER]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        try:
            answer = await self._ask("POST", REVIEW_PATH, json.dumps(body).encode())
        except Unreachable:
            return Verdict.UNKNOWN
        status = answer.get("status")
        if not isinstance(status, dict) or (status.get("error") and not status.get("authenticated")):
            # The API server tells "no" by `error` too; only a definite word about the token ends a session.
            return Verdict.ENDED if isinstance(status, dict) else Verdict.UNKNOWN
        stands = status.get("authenticated") is True and contract.AUDIENCE_LEDGER in (status.get("audiences") or ())
        return Verdict.STANDS if stands else Verdict.ENDED

    async def _ask(self, method: str, path: str, body: bytes | None) -> Mapping[str, Any]:
        status, answer = await self._answer(method, path, body)
        if status not in (200, 201):
            raise Unreachable(f"{path} answered {status}")
        return answer

    async def _answer(self, method: str, path: str, body: bytes | None) -> tuple[int, Mapping[str, Any]]:
        """Give status and JSON object; an error's body may be none, and counts as an empty one."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._exchange, method, path, body)

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, Mapping[str, Any]]:
        try:
            token = self._access.token_file.read_text("ascii").strip()
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, application/jwk-set+json"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            try:
                raw, status = self._once(method, path, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                raw, status = self._once(method, path, body, headers)  # a kept connection that the other side ended
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._drop()
            raise Unreachable(f"{path}: {type(error).__name__}") from error
        try:
            loaded = json.loads(raw)
        except (ValueError, RecursionError) as error:
            if status not in (200, 201):
                return status, {}
            raise Unreachable(f"{path}: the answer is no JSON") from error
        if not isinstance(loaded, dict):
            raise Unreachable(f"{path}: the answer is no JSON object")
        return status, loaded

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[bytes, int]:
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            raw = response.read(ANSWER_MAX + 1)
        except (OSError, http.client.HTTPException):
            self._drop()
            raise
        if len(raw) > ANSWER_MAX:
            self._drop()
            raise ValueError("too large")
        return raw, response.status

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if found is None:
            if self._tls is not None:
                found = http.client.HTTPSConnection(self._host, self._port, timeout=ASK_SECONDS, context=self._tls)
            else:
                found = http.client.HTTPConnection(self._host, self._port, timeout=ASK_SECONDS)
            self._own.connection = found
        return found

    def _drop(self) -> None:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        self._own.connection = None
        if found is not None:
            found.close()
