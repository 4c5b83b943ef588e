"""The cluster as its kubeconfig's user sees it. The only module that imports the Kubernetes client."""

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

import urllib3
from kubernetes import client, config

from zaum_api import contract
from zaum_cli import errors
from zaum_cli.core import columns

TIMEOUT: Final = (10, 60)
"""Seconds to connect, and between two pieces of an answer."""
PAGE: Final = "200"
ACCEPT: Final = "application/json, */*"
_CONTENT: Final = {"POST": "application/json", "PATCH": "application/merge-patch+json"}


class Missing(Exception):  # noqa: N818 - an outcome, not an error
    """What was asked for is not there."""


class Taken(Exception):  # noqa: N818 - an outcome, not an error
    """An object of that name is there."""


class Cluster:
    """Reads objects and logs, makes and changes Incidents."""

    def __init__(self, *, kubeconfig: str | None, context: str | None) -> None:
        """Raise CommandError where there is no kubeconfig, or no such context in it."""
        wanted = client.Configuration()
        wanted.retries = False  # Whoever waits at a prompt rather reads why.
        try:
            contexts, current = config.list_kube_config_contexts(config_file=kubeconfig)  # type: ignore[no-untyped-call]
            self._api: Any = config.new_client_from_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context, client_configuration=wanted
            )
        except config.ConfigException as error:
            raise errors.CommandError(
                f"no usable kubeconfig: {error}; name one by --kubeconfig or KUBECONFIG"
            ) from None
        chosen = next((item for item in contexts if item["name"] == context), current) if context else current
        self.namespace: str = chosen["context"].get("namespace") or "default"
        """Of the context: where to look unless told otherwise."""

    def close(self) -> None:
        """Close all connections."""
        self._api.close()

    def policy(self, namespace: str, name: str) -> dict[str, Any]:
        """Give an AgentPolicy."""
        path = f"/apis/{contract.API_VERSION}/namespaces/{_part(namespace)}/{contract.PLURAL_POLICY}/{_part(name)}"
        try:
            return self._object(path)
        except Missing:
            raise errors.AbsentError(
                f"there is no AgentPolicy {name} in namespace {namespace}: kubectl get agentpolicies -A lists all"
            ) from None

    def policies(self, namespace: str | None) -> list[dict[str, Any]]:
        """Give the AgentPolicies of a namespace, None for all."""
        return self._all(f"/apis/{contract.API_VERSION}", namespace, contract.PLURAL_POLICY)

    def pods(self, namespace: str, policy: str) -> list[str]:
        """Give the names of a policy's pods, also of those that have ended, sorted."""
        return sorted(item["metadata"]["name"] for item in self.agents(namespace, policy))

    def agents(self, namespace: str | None, policy: str | None) -> list[dict[str, Any]]:
        """Give the pods of a policy, or of all; also those that have ended."""
        chosen = f"{contract.LABEL_POLICY}={policy}" if policy else contract.LABEL_POLICY
        return self._all("/api/v1", namespace, "pods", {"labelSelector": chosen})

    def incidents(self, namespace: str | None) -> list[dict[str, Any]]:
        """Give the Incidents of a namespace, None for all."""
        return self._all(f"/apis/{contract.API_VERSION}", namespace, contract.PLURAL_INCIDENT)

    def incident(self, namespace: str, name: str) -> dict[str, Any]:
        """Give one Incident."""
        try:
            return self._object(_incident(namespace, name))
        except Missing:
            raise errors.AbsentError(
                f"there is no Incident {name} in namespace {namespace}: zaum incidents -A lists all"
            ) from None

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make an Incident; raise Taken where one of that name is there."""
        return self._object(_incident(body["metadata"]["namespace"]), send="POST", body=body)

    def change(self, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Merge a patch into an Incident."""
        return self._object(_incident(namespace, name), send="PATCH", body=patch)

    def user(self) -> str:
        """Give the name by which the API server knows whoever asks."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        said = self._object("/apis/authentication.k8s.io/v1/selfsubjectreviews", send="POST", body=review)
        return str(said["status"]["userInfo"]["username"])

    def _all(
        self, api: str, namespace: str | None, plural: str, chosen: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """List a kind, page by page."""
        place = f"namespaces/{_part(namespace)}/" if namespace else ""
        found: list[dict[str, Any]] = []
        query = {"limit": PAGE} | (chosen or {})
        while True:
            page = self._object(f"{api}/{place}{plural}", query)
            found += page.get("items") or ()
            going_on = (page.get("metadata") or {}).get("continue")
            if not going_on:
                return found
            query["continue"] = going_on

    def log(self, namespace: str, pod: str, *, since: int | None) -> Iterator[str]:
        """Give the lines of a pod's watchdog, of the last `since` seconds; raise Missing where there is no log yet."""
        query = {"container": contract.CONTAINER_WATCHDOG}
        if since is not None:
            query["sinceSeconds"] = str(since)
        answer = self._ask(f"/api/v1/namespaces/{_part(namespace)}/pods/{_part(pod)}/log", query)
        rest = b""
        try:
            for piece in answer.stream(64 * 1024):
                *lines, rest = (rest + piece).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in lines)
        except urllib3.exceptions.HTTPError as error:
            raise errors.CommandError(f"the log of pod {pod} broke off: {error}; try again") from None
        finally:
            answer.release_conn()
        if rest:
            yield rest.decode("utf-8", "replace")

    def _object(
        self, path: str, query: dict[str, str] | None = None, *, send: str = "GET", body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        answer = self._ask(path, query or {}, send=send, body=body)
        loaded: dict[str, Any] = json.loads(answer.data)
        return loaded

    def _ask(self, path: str, query: dict[str, str], *, send: str = "GET", body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - untyped library
        """Give the answer, its content still to be read; raise Missing, Taken or CommandError for any but a 2xx."""
        api = self._api
        method, url, headers, *_ = api.param_serialize(
            send,
            path,
            query_params=[*query.items()],
            header_params={"Accept": ACCEPT, **({"Content-Type": _CONTENT[send]} if body is not None else {})},
            auth_settings=["BearerToken"],
        )
        try:
            answer = api.rest_client.request(method, url, headers=headers, body=body, _request_timeout=TIMEOUT).response
            if not 200 <= answer.status <= 299:
                raise _translated(send, path, answer.status, answer.data, answer.reason)
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            host = api.configuration.host
            raise errors.CommandError(f"the API server at {host} is not to be reached: {_reason(error)}") from None
        return answer


def _incident(namespace: str, name: str = "") -> str:
    path = f"/apis/{contract.API_VERSION}/namespaces/{_part(namespace)}/{contract.PLURAL_INCIDENT}"
    return f"{path}/{_part(name)}" if name else path


def _translated(send: str, path: str, status: int, body: bytes, reason: str | None) -> Exception:
    said = columns.plain(_message(body) or reason, most=2048)
    if send != "GET" and status in {403, 409, 422}:
        return Taken(said) if status == 409 else errors.CommandError(f"the API server refuses it: {said}")
    if status in {400, 404}:
        # 400 is what the log of a container is that has not begun.
        return Missing(said)
    if status == 401:
        return errors.CommandError("the API server does not know who you are (401): log in again")
    if status == 403:
        return errors.CommandError(
            f"the API server forbids it: {said}; it takes get on agentpolicies (list for all of them), list on pods"
            " and get on pods/log, and for Incidents get and list on incidents"
        )
    return errors.CommandError(f"the API server answers {send} {path} with {status}: {said}")


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return ""


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)


def _part(text: str) -> str:
    return urllib.parse.quote(text, safe="")
