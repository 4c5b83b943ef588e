"""An API server in memory, true enough for the operator: names, uids, versions, server-side apply, graceful deletion.

It does what the real one does and the operator relies on: apply merges our fields and takes away those that we own no
longer, canonical quantities, empty fields dropped, ownership by uid, deletion of pods in two steps, preconditions. It
keeps the order of all writes, can fail a chosen request, and gives every event to those who listen.
"""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zaum_api import quantities
from zaum_operator import errors
from zaum_operator.cluster.port import Listing, Take
from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind, Object, Operations

Place = tuple[str, str, str]
"""Plural, namespace (empty for cluster-scoped kinds), name."""
Objects = list[Object]
Names = list[str]
_ATOMIC = {"podSelector", "scopeSelector"}


@dataclass(frozen=True, slots=True)
class Write:
    """One request that changed something."""

    verb: str
    plural: str
    name: str
    subresource: str = ""


@dataclass
class ApiServer:
    """Implements `zaum_operator.cluster.port.Api`."""

    objects: dict[Place, Object] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    listeners: list[Callable[[str, Kind, Object, Object | None], None]] = field(default_factory=list)
    refuse: Callable[[str, str, str], errors.RequestError | None] = lambda verb, plural, name: None
    """Asked before each request that writes; an error that it gives is raised."""
    lingering_pods: bool = True
    """Whether a deleted pod stays until `finish_deletions`, as with a kubelet; else it goes at once."""
    now: Callable[[], str] = lambda: "2026-01-01T00:00:00Z"
    """The server's clock: when things are made and deleted."""
    version: int = 0
    """Of the newest write."""
    logs: dict[str, str] = field(default_factory=dict)
    """What the agents' containers have said, by pod."""
    _managed: dict[Place, Object] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    # What the operator calls

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get(_place(kind, namespace, name)))

    async def list(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", name: str = ""
    ) -> list[Object]:
        found = [
            obj
            for (plural, where, called), obj in sorted(self.objects.items())
            if plural == kind.plural and namespace in (None, where) and selects(selector, obj)
            if name in ("", called)
        ]
        return copy.deepcopy(found)

    async def listing(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", take: Take | None = None
    ) -> Listing:
        found = await self.list(kind, namespace, selector=selector)
        if take is None:
            return Listing(found, self.version)
        take(found[:2])
        take(found[2:])
        return Listing([], self.version)

    async def apply(self, kind: Kind, body: Object) -> Object:
        metadata = body["metadata"]
        place = _place(kind, metadata.get("namespace"), metadata["name"])
        self._ask("apply", place)
        live = self.objects.get(place)
        if metadata.get("uid") and (live is None or live["metadata"]["uid"] != metadata["uid"]):
            raise errors.ConflictError(f"apply {place}", 409, "uid mismatch")
        merged = _applied(copy.deepcopy(live or {}), self._managed.get(place, {}), copy.deepcopy(body))
        self._managed[place] = copy.deepcopy(body)
        return self._store("apply", kind, place, merged)

    async def apply_status(self, kind: Kind, body: Object) -> Object:
        metadata = body["metadata"]
        place = _place(kind, metadata.get("namespace"), metadata["name"])
        self._ask("apply", place)
        live = self.objects.get(place)
        if live is None:
            raise errors.NotFoundError(f"apply {place}", 404, "not found")
        if metadata.get("uid") not in (None, live["metadata"]["uid"]):
            raise errors.ConflictError(f"apply {place}", 409, "uid mismatch")
        return self._store("apply", kind, place, live | {"status": copy.deepcopy(body["status"])}, "status")

    async def create(self, kind: Kind, body: Object) -> Object:
        place = _place(kind, body["metadata"].get("namespace"), body["metadata"]["name"])
        self._ask("create", place)
        if place in self.objects:
            raise errors.ConflictError(f"create {place}", 409, "already exists")
        self._admit(kind, body)
        return self._store("create", kind, place, copy.deepcopy(body))

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: dict[str, Any], *, subresource: str = ""
    ) -> Object:
        place = _place(kind, namespace, name)
        self._ask("merge", place)
        if place not in self.objects:
            raise errors.NotFoundError(f"merge {place}", 404, "not found")
        live, read = self.objects[place]["metadata"], (patch.get("metadata") or {}).get("resourceVersion")
        if read is not None and read != live["resourceVersion"]:
            raise errors.ConflictError(f"merge {place}", 409, "the object has been modified")
        return self._store("merge", kind, place, _merged(self.objects[place], patch), subresource)

    async def json_patch(
        self, kind: Kind, namespace: str | None, name: str, patch: Operations, *, subresource: str = ""
    ) -> Object:
        place = _place(kind, namespace, name)
        self._ask("json_patch", place)
        if place not in self.objects:
            raise errors.NotFoundError(f"patch {place}", 404, "not found")
        patched = _patched(copy.deepcopy(self.objects[place]), patch)
        return self._store("json_patch", kind, place, patched, subresource)

    async def log(self, namespace: str, pod: str, container: str) -> str:
        place = _place(kinds.POD, namespace, pod)
        self._ask("log", place)
        if place not in self.objects:
            raise errors.NotFoundError(f"get pods/log {place}", 404, "not found")
        return self.logs.get(pod, "")

    async def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str = "") -> Object | None:
        place = _place(kind, namespace, name)
        self._ask("delete", place)
        live = self.objects.get(place)
        if live is None or (uid and live["metadata"]["uid"] != uid):
            return None
        self.writes.append(Write("delete", kind.plural, name))
        if kind is kinds.POD and self.lingering_pods and not _ended(live):
            before = copy.deepcopy(live)
            live["metadata"].setdefault("deletionTimestamp", self.now())
            self._number(live)
            self._tell("MODIFIED", kind, live, before)
            return copy.deepcopy(live)
        self._remove(kind, place)
        return None

    # What the tests call

    def put(self, kind: Kind, body: Object) -> Object:
        """Store an object as somebody else would; it is not among the writes."""
        place = _place(kind, body["metadata"].get("namespace"), body["metadata"]["name"])
        before = len(self.writes)
        stored = self._store("put", kind, place, _merged(self.objects.get(place, {}), copy.deepcopy(body)))
        del self.writes[before:]
        return stored

    def edit(self, kind: Kind, namespace: str | None, name: str, patch: dict[str, Any]) -> None:
        """Merge-patch an object as somebody else would; status is reachable too."""
        place = _place(kind, namespace, name)
        before = len(self.writes)
        self._store("edit", kind, place, _merged(self.objects[place], patch))
        del self.writes[before:]

    def remove(self, kind: Kind, namespace: str | None, name: str) -> None:
        """Delete an object at once, as somebody else would."""
        self._remove(kind, _place(kind, namespace, name))

    def finish_deletions(self) -> None:
        """Let go of all pods that are being deleted, as the kubelet does when their containers have ended."""
        for place, obj in list(self.objects.items()):
            if obj["metadata"].get("deletionTimestamp"):
                self._remove(kinds.POD, place)

    def all(self, kind: Kind) -> Objects:
        """Give all objects of a kind."""
        return [obj for (plural, _, _), obj in sorted(self.objects.items()) if plural == kind.plural]

    def names(self, kind: Kind) -> Names:
        """Give the names of all objects of a kind."""
        return [obj["metadata"]["name"] for obj in self.all(kind)]

    # How it works

    def _ask(self, verb: str, place: Place) -> None:
        error = self.refuse(verb, place[0], place[2])
        if error is not None:
            raise error

    def _admit(self, kind: Kind, body: Object) -> None:
        """Refuse a pod beyond a quota of its namespace or priority class: what the plan relies on."""
        if kind is not kinds.POD:
            return
        namespace = body["metadata"].get("namespace")
        for quota in self.all(kinds.QUOTA):
            if quota["metadata"].get("namespace") != namespace or not _holds(quota, body):
                continue
            used = [pod for pod in self.all(kinds.POD) if not _ended(pod) and _holds(quota, pod)]
            if len(used) + 1 > int(quota["spec"]["hard"]["pods"]):
                raise errors.QuotaError("create pods", 403, f"exceeded quota: {quota['metadata']['name']}")

    def _store(self, verb: str, kind: Kind, place: Place, obj: Object, subresource: str = "") -> Object:
        live = self.objects.get(place)
        obj = _canonical(obj)
        metadata = obj["metadata"]
        metadata.setdefault("uid", f"uid-{next(self._numbers)}")
        metadata.setdefault("creationTimestamp", self.now())
        metadata.setdefault("generation", 1)
        if live is not None and _same(live, obj):
            return copy.deepcopy(live)  # a write that changes nothing makes no version and no event
        if live is not None and live.get("spec") != obj.get("spec"):
            metadata["generation"] = live["metadata"]["generation"] + 1
        self._number(obj)
        self.objects[place] = obj
        self.writes.append(Write(verb, place[0], place[2], subresource))
        self._tell("MODIFIED" if live is not None else "ADDED", kind, obj, live)
        return copy.deepcopy(obj)

    def _number(self, obj: Object) -> None:
        self.version = next(self._numbers)
        obj["metadata"]["resourceVersion"] = str(self.version)

    def _remove(self, kind: Kind, place: Place) -> None:
        obj = self.objects.pop(place, None)
        self._managed.pop(place, None)
        if obj is not None:
            self.version = next(self._numbers)
            gone = copy.deepcopy(obj)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._tell("DELETED", kind, gone, obj)

    def _tell(self, event: str, kind: Kind, obj: Object, before: Object | None) -> None:
        for listener in self.listeners:
            listener(event, kind, copy.deepcopy(obj), copy.deepcopy(before))


