"""What a plan consists of: requests as values, in the order in which they are sent."""

from dataclasses import dataclass
from typing import Any

from zaum_operator.core.kinds import Kind, Object


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of one object, with force."""

    kind: Kind
    body: Object


@dataclass(frozen=True, slots=True)
class Create:
    """Create one object; it must not exist."""

    kind: Kind
    body: Object


@dataclass(frozen=True, slots=True)
class Merge:
    """Merge-patch one object: for the few fields of a live pod that may change, and to take foreign keys away."""

    kind: Kind
    namespace: str | None
    name: str
    patch: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one object, only while it has this uid."""

    kind: Kind
    namespace: str | None
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Resize:
    """Change what a running pod gets, in place (pods/resize), by a JSON patch."""

    namespace: str
    name: str
    patch: tuple[dict[str, Any], ...]


Action = Apply | Create | Merge | Delete


def describe(action: Action) -> str:
    """Name an action for logs and conditions."""
    match action:
        case Apply(kind, body) | Create(kind, body):
            name = body["metadata"]["name"]
        case Merge(kind, _, name, _) | Delete(kind, _, name, _):
            pass
    return f"{type(action).__name__.lower()} {kind.name} {name}"


def delete(kind: Kind, obj: Object) -> Delete:
    """Delete the object that was seen, and no later one of that name."""
    metadata = obj["metadata"]
    return Delete(kind, metadata.get("namespace"), metadata["name"], metadata.get("uid", ""))
