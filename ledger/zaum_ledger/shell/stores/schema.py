"""The schema's versions: numbered steps forward, each applied once, in one transaction with its number."""

from typing import Final

from zaum_ledger.shell.stores import port

SQLITE: Final = (
    (
        # Keys by bytes: both databases give them in the same order.
        "CREATE TABLE books (key TEXT PRIMARY KEY COLLATE BINARY, value BLOB NOT NULL, at INTEGER NOT NULL)",
    ),
)
POSTGRES: Final = (
    (
        'CREATE TABLE books (key TEXT COLLATE "C" PRIMARY KEY, value BYTEA NOT NULL, at BIGINT NOT NULL)'
        # A book is written again every few seconds: room on the page keeps its new version beside the old one.
        " WITH (fillfactor = 50)",
    ),
)
TABLE: Final = "CREATE TABLE IF NOT EXISTS zaum_schema (version INTEGER NOT NULL)"


def ahead(found: int, steps: tuple[tuple[str, ...], ...]) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Give the steps that are still to be done, each with its number; raise SchemaError for a later release's."""
    if found > len(steps):
        raise port.SchemaError(
            f"the database has schema {found}, this release knows {len(steps)}: run the release that wrote it, or later"
        )
    return tuple((number, step) for number, step in enumerate(steps, 1) if number > found)
