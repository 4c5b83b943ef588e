"""Talk to an API server as the tests do: dicts in, dicts out, and waiting by watching instead of by sleeping.

The official client brings the connection and the credentials of the kubeconfig; requests are plain HTTP, so that a
test sees exactly what the API server said.
"""

import json
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import kubernetes.client
import kubernetes.config
import urllib3

Object = dict[str, Any]

PATHS: Final[dict[str, tuple[str, bool]]] = {
    "namespaces": ("/api/v1", False),
    "nodes": ("/api/v1", False),
    "pods": ("/api/v1", True),
    "services": ("/api/v1", True),
    "configmaps": ("/api/v1", True),
    "secrets": ("/api/v1", True),
    "serviceaccounts": ("/api/v1", True),
    "resourcequotas": ("/api/v1", True),
    "persistentvolumeclaims": ("/api/v1", True),
    "persistentvolumes": ("/api/v1", False),
    "events": ("/api/v1", True),
    "deployments": ("/apis/apps/v1", True),
    "networkpolicies": ("/apis/networking.k8s.io/v1", True),
    "storageclasses": ("/apis/storage.k8s.io/v1", False),
    "priorityclasses": ("/apis/scheduling.k8s.io/v1", False),
    "roles": ("/apis/rbac.authorization.k8s.io/v1", True),
    "rolebindings": ("/apis/rbac.authorization.k8s.io/v1", True),
    "leases": ("/apis/coordination.k8s.io/v1", True),
    "clusterroles": ("/apis/rbac.authorization.k8s.io/v1", False),
    "clusterrolebindings": ("/apis/rbac.authorization.k8s.io/v1", False),
    "agentceilings": ("/apis/zaum.dev/v1alpha1", False),
    "agentpolicies": ("/apis/zaum.dev/v1alpha1", True),
    "incidents": ("/apis/zaum.dev/v1alpha1", True),
    "customresourcedefinitions": ("/apis/apiextensions.k8s.io/v1", False),
    "validatingadmissionpolicies": ("/apis/admissionregistration.k8s.io/v1", False),
    "validatingadmissionpolicybindings": ("/apis/admissionregistration.k8s.io/v1", False),
}
"""Resource → API prefix, and whether it lives in a namespace."""

REQUEST_SECONDS: Final = 30.0


