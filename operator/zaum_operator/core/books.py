"""What the ledger said of all policies, held between two polls, and handed on in steps.

A word that is too old is none: then the conditions say that nothing is known. A policy that the ledger's whole answer
leaves out has spent nothing, because an account is kept until all its windows have ended.

Kills are handed on as they were heard last, because the next breach is judged by them. Which releases they know of is
held beside them: what was asked before the ledger had heard of a release counts kills that are forgiven.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from zaum_api import documents
from zaum_operator.core import budgets, silences
from zaum_operator.core.keys import Key

PERIOD: Final = 5.0
"""Seconds between two polls."""
LEAST_SECONDS: Final = 15.0
"""Between two words on one policy."""
UNKNOWN_AFTER: Final = 45.0
"""Seconds after which what was heard last no longer counts."""
FORGIVEN_AFTER: Final = 25 * 3600.0
"""Seconds for which a release is remembered: longer than the ledger counts the kills before it."""
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
    silent: Mapping[str, Key] = field(default_factory=dict)
    """Uids of pods whose watchdogs are silent, where that says anything."""
    word: Word = Word.AWAITED
    _heard: float | None = None
    """When the ledger gave its last whole answer, or was asked first."""
    _asked: float = 0.0
    """When it was asked for that answer."""
    _released: dict[Key, dict[str, float]] = field(default_factory=dict)
    """When the ledger had taken each release, by the Incident's name."""

    def take(
        self,
        answer: Iterable[documents.PolicyUsage] | None,
        *,
        seconds: float,
        asked: float | None = None,
        runs: bool = True,
        serving: int | None = None,
        living: silences.Living | None = None,
    ) -> set[Key]:
        """Take in a whole answer, None where nobody gave one; give the policies of which something else is said now.

        `asked`: when the question was sent, where that is not now. `runs`: a pod of the ledger does, whether or not it
        answers. `serving`: for how many seconds the ledger has been hearing watchdogs without an outage. `living`: see
        `silences`. Where `word` changes, something else is said of every policy.
        """
        before, self.silent = self.silent, {}
        self._forget(seconds)
        if answer is None:
            return self._silent(seconds, runs=runs) | set(before.values())
        answer = tuple(answer)
        self.silent = silences.found(answer, serving=serving, living=living)
        hushed = {key for _, key in before.items() ^ self.silent.items()}
        self.word, self._heard, self._asked = Word.KNOWN, seconds, seconds if asked is None else asked
        newest = {Key(item.namespace, item.policy): item for item in answer}
        changed = {key for key, item in newest.items() if self._moved(key, item, seconds)}
        for key, item in newest.items():
            said, since = (item, seconds) if key in changed else self._said[key]
            self._said[key] = (said if said.kills == item.kills else replace(said, kills=item.kills), since)
        gone = set(self._said) - set(newest)
        for key in gone:
            del self._said[key]
        return changed | gone | hushed

    def of(self, key: Key) -> documents.PolicyUsage | None:
        """Give what is said of a policy; None while nothing is."""
        if self.word is not Word.KNOWN:
            return None
        said = self._said.get(key)
        return nothing(key) if said is None else said[0]

    def released(self, key: Key, incident: str, *, seconds: float) -> None:
        """Note that the ledger has taken the release of an Incident by now."""
        self._released.setdefault(key, {}).setdefault(incident, seconds)

    def forgiven(self, key: Key) -> frozenset[str]:
        """Name the released Incidents of a policy before which no kill is counted in what is said of it."""
        return frozenset(name for name, at in self._released.get(key, {}).items() if at < self._asked)

    def __len__(self) -> int:
        """Count the policies that the ledger has an account of."""
        return len(self._said)

    def _forget(self, seconds: float) -> None:
        """Forget the releases that nobody asks for any more."""
        for key, names in list(self._released.items()):
            lasting = {name: at for name, at in names.items() if seconds - at <= FORGIVEN_AFTER}
            if lasting:
                self._released[key] = lasting
            else:
                del self._released[key]

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
