"""What the ledger said of all policies, held between two polls, and handed on in steps.

A word that is too old is none: then the conditions say that nothing is known. A policy that the ledger's whole answer
leaves out has spent nothing, because an account is kept until all its windows have ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from zaum_api import documents
from zaum_operator.core import budgets
from zaum_operator.core.keys import Key

PERIOD: Final = 5.0
"""Seconds between two polls."""
LEAST_SECONDS: Final = 15.0
"""Between two words on one policy."""
UNKNOWN_AFTER: Final = 45.0
"""Seconds after which what was heard last no longer counts."""
PAGES_MAX: Final = 400
"""Of one answer: 200,000 policies."""


class Word(Enum):
    """Whether the ledger's word is there."""

    AWAITED = auto()
    """It has not been heard since this process began, which is not long ago."""
    KNOWN = auto()
    SILENT = auto()
    MISSING = auto()
    """It is silent, and none of its pods runs: it is away for longer than a restart takes, or was never there."""


@dataclass(slots=True)
class Held:
    """What is said of each policy. Memory alone: what is lost is asked for again."""

    _said: dict[Key, tuple[documents.PolicyUsage, float]] = field(default_factory=dict)
    """What was handed on last, and when, by our monotonic seconds."""
    word: Word = Word.AWAITED
    _heard: float | None = None
    """When the ledger gave its last whole answer, or was asked first."""

    def take(self, answer: Iterable[documents.PolicyUsage] | None, *, seconds: float, runs: bool = True) -> set[Key]:
        """Take in a whole answer, None where nobody gave one; give the policies of which something else is said now.

        `runs`: a pod of the ledger does, whether or not it answers. Where `word` changes, something else is said of
        every policy.
        """
        if answer is None:
            return self._silent(seconds, runs=runs)
        self.word, self._heard = Word.KNOWN, seconds
        newest = {Key(item.namespace, item.policy): item for item in answer}
        changed = {key for key, item in newest.items() if self._moved(key, item, seconds)}
        for key in changed:
            self._said[key] = (newest[key], seconds)
        gone = set(self._said) - set(newest)
        for key in gone:
            del self._said[key]
        return changed | gone

    def of(self, key: Key) -> documents.PolicyUsage | None:
        """Give what is said of a policy; None while nothing is."""
        if self.word is not Word.KNOWN:
            return None
        said = self._said.get(key)
        return nothing(key) if said is None else said[0]

    def __len__(self) -> int:
        """Count the policies that the ledger has an account of."""
        return len(self._said)

    def _moved(self, key: Key, item: documents.PolicyUsage, seconds: float) -> bool:
        said = self._said.get(key)
        return said is None or (seconds - said[1] >= LEAST_SECONDS and budgets.is_a_step(said[0], item))

    def _silent(self, seconds: float, *, runs: bool) -> set[Key]:
        self._heard = seconds if self._heard is None else self._heard
        if seconds - self._heard <= UNKNOWN_AFTER:
            return set()
        self.word = Word.SILENT if runs else Word.MISSING
        changed = set(self._said)
        self._said.clear()
        return changed


def nothing(key: Key) -> documents.PolicyUsage:
    """Give the books of a policy that has none."""
    return documents.PolicyUsage(key.namespace, key.name, 0, 0, (), documents.Counters())
