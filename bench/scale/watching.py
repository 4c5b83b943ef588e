"""Follow policies and pods by watches of the harness's own, and note when each thing was first seen."""

import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3

from tests.support.e2e.api import Api, RefusedError, condition, url
from zaum_api import contract

METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
AGAIN_SECONDS: Final = 0.1

Key = tuple[str, str]


@dataclass(frozen=True)
class Policy:
    """What of a policy decides whether it is done; `at` is when this state was seen (perf_counter)."""

    generation: int
    observed: int
    ready: bool
    reason: str
    at: float

    @property
    def done(self) -> bool:
        """Whether what its author wrote last runs."""
        return self.ready and self.observed == self.generation


def policy_of(obj: dict[str, Any], at: float) -> Policy:
    """Read a policy as the API server shows it."""
    ready = condition(obj, "Ready")
    generation = int(obj["metadata"]["generation"])
    observed = int(ready.get("observedGeneration", obj.get("status", {}).get("observedGeneration", 0)))
    return Policy(generation, observed, ready.get("status") == "True", str(ready.get("reason", "")), at)


@dataclass
class Seen:
    """What the watches have seen. Times are perf_counter's, with microseconds; `changed` wakes who waits."""

    policies: dict[Key, Policy] = field(default_factory=dict)
    pods: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Policy → names of its pods that exist."""
    first_pod: dict[Key, float] = field(default_factory=dict)
    """Policy → when its first pod since `forget` was seen."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def forget(self) -> None:
        """Let the next pod of each policy count as its first."""
        with self.changed:
            self.first_pod.clear()

    def policy_event(self, kind: str, obj: dict[str, Any], at: float) -> None:
        """Take in one event of a policy."""
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        if kind == "DELETED":
            self.policies.pop(key, None)
        else:
            self.policies[key] = policy_of(obj, at)

    def pod_event(self, kind: str, obj: dict[str, Any], at: float) -> None:
        """Take in one event of an agent pod."""
        metadata = obj["metadata"]
        key = (metadata["namespace"], metadata.get("labels", {}).get(contract.LABEL_POLICY, ""))
        if kind == "DELETED":
            self.pods[key].discard(metadata["name"])
        elif metadata["name"] not in self.pods[key]:
            self.pods[key].add(metadata["name"])
            self.first_pod.setdefault(key, at)

    def clear(self, resource: str) -> None:
        """Drop what was seen of a resource before it is listed anew."""
        if resource == contract.PLURAL_POLICY:
            self.policies.clear()
        else:
            self.pods.clear()


class Watch(threading.Thread):
    """One watch over all namespaces that lists anew whenever it breaks, until `stop`."""

    def __init__(self, api: Api, seen: Seen, resource: str, *, labels: str = "", accept: str = "") -> None:
        super().__init__(name=f"watch-{resource}", daemon=True)
        self.api, self.seen, self.resource = api, seen, resource
        self.query = {"labelSelector": labels} if labels else {}
        self.accept = accept
        self.ended = threading.Event()
        self.take = seen.policy_event if resource == contract.PLURAL_POLICY else seen.pod_event

    def run(self) -> None:
        """Follow until told to stop."""
        while not self.ended.is_set():
            try:
                self._follow(self._list())
            except (urllib3.exceptions.HTTPError, RefusedError, OSError):
                self.ended.wait(AGAIN_SECONDS)  # the API server restarts in some scenarios

    def _list(self) -> str:
        accept = self.accept.format("List") if self.accept else "application/json"
        listed = json.loads(self.api.send("GET", url(self.resource), query=self.query, accept=accept).data)
        at = time.perf_counter()
        with self.seen.changed:
            self.seen.clear(self.resource)
            for item in listed["items"] or ():
                self.take("ADDED", item, at)
            self.seen.changed.notify_all()
        version: str = listed["metadata"]["resourceVersion"]
        return version

    def _follow(self, version: str) -> None:
        query = self.query | {"watch": "true", "resourceVersion": version}
        accept = self.accept.format("") if self.accept else "application/json"
        answer = self.api.send("GET", url(self.resource), query=query, stream=True, seconds=3600, accept=accept)
        rest = b""
        try:
            for chunk in answer.stream(1 << 16, decode_content=True):
                at = time.perf_counter()
                *lines, rest = (rest + chunk).split(b"\n")
                if not self._take_all([json.loads(line) for line in lines], at):
                    return
                if self.ended.is_set():
                    return
        finally:
            answer.close()

    def _take_all(self, events: list[dict[str, Any]], at: float) -> bool:
        with self.seen.changed:
            for event in events:
                if event["type"] == "ERROR":
                    return False
                self.take(event["type"], event["object"], at)
            self.seen.changed.notify_all()
        return True


def start(api: Api, seen: Seen) -> list[Watch]:
    """Start both watches; of pods only the metadata comes."""
    agent = f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"
    watches = [
        Watch(api, seen, contract.PLURAL_POLICY),
        Watch(api, seen, "pods", labels=agent, accept=METADATA_ONLY),
    ]
    for watch in watches:
        watch.start()
    return watches
