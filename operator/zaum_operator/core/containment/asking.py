"""What is asked of the authorizers about open Incidents, and what they answered last: memory alone, asked again.

An answer counts for the question that it was given to, and not for long: who does not answer any more confirms nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from zaum_api import documents
from zaum_operator.core.containment.incident import Incident, Ref
from zaum_operator.core.containment.scene import Replica, Sight
from zaum_operator.core.keys import Key

FRESH_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 4
"""For how long an authorizer holds an answer in which nothing is new."""
SOON_SECONDS: Final = 0.5
"""After an answer that did not wait, or a failure, while something is asked that is new."""
LATER_SECONDS: Final = 5.0
NEW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for one policy: its open Incidents, and the uids of their pods."""

    incidents: tuple[tuple[str, str], ...]
    pods: tuple[str, ...]

    def parts(self, *, unlike: str = "") -> tuple[documents.SeenAsked, ...]:
        """Cut it into questions that an authorizer takes. One alone may wait until the answer is not `unlike`."""
        most = documents.seen.ASKED_MAX
        count = max(len(self.incidents), len(self.pods), 1)
        wait = WAIT_SECONDS if unlike and count <= most else 0
        return tuple(
            documents.SeenAsked(self.incidents[at : at + most], self.pods[at : at + most], unlike, wait)
            for at in range(0, count, most)
        )

    def asked(self) -> documents.SeenAsked:
        """Give all of it, to see which part of an answer is one to it."""
        return documents.SeenAsked(self.incidents, self.pods)


@dataclass(slots=True)
class Asking:
    """Questions by policy, and the answers by replica. Times are our own monotonic seconds."""

    replicas: tuple[str, ...] = ()
    """Addresses of all authorizers whose process may run."""
    _questions: dict[Key, tuple[Question, float]] = field(default_factory=dict)
    _answers: dict[tuple[Key, str], tuple[Question, documents.Seen, float]] = field(default_factory=dict)
    _gone: dict[Key, dict[str, float]] = field(default_factory=dict)
    """Since when the uids of contained pods have not been in the API; of the questions that stand alone."""

    def put(self, key: Key, open_: Iterable[Incident], *, gone: Iterable[Ref], there: Iterable[Ref], at: float) -> bool:
        """Ask about a policy's open Incidents; say whether this is another question than before."""
        present, absent = {ref.uid for ref in there}, {ref.uid for ref in gone if ref.uid}
        asked = Question(
            tuple(sorted((item.key.namespace, item.name) for item in open_)), tuple(sorted(present | absent))
        )
        if not asked.incidents:
            self.drop(key)
            return False
        before = self._gone.get(key, {})
        self._gone[key] = {uid: before.get(uid, at) for uid in absent - present}
        if key in self._questions and self._questions[key][0] == asked:
            return False
        self._questions[key] = (asked, at)
        return True

    def drop(self, key: Key) -> None:
        """Ask no more about a policy."""
        self._questions.pop(key, None)
        self._gone.pop(key, None)
        self._answers = {place: answer for place, answer in self._answers.items() if place[0] != key}

    def asks(self, key: Key) -> bool:
        """Say whether anything is asked about a policy: something of it is to be confirmed."""
        return key in self._questions

    def pending(self) -> Mapping[Key, Question]:
        """Give all questions."""
        return {key: asked for key, (asked, _) in self._questions.items()}

    def pause(self, at: float) -> float | None:
        """Give how long to wait for the next round; None while nothing is asked."""
        if not self._questions:
            return None
        new = any(at - since < NEW_SECONDS for _, since in self._questions.values())
        return SOON_SECONDS if new else LATER_SECONDS

    def take(self, key: Key, address: str, asked: Question, seen: documents.Seen, *, at: float) -> bool:
        """Take in an answer to what was asked `at`; say whether it says something else than the last one.

        What comes after the question was dropped is nobody's: an authorizer may hold an answer for some seconds.
        """
        if key not in self._questions:
            return False
        before = self._answers.get((key, address))
        self._answers[key, address] = (asked, seen, at)
        return before is None or before[0] != asked or _said(before[1]) != _said(seen)

    def sight(self, key: Key, *, at: float) -> Sight:
        """Give what all authorizers say to the question that stands."""
        asked = self._questions.get(key)
        found = []
        for address in self.replicas:
            answer = self._answers.get((key, address))
            fresh = answer is not None and asked is not None and answer[0] == asked[0]
            lasting = answer is not None and at - answer[2] <= FRESH_SECONDS + LATER_SECONDS
            if answer is None or not fresh or not lasting:
                found.append(Replica(address))
            else:
                found.append(Replica(address, answer[1], at - answer[2]))
        return Sight(tuple(found), {uid: at - since for uid, since in self._gone.get(key, {}).items()})


def union(questions: Iterable[Question]) -> Question:
    """Give what all of these ask: an authorizer is asked once for all."""
    every = tuple(questions)
    return Question(
        tuple(sorted({item for each in every for item in each.incidents})),
        tuple(sorted({uid for each in every for uid in each.pods})),
    )


def joined(parts: Iterable[documents.Seen]) -> documents.Seen:
    """Join the answers to the parts of one question; the least of what they claim holds."""
    every = tuple(parts)
    return documents.Seen(
        ready=all(part.ready for part in every),
        listed=max(part.listed for part in every),
        incidents=tuple(item for part in every for item in part.incidents),
        pods=tuple(item for part in every for item in part.pods),
        degraded=next((part.degraded for part in every if part.degraded), ""),
        mark=every[0].mark if len(every) == 1 else "",
    )


def _said(seen: documents.Seen) -> tuple[object, ...]:
    """Give what of an answer decides anything beside time."""
    incidents = tuple((item.namespace, item.name, item.uid, item.in_force) for item in seen.incidents)
    return (seen.ready, incidents, seen.pods)
