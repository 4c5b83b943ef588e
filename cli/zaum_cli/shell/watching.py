"""`zaum watch`: a page that is written again and again."""

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from zaum_cli import errors
from zaum_cli.core import containing, live
from zaum_cli.shell import cluster

CLEAR: Final = "\x1b[H\x1b[2J"
"""Moves a terminal's cursor home and empties the screen."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. `times`: how many pages, None until the person stops it; `seconds` between two."""

    namespace: str | None
    policy: str | None
    everywhere: bool
    seconds: float
    times: int | None


def run(reached: cluster.Cluster, wish: Wish) -> str:
    """Write page after page. One that fails is said and tried again; the first one must not fail."""
    terminal, written = sys.stdout.isatty(), 0
    try:
        while True:
            try:
                page = live.page(_seen(reached, wish), datetime.now(UTC))
            except errors.CommandError as error:
                if not written:
                    raise
                page = f"{error}\n"
            sys.stdout.write(f"{CLEAR if terminal else ''}{page}{'' if terminal else chr(10)}")
            sys.stdout.flush()
            written += 1
            if wish.times is not None and written >= wish.times:
                return ""
            time.sleep(wish.seconds)
    except KeyboardInterrupt:
        return ""


def _seen(reached: cluster.Cluster, wish: Wish) -> live.Seen:
    namespace = None if wish.everywhere else wish.namespace or reached.namespace
    if wish.policy is not None and namespace is None:
        raise errors.CommandError("a policy is named without its namespace: leave out -A")
    try:
        found = reached.incidents(namespace)
    except cluster.Missing:
        raise errors.CommandError("this cluster knows no Incidents: is Zaum installed, and its CRDs current?") from None
    if wish.policy is None or namespace is None:
        policies = reached.policies(namespace)
    else:
        found = [dict(item) for item in containing.about(found, wish.policy)]
        policies = [item for item in reached.policies(namespace) if item["metadata"]["name"] == wish.policy]
    return live.Seen(
        where=namespace or "all namespaces",
        policies=policies,
        pods=reached.agents(namespace, wish.policy),
        incidents=found,
        everywhere=namespace is None,
    )