class RefusedError(Exception):
    """The API server answered with a status of 400 or above."""

    def __init__(self, status: int, message: str, reason: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.message = message
        self.reason = reason


class NotSeenError(AssertionError):
    """What a test waited for did not come in time."""


@dataclass(frozen=True)
class User:
    """Whom a request impersonates."""

    name: str
    groups: tuple[str, ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        return [("Impersonate-User", self.name), *(("Impersonate-Group", group) for group in self.groups)]


def service_account(namespace: str, name: str) -> User:
    """Act as a ServiceAccount."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


@dataclass
class Api:
    """One API server; `user` None means whoever the kubeconfig names."""

    user: User | None = None
    _client: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self._client is None:
            self._client = kubernetes.config.new_client_from_config()  # type: ignore[no-untyped-call]

    def as_user(self, user: User) -> "Api":
        """Give the same API server as seen by somebody else."""
        return Api(user=user, _client=self._client)

    def create(self, resource: str, body: Object, *, sub: str = "", name: str = "", dry_run: bool = False) -> Object:
        """POST an object into its own namespace; `name` and `sub` for a subresource."""
        namespace = body.get("metadata", {}).get("namespace", "")
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self._json("POST", url(resource, namespace, name, sub), body, query=query)

    def apply(self, resource: str, body: Object, *, dry_run: bool = False, sub: str = "") -> Object:
        """Apply on the server's side, strictly validated, as field manager `e2e`."""
        query = {"fieldManager": "e2e", "force": "true", "fieldValidation": "Strict"} | (
            {"dryRun": "All"} if dry_run else {}
        )
        meta = body["metadata"]
        target = url(resource, meta.get("namespace", ""), meta["name"], sub)
        return self._json("PATCH", target, body, query=query, content="application/apply-patch+yaml")

    def merge(self, resource: str, namespace: str, name: str, patch: Object, *, sub: str = "") -> Object:
        """Merge-patch an object."""
        return self._json("PATCH", url(resource, namespace, name, sub), patch, content="application/merge-patch+json")

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """Read one object."""
        return self._json("GET", url(resource, namespace, name))

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        """Read one object, None where it is not."""
        try:
            return self.get(resource, namespace, name)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def items(self, resource: str, namespace: str = "", *, labels: str = "") -> list[Object]:
        """List objects of one namespace, or of all."""
        listed = self._json("GET", url(resource, namespace), query={"labelSelector": labels} if labels else {})
        return list(listed["items"])

    def delete(self, resource: str, namespace: str, name: str, *, dry_run: bool = False) -> None:
        """Delete one object; one that is not there is fine."""
        try:
            self._json("DELETE", url(resource, namespace, name), query={"dryRun": "All"} if dry_run else {})
        except RefusedError as error:
            if error.status != 404:
                raise

    def until(
        self, resource: str, namespace: str, name: str, holds: Callable[[Object], bool], *, seconds: float, what: str
    ) -> Object:
        """Wait until the object exists and `holds` is true of it."""
        last: Object = {}
        for _, seen in self.changes(resource, namespace, fields=f"metadata.name={name}", seconds=seconds):
            last = seen
            if holds(seen):
                return seen
        raise NotSeenError(f"{what}: not within {seconds} s; last seen: {json.dumps(brief(last))[:3000]}")

    def until_gone(self, resource: str, namespace: str, name: str, *, seconds: float) -> None:
        """Wait until the object is not there."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.find(resource, namespace, name) is None:
                return
            # In short turns: what goes between the look and the watch is never reported.
            turn = min(left, 2.0)
            for kind, _ in self.changes(resource, namespace, fields=f"metadata.name={name}", seconds=turn):
                if kind == "DELETED":
                    return
        raise NotSeenError(f"{resource} {namespace}/{name} is still there after {seconds} s")

    def until_any(
        self, resource: str, namespace: str, labels: str, holds: Callable[[Object], bool], *, seconds: float, what: str
    ) -> Object:
        """Wait until an object with these labels is there of which `holds` is true."""
        last: Object = {}
        for kind, seen in self.changes(resource, namespace, labels=labels, seconds=seconds):
            last = seen
            if kind != "DELETED" and holds(seen):
                return seen
        raise NotSeenError(f"{what}: not within {seconds} s; last seen: {json.dumps(brief(last))[:3000]}")

    def changes(
        self, resource: str, namespace: str, *, seconds: float, labels: str = "", fields: str = ""
    ) -> Iterator[tuple[str, Object]]:
        """List, then watch: yield (type, object) for what is there and for every change, until time is up."""
        deadline = time.monotonic() + seconds
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        listed = self._listed(url(resource, namespace), query, deadline)
        for item in listed["items"]:
            yield "LISTED", item
        version = listed["metadata"]["resourceVersion"]
        while (left := deadline - time.monotonic()) > 0:
            watch = query | {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(max(1, int(left + 1)))}
            for line in self._lines(url(resource, namespace), watch, seconds=left):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise RefusedError(event["object"].get("code", 0), event["object"].get("message", ""), "watch")
                version = event["object"]["metadata"]["resourceVersion"]
                yield event["type"], event["object"]

    def _listed(self, path: str, query: Mapping[str, str], deadline: float) -> Object:
        """List, again while the API server says to come again: for a while of a kind that is new to it."""
        while True:
            try:
                return self._json("GET", path, query=query)
            except RefusedError as error:
                if error.status != 429 or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def log(self, namespace: str, pod: str, *, container: str = "agent", seconds: float) -> Iterator[str]:
        """Yield the lines of a container's log from its beginning, until it ends or time is up."""
        target = url("pods", namespace, pod, "log")
        yield from self._lines(target, {"container": container, "follow": "true"}, seconds=seconds)

    def log_so_far(self, namespace: str, pod: str, *, container: str = "agent") -> list[str]:
        """Read what a container has printed until now."""
        answer = self.send("GET", url("pods", namespace, pod, "log"), query={"container": container})
        text: str = answer.data.decode(errors="replace")
        return text.splitlines()

    def send(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None,
        content: str = "application/json", stream: bool = False, seconds: float = REQUEST_SECONDS,
        accept: str = "application/json",
    ) -> Any:  # fmt: skip
        """Send one request; RefusedError for 400 and above."""
        configuration = self._client.configuration
        headers = urllib3.HTTPHeaderDict({"Accept": accept, "Content-Type": content})
        token = configuration.get_api_key_with_prefix("authorization")
        if token:
            headers.add("Authorization", token)
        for key, value in self.user.headers() if self.user else []:
            headers.add(key, value)
        target = configuration.host + path
        if query:
            target += "?" + urllib.parse.urlencode(query)
        answer = self._client.rest_client.pool_manager.request(
            method, target, body=json.dumps(body).encode() if body is not None else None, headers=headers,
            preload_content=not stream, retries=False, timeout=urllib3.Timeout(connect=5.0, read=max(0.05, seconds)),
        )  # fmt: skip
        if answer.status >= 400:
            raise refusal(answer.status, answer.data)
        return answer

    def _json(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Object:  # fmt: skip
        loaded: Object = json.loads(self.send(method, path, body, query=query, content=content).data)
        return loaded

    def _lines(self, path: str, query: Mapping[str, str], *, seconds: float) -> Iterator[str]:
        deadline = time.monotonic() + seconds
        answer = self.send("GET", path, query=query, stream=True, seconds=seconds)
        rest = b""
        try:
            for chunk in answer.stream(65536, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
                if time.monotonic() > deadline:
                    return
            if rest:
                yield rest.decode(errors="replace")
        except (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError):
            return  # the bound of the wait, or the stream's end: the caller looks at what it has
        finally:
            answer.close()


def again(seconds: float) -> Iterator[None]:
    """Give turns until time is up, for what only asking shows: who learns of an object by a watch of its own."""
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        time.sleep(0.05)
        yield


def url(resource: str, namespace: str = "", name: str = "", sub: str = "") -> str:
    """Build a resource's path."""
    prefix, namespaced = PATHS[resource]
    parts = [prefix]
    if namespaced and namespace:
        parts.append(f"namespaces/{namespace}")
    parts += [part for part in (resource, name, sub) if part]
    return "/".join(parts)


def refusal(status: int, data: bytes) -> RefusedError:
    """Turn an error's body into RefusedError."""
    try:
        body = json.loads(data)
    except ValueError:
        return RefusedError(status, data.decode(errors="replace")[:2000], "")
    return RefusedError(status, str(body.get("message", "")), str(body.get("reason", "")))


def brief(seen: Object) -> Object:
    """What of an object helps to see why a wait failed."""
    meta = seen.get("metadata", {})
    kept = {key: meta[key] for key in ("name", "annotations", "deletionTimestamp") if key in meta}
    return {"metadata": kept, "status": seen.get("status", {})}


def condition(seen: Object, kind: str) -> Object:
    """Give one condition of an object's status, {} where it has none."""
    listed = seen.get("status", {}).get("conditions") or []
    return next((item for item in listed if item["type"] == kind), {})
