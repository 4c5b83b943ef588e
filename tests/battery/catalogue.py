"""All lines, numbered."""

from collections.abc import Collection

from tests.battery import lines
from tests.battery.groups import direct, dns, gateway, headers, http, names, sockets, tls
from tests.battery.stage import Stage


def all_attempts(stage: Stage, groups: Collection[int] = tuple(lines.GROUPS)) -> list[lines.Attempt]:
    """Give the attempts of these groups. Those of 10 and on are played (modules `lasting`, `overrun`, `running`)."""
    tables = (direct, gateway, sockets, names, dns, tls, http, headers)
    found = [attempt for table in tables for attempt in table.attempts(stage)]
    return [attempt for attempt in lines.numbered(found) if attempt.group in groups]


def sample(attempts: list[lines.Attempt]) -> list[lines.Attempt]:
    """Keep one variant of each line, of those that name a family one of each."""
    kept: dict[tuple[int, str, str], lines.Attempt] = {}
    for attempt in attempts:
        kept.setdefault((attempt.group, attempt.line, attempt.family), attempt)
    return list(kept.values())
