"""Hold the four accounts of one race against each other: the callers', the provider's, the watchdogs', the ledger's.

Pure. Rules, for tokens and for cost alike:

- Every call is answered. Only what a killed watchdog had in hand is not: its agent dies with it.
- What was refused by a limit never reached the provider, and nothing reached it twice.
- A call that came to its end without a doubt is charged what the provider's books say, to the token. One that broke
  off, or of which no usage was said, is charged its worst case: more, never less. Where nobody was killed, each charge
  has its call, and the ledger's books are the sum of the charges.
- Of a killed watchdog the ledger charges all that was leased: its books are never less than the provider's. What came
  to its end before has its exact charge.
- In no 60 seconds, and on no day, does the provider's sum pass the limit.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MINUTE_SECONDS: Final = 60.0
WRITTEN_SECONDS: Final = 1.0
"""By then a watchdog has written of a call that is over."""
_LIMITED: Final = frozenset({402, 429})
_BREAKS_OFF: Final = frozenset({"truncated"})
"""Faults of the provider by which an answer has no end."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller saw. Seconds since the epoch; `ended` None: it did not live to say so; `tokens` as it was told."""

    name: str
    pod: str
    begun: float
    ended: float | None = None
    status: int = 0
    rule: str = ""
    fault: str = ""
    whole: bool = False
    tokens: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What the provider did and charges for one call; `cost` in micro-dollars."""

    call: str
    pod: str
    at: float
    tokens: int
    cost: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What a watchdog charged for one call; `doubt` says why the worst."""

    pod: str
    tokens: int
    cost: int
    doubt: str


@dataclass(frozen=True, slots=True)
class Book:
    """What the ledger says of one meter of the day: `used`, of which `unproven` is leased and was not settled."""

    used: int
    unproven: int


@dataclass(frozen=True, slots=True)
class Race:
    """All accounts of one race. `killed`: the pods whose watchdog was killed, and not before when."""

    tokens_minute: int
    cost_day: int
    calls: tuple[Call, ...]
    done: tuple[Done, ...]
    charges: tuple[Charge, ...]
    tokens: Book
    cost: Book
    killed: Mapping[str, float] = field(default_factory=dict)


def faults(race: Race) -> list[str]:
    """Say what is wrong; empty where all holds."""
    found = [*_answers(race), *_provider(race), *_windows(race)]
    for pod in sorted({each.pod for each in race.calls} | {each.pod for each in race.charges}):
        found += _charges(race, pod)
    return [*found, *_ledger(race)]


def summary(race: Race) -> str:
    """Say in one line what there was."""
    answers = Counter(f"{each.status} {each.rule}".strip() for each in race.calls if each.ended is not None)
    lost = sum(1 for each in race.calls if each.ended is None)
    doubts = Counter(each.doubt for each in race.charges if each.doubt)
    slowest = max((each.ended - each.begun for each in race.calls if each.ended is not None), default=0.0)
    spent, charged = sum(each.cost for each in race.done), sum(each.cost for each in race.charges)
    most = max((tokens for _, tokens in _by_minute(race.done)), default=0)
    book = f"the ledger {race.cost.used}, of which {race.cost.unproven} unproven"
    return (
        f"{len(race.calls)} calls {dict(sorted(answers.items()))}, {lost} died with their pod, "
        f"slowest {slowest:.1f} s; provider {len(race.done)} calls, {spent} of {race.cost_day} micro-dollars, "
        f"at most {most} of {race.tokens_minute} tokens in a minute; charged {charged}, {book}; "
        f"in doubt {dict(doubts)}"
    )


def _answers(race: Race) -> Iterator[str]:
    for call in race.calls:
        if call.pod in race.killed:
            continue
        if call.ended is None:
            yield f"{call.name}: never answered"
        elif not call.status:
            yield f"{call.name}: no answer: {call.problem}"
        elif not call.whole and call.fault not in _BREAKS_OFF:
            yield f"{call.name}: {call.status}, but its answer broke off: {call.problem}"