def _place(kind: Kind, namespace: str | None, name: str) -> Place:
    return (kind.plural, namespace or "" if kind.namespaced else "", name)


def _holds(quota: Object, pod: Object) -> bool:
    """Say whether a quota counts a pod: by its priority class where the quota is scoped to one."""
    scope = quota["spec"].get("scopeSelector")
    name = pod["spec"].get("priorityClassName")
    return (scope is None or name in scope["matchExpressions"][0]["values"]) and (
        pod["metadata"].get("namespace") == quota["metadata"].get("namespace")
    )


def _ended(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}


def selects(selector: str, obj: Object) -> bool:
    """Evaluate a label selector of the forms that the operator uses: key, key=value, key!=value."""
    labels = obj["metadata"].get("labels") or {}
    if "!=" in selector:
        key, _, value = selector.partition("!=")
        return bool(labels.get(key) != value)
    key, equals, value = selector.partition("=")
    return not selector or (key in labels and (not equals or labels[key] == value))


def _merged(target: Any, patch: Any) -> Any:
    """Merge by RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _patched(target: Object, patch: Operations) -> Object:
    """Patch by RFC 6902, as far as `test`, `add` and `copy` of object members go; a missing member tests as null."""
    for step in patch:
        *parents, last = step["path"].strip("/").replace("~1", "/").split("/")
        place: Any = target
        for parent in parents:
            listed = isinstance(place, list) and parent.isdecimal() and int(parent) < len(place)
            place = place[int(parent)] if listed else place.get(parent) if isinstance(place, dict) else None
        if not isinstance(place, dict) or (step["op"] == "test" and place.get(last) != step["value"]):
            raise errors.InvalidError("patch", 422, "the server rejected our request due to an error in our request")
        if step["op"] == "add":
            place[last] = copy.deepcopy(step["value"])
        if step["op"] == "copy":
            place[last] = _member(target, step["from"])
    return target


def _member(target: Any, path: str) -> Any:
    for part in path.strip("/").split("/"):
        if not isinstance(target, dict) or part not in target:
            raise errors.InvalidError("patch", 422, "copy operation does not apply: doc is missing key")
        target = target[part]
    return copy.deepcopy(target)


def _applied(live: Any, before: Any, wanted: Any) -> Any:
    """Apply with force: our fields win, those that we set before and no longer set go, others stay."""
    result = dict(live)
    for key in before:
        if key not in wanted:
            result.pop(key, None)
    for key, value in wanted.items():
        if key == "ownerReferences":
            others = [item for item in result.get(key, []) if item["uid"] not in {ours["uid"] for ours in value}]
            result[key] = others + value
        elif isinstance(value, dict) and isinstance(result.get(key), dict) and key not in _ATOMIC:
            result[key] = _applied(result[key], before.get(key) or {}, value)
        else:
            result[key] = value
    return result


def _canonical(obj: Object) -> Object:
    """Write quantities as the API server does, and leave out what is empty in our objects' specs."""
    hard = (obj.get("spec") or {}).get("hard")
    if isinstance(hard, dict):
        obj["spec"]["hard"] = {key: _quantity(key, value) for key, value in hard.items()}
    return obj


def _quantity(key: str, value: str) -> str:
    if key.endswith("cpu"):
        return quantities.write_millis(quantities.millis(value))
    return quantities.write_bytes(quantities.whole(value)) if key.endswith("memory") else value


def _same(one: Object, other: Object) -> bool:
    def bare(obj: Object) -> Object:
        return obj | {"metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}

    return bare(one) == bare(other)
