"""One Incident as the operator reads it. What is open and what it holds `zaum_api.incidents` decides for all parts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zaum_api import incidents
from zaum_operator.core import pods
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object

Condition = incidents.Condition
Said = Mapping[str, Any]
"""One condition, or one moment of the timeline, as JSON."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A pod by name and uid; the uid may be empty where nobody knows it."""

    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """One Incident. `hold` None: it is closed, and holds nothing."""

    key: Key
    name: str
    uid: str
    version: str
    generation: int
    created: datetime
    action: incidents.Action
    """The one in force."""
    asked: incidents.Action
    reason: str
    reporter: str
    hold: incidents.Hold | None
    observed: datetime
    """When it was seen; its creation where nobody says."""
    pod: Ref | None = None
    images: tuple[str, ...] = ()
    """The agents' images, as the reporter and the operator have noted them."""
    release: tuple[str, str] | None = None
    """By whom, and why."""
    conditions: Mapping[str, Said] = field(default_factory=dict)
    timeline: tuple[Said, ...] = ()
    durations: Mapping[str, str] = field(default_factory=dict)
    pods: tuple[Ref, ...] = ()
    """The pods that were seen under it."""
    logs: Said | None = None
    status: Said = field(default_factory=dict)
    """As it stands."""

    @property
    def quarantine(self) -> bool:
        """Say whether it holds the policy's name."""
        return self.action is incidents.Action.QUARANTINE

    def is_true(self, kind: Condition) -> bool:
        """Say whether a condition has been confirmed."""
        return self.conditions.get(kind.value, {}).get("status") == "True"

    def since(self, kind: Condition) -> datetime | None:
        """Give when a condition was confirmed; None while it is not."""
        return _time(self.conditions[kind.value].get("lastTransitionTime")) if self.is_true(kind) else None

    def covers(self, ref: Ref) -> bool:
        """Say whether it is open and contains a pod of its policy."""
        return self.hold is not None and self.hold.covers(
            namespace=self.key.namespace, policy=self.key.name, pod_name=ref.name, pod_uid=ref.uid
        )


def key_of(obj: Object) -> Key | None:
    """Give the policy that an Incident is about; None where it cannot be read."""
    name = _mapping(_mapping(obj.get("spec")).get("policyRef")).get("name")
    namespace = obj["metadata"].get("namespace")
    return Key(namespace, name) if isinstance(name, str) and name and namespace else None


def read(obj: Object) -> Incident | None:
    """Read an Incident; None where not even its policy can be read: it can contain nothing."""
    key = key_of(obj)
    if key is None:
        return None
    metadata, spec, status = obj["metadata"], _mapping(obj.get("spec")), _mapping(obj.get("status"))
    created = _time(metadata.get("creationTimestamp")) or pods.EPOCH
    return Incident(
        key=key,
        name=metadata["name"],
        uid=str(metadata.get("uid", "")),
        version=str(metadata.get("resourceVersion", "")),
        generation=int(metadata.get("generation", 0)),
        created=created,
        action=incidents.action(obj),
        asked=incidents.Action.KILL if spec.get("action") == "Kill" else incidents.Action.QUARANTINE,
        reason=str(spec.get("reason", "")),
        reporter=str(spec.get("reporter", "")),
        hold=incidents.hold(obj),
        observed=_time(spec.get("observedAt")) or created,
        pod=_ref(spec.get("pod")),
        images=_words([*_list(_mapping(spec.get("evidence")).get("images")), *_list(status.get("images"))]),
        release=_release(spec.get("release")),
        conditions={str(item.get("type")): item for item in _mappings(status.get("conditions"))},
        timeline=tuple(_mappings(status.get("timeline"))),
        durations={str(name): str(text) for name, text in _mapping(status.get("durations")).items()},
        pods=tuple(ref for item in _list(status.get("pods")) if (ref := _ref(item)) is not None),
        logs=_mapping(status["logs"]) if isinstance(status.get("logs"), Mapping) else None,
        status=status,
    )


def read_all(objects: Iterable[Object]) -> tuple[Incident, ...]:
    """Read all that can be read, the oldest first."""
    found = [item for obj in objects if (item := read(obj)) is not None]
    return tuple(sorted(found, key=lambda item: (item.created, item.name)))


def _release(value: object) -> tuple[str, str] | None:
    found = _mapping(value)
    return (str(found.get("by", "")), str(found.get("reason", ""))) if found else None


def _ref(value: object) -> Ref | None:
    found = _mapping(value)
    return Ref(str(found["name"]), str(found.get("uid") or "")) if found.get("name") else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _words(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


def _time(value: object) -> datetime | None:
    """Read a time; one that cannot be read is none, and what relies on it is as if nobody had said it."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