def _provider(race: Race) -> Iterator[str]:
    booked = Counter(each.call for each in race.done)
    yield from (f"{name}: done {times} times" for name, times in booked.items() if times > 1)
    by_name = {each.call: each for each in race.done}
    for call in race.calls:
        done = by_name.get(call.name)
        if call.status in _LIMITED and done is not None:
            yield f"{call.name}: refused with {call.status} {call.rule}, but done"
        if call.status == 200 and done is None:
            yield f"{call.name}: answered, but in nobody's books"
        if call.tokens is not None and not call.fault and done is not None and call.tokens != done.tokens:
            yield f"{call.name}: told of {call.tokens} tokens, in the books are {done.tokens}"


def _windows(race: Race) -> Iterator[str]:
    for at, tokens in _by_minute(race.done):
        if tokens > race.tokens_minute:
            yield f"{tokens} tokens in the minute from {at:.3f}, more than {race.tokens_minute}"
    spent = sum(each.cost for each in race.done)
    if spent > race.cost_day:
        yield f"{spent} micro-dollars of {race.cost_day} spent"
    if race.cost.used > race.cost_day:
        yield f"the ledger lent or charged {race.cost.used} of {race.cost_day}"


def _by_minute(done: Iterable[Done]) -> Iterator[tuple[float, int]]:
    """Give what was used in the minute from each call on."""
    ordered = sorted(done, key=lambda each: each.at)
    end, tokens = 0, 0
    for first in ordered:
        while end < len(ordered) and ordered[end].at < first.at + MINUTE_SECONDS:
            tokens += ordered[end].tokens
            end += 1
        yield first.at, tokens
        tokens -= first.tokens


def _charges(race: Race, pod: str) -> Iterator[str]:
    calls = {each.name: each for each in race.calls}
    done = [each for each in race.done if each.pod == pod]
    charges = [each for each in race.charges if each.pod == pod and (each.tokens or each.doubt)]
    clean = Counter((each.tokens, each.cost) for each in charges if not each.doubt)
    booked = Counter((each.tokens, each.cost) for each in done)
    for pair, times in (clean - booked).items():
        yield f"{pod}: charged {pair} {times} times more often than the provider"
    until = race.killed.get(pod, math.inf) - WRITTEN_SECONDS
    certain = Counter((each.tokens, each.cost) for each in done if _certain(calls.get(each.call), until))
    for pair, times in (certain - clean).items():
        yield f"{pod}: {times} calls of {pair} came to their end, but are not charged so"
    if pod in race.killed:
        return
    doubtful = sorted((each.cost, each.tokens) for each in charges if each.doubt)
    unclear = sorted((cost, tokens) for (tokens, cost), times in (booked - clean).items() for _ in range(times))
    if len(doubtful) < len(unclear):
        yield f"{pod}: {len(unclear)} calls have no charge that is certain, but only {len(doubtful)} one in doubt"
    for charged, real in zip(doubtful[len(doubtful) - len(unclear) :], unclear, strict=False):
        if charged[0] < real[0]:
            yield f"{pod}: a call in doubt is charged {charged[0]}, but one cost {real[0]}"


def _certain(call: Call | None, until: float) -> bool:
    if call is None or call.ended is None or call.fault:
        return False
    return call.status == 200 and call.whole and call.ended < until


def _ledger(race: Race) -> Iterator[str]:
    charged = _sums(race.charges)
    spent = _sums(race.done)
    for kind, book in (("tokens", race.tokens), ("cost", race.cost)):
        if book.used < spent[kind]:
            yield f"the ledger has {book.used} of {kind}, the provider {spent[kind]}"
        if not race.killed and (book.used, book.unproven) != (charged[kind], 0):
            yield f"the ledger has {book.used} of {kind} and {book.unproven} unproven, the charges are {charged[kind]}"
        if race.killed and book.used - book.unproven > charged[kind]:
            yield f"the ledger was told of {book.used - book.unproven} of {kind}, the charges are {charged[kind]}"
        if race.killed and book.used < charged[kind]:
            yield f"the ledger has {book.used} of {kind}, the charges are {charged[kind]}"


def _sums(listed: Sequence[Done | Charge]) -> Mapping[str, int]:
    return {"tokens": sum(each.tokens for each in listed), "cost": sum(each.cost for each in listed)}
