"""What every store does, and what it is made of.

A store keeps one value of bytes for each key (`namespace/policy`). `Engine` is the part that differs between databases:
blocking, used by one thread at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
Values = Mapping[str, bytes | None]
"""By key; None for what is not there."""


class StorageError(Exception):
    """The database did not do it, or did not say that it did: nothing may be granted on it."""


class RepeatError(StorageError):
    """Another writer was in the way; the same again may go well."""


class SchemaError(StorageError):
    """The database is of a later release than this one: it must not be touched."""


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What a transaction's function wants: `values` to write (None deletes), stamped `at` (ms, the ledger's time)."""

    result: T
    values: Values
    at: int


Function = Callable[[Values], Change[T]]
"""From the values of the keys that were asked for. Without effects: it may run again."""


class Store(Protocol):
    """The port."""

    async def transact(self, keys: Sequence[str], function: Function[T]) -> T:
        """Read, decide and write as one; return when it is durable. Raise StorageError, or what `function` raises."""

    async def scan(self, after: str, most: int) -> list[tuple[str, bytes]]:
        """Give up to `most` books in the order of their keys, after a key; without locks."""

    async def close(self) -> None:
        """Write what is under way, and let go."""


class Engine(Protocol):
    """One database. Every method raises StorageError; after one, the next call opens anew."""

    def migrate(self) -> tuple[int, int]:
        """Bring the schema forward; give the versions before and after. SchemaError for a later release's."""

    def last(self) -> int:
        """Give the latest time in the books, 0 when there are none."""

    def begin(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """Open a transaction in which nobody else writes these keys, which are sorted; give their values."""

    def commit(self, values: Values, at: int) -> None:
        """Write and make durable."""

    def rollback(self) -> None:
        """End the transaction; nothing of it stays. Raises nothing."""

    def scan(self, after: str, most: int) -> list[tuple[str, bytes]]:
        """Give books in the order of their keys."""

    def snapshot(self, page: Callable[[Sequence[tuple[str, bytes, int]]], None]) -> None:
        """Hand over all books (key, value, at) as they stand at one moment, page by page, in the order of the keys."""

    def fill(self, rows: Sequence[tuple[str, bytes, int]], *, replace: bool) -> None:
        """Put these books in as one; StorageError when there are books already, unless they are to be replaced."""

    def close(self) -> None:
        """Let go. Raises nothing."""
