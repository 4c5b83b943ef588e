"""Groups that are played around the agents, and by which module."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from tests.battery import deaths, inputs, people, searches
from tests.battery.judge import Outcome
from tests.support.e2e.api import Api


class Group(Protocol):
    """Tries one group; gives outcomes, and alarms that count as escapes."""

    def __call__(
        self, api: Api, image: str, say: Callable[[str], None], *, sampled: bool, only: str = ""
    ) -> tuple[list[Outcome], list[str]]:
        """Try all of it, or a sample; `only` lines that have this text in their name."""


PLAYS: Final[Mapping[int, Group]] = {
    people.GROUP: people.play,
    searches.GROUP: searches.play,
    deaths.GROUP: deaths.play,
    inputs.GROUP: inputs.play,
}
DISTURBING: Final = frozenset({deaths.GROUP})
"""What ends parts that all share goes alone, and last; a group that is not sampled is always alone."""


def play(
    api: Api, image: str, groups: Collection[int], say: Callable[[str], None], *, sampled: bool, only: str = ""
) -> tuple[list[Outcome], list[str]]:
    """Play those of the groups that are here."""
    calm = [PLAYS[group] for group in PLAYS if group in groups and group not in DISTURBING]
    found: tuple[list[Outcome], list[str]] = [], []
    with ThreadPoolExecutor(len(PLAYS) if sampled else 1) as threads:
        parts = list(threads.map(lambda each: each(api, image, say, sampled=sampled, only=only), calm))
    parts += [PLAYS[group](api, image, say, sampled=sampled, only=only) for group in DISTURBING if group in groups]
    for outcomes, alarms in parts:
        found[0].extend(outcomes)
        found[1].extend(alarms)
    return found
