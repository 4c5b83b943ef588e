"""What somebody tries by the API server, and what came of it.

The attempt is made in earnest. Its control is the same request where nothing of ours stands in the way: of an object
that is not ours, of a namespace without agents, or in the name of whom the rule lets. What refuses must be a rule that
is ours, and say so: a refusal by RBAC or by the schema would prove nothing about it.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.battery.judge import Outcome, Verdict
from tests.battery.lines import Attempt, Control, Where, Witness
from tests.support.e2e.api import NotSeenError, RefusedError
from tests.support.e2e.controls import ControlError

TOGETHER: Final = 4
OURS: Final = "ValidatingAdmissionPolicy 'zaum-"
"""How a refusal by one of our rules begins."""
SCHEMA: Final = frozenset({400, 413, 422})
"""How the API server refuses what is not as the schema and its rules say."""
_STREAMED: Final = frozenset({400, 404, 502, 503})
"""What a way into a pod answers to who does not go it to the end: the connection is not upgraded."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One request. `words` and `by` stand in the refusal; `statuses`: how it is refused."""

    group: int
    line: str
    variant: str
    do: Callable[[], object]
    control: Callable[[], object]
    words: str
    by: str = OURS
    """How a refusal by one of our rules begins; empty where the schema refuses."""
    statuses: frozenset[int] = frozenset({403})

    @property
    def attempt(self) -> Attempt:
        """Give what the table shows."""
        return shown(self.group, self.line, self.variant)


@dataclass(frozen=True, slots=True)
class Scene:
    """What takes more than one request. `play` says what held; ControlError where it proved nothing."""

    group: int
    line: str
    variant: str
    play: Callable[[], str]

    @property
    def attempt(self) -> Attempt:
        """Give what the table shows."""
        return shown(self.group, self.line, self.variant)


_Line = TypeVar("_Line", Deed, Scene)


def shown(group: int, line: str, variant: str) -> Attempt:
    """Give an attempt that is made by the API."""
    probe = {"kind": "api"}
    return Attempt(group, line, variant, probe, Control(Where.ALLOWED, probe), Witness.API)


def judge(deed: Deed, said: RefusedError | None, control: RefusedError | None) -> Outcome:
    """Judge one request by what the API server said to it and to its control; None: it was done. Pure."""
    if said is None:
        return Outcome(deed.attempt, Verdict.ESCAPED, "the API server did it")
    if control is not None:
        return Outcome(deed.attempt, Verdict.BROKEN, f"the control: {str(control)[:300]}")
    if said.status not in deed.statuses or deed.by not in said.message or deed.words not in said.message:
        return Outcome(deed.attempt, Verdict.ODD, str(said)[:300])
    return Outcome(deed.attempt, Verdict.HELD, deed.words or str(said.status))


def kept(listed: Iterable[_Line], only: str) -> list[_Line]:
    """Keep those whose line has this text in its name."""
    return [each for each in listed if only in each.line]


def tried(deeds: Iterable[Deed]) -> list[Outcome]:
    """Try all, some beside each other."""
    with ThreadPoolExecutor(TOGETHER) as threads:
        return list(threads.map(_tried, deeds))


def _tried(deed: Deed) -> Outcome:
    said = answered(deed.do)
    return judge(deed, said, answered(deed.control))


def answered(action: Callable[[], object]) -> RefusedError | None:
    """Send a request and give the refusal, None where there was none."""
    try:
        action()
    except RefusedError as error:
        return error
    return None


def streamed(action: Callable[[], object]) -> Callable[[], object]:
    """Take for done what only lacks the other end of a stream: admission has let it through by then."""

    def control() -> object:
        refusal = answered(action)
        if refusal is not None and (refusal.status not in _STREAMED or OURS in refusal.message):
            raise refusal
        return None

    return control


def played(scenes: Iterable[Scene]) -> Iterator[Outcome]:
    """Play one scene after the other."""
    for scene in scenes:
        try:
            yield Outcome(scene.attempt, Verdict.HELD, scene.play())
        except ControlError as error:
            yield Outcome(scene.attempt, Verdict.BROKEN, f"the control: {error}")
        except RefusedError as error:
            yield Outcome(scene.attempt, Verdict.BROKEN, f"it did not run: {error}")
        except (AssertionError, NotSeenError) as error:
            yield Outcome(scene.attempt, Verdict.ESCAPED, str(error)[:600])
