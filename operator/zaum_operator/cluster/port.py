"""What the operator needs of an API server: the real one behind `client.Client`, a simulated one in tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from zaum_operator.core.kinds import Kind, Object, Operations

LOG_LINES: Final = 64
LOG_BYTES: Final = 64 * 1024
Take = Callable[[list[Object]], None]
"""Takes in one page of a list."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a list, and the version at which it was made."""

    items: list[Object]
    version: int


class Api(Protocol):
    """An API server. Every method raises `errors.RequestError`; `namespace` is None for cluster-scoped kinds."""

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """Give one object, None when it does not exist."""

    async def list(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", name: str = ""
    ) -> list[Object]:
        """Give all objects of a kind, of one namespace or of all, by label selector or by name."""

    async def listing(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", take: Take | None = None
    ) -> Listing:
        """Give the same with the version of the list; or hand it over page by page, and give the version alone."""

    async def apply(self, kind: Kind, body: Object) -> Object:
        """Apply an object server-side, with force, as our field manager."""

    async def apply_status(self, kind: Kind, body: Object) -> Object:
        """Apply the status of an object server-side, with force, as our field manager."""

    async def create(self, kind: Kind, body: Object) -> Object:
        """Create an object that does not exist yet."""

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, patch: dict[str, Any], *, subresource: str = ""
    ) -> Object:
        """Merge-patch an object or its subresource (RFC 7386)."""

    async def json_patch(
        self, kind: Kind, namespace: str | None, name: str, patch: Operations, *, subresource: str = ""
    ) -> Object:
        """Patch an object or its subresource by RFC 6902; a `test` that does not hold is an InvalidError."""

    async def log(self, namespace: str, pod: str, container: str) -> str:
        """Give the end of a container's log: its last LOG_LINES lines, of them at most LOG_BYTES from the first on."""

    async def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str = "") -> Object | None:
        """Delete an object while it has this uid (any, when empty). One that is gone or another is no error.

        Gives the object while it still leaves; None when it is gone.
        """
