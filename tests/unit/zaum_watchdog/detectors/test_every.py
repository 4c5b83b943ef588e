"""Every detector: what makes it trip, and what next to it does not."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zaum_api import contract, documents
from zaum_watchdog.core.detectors import engine, errors, no_progress, repeated, window
from zaum_watchdog.core.detectors.sample import Asked, Sample

SECOND = 1_000_000_000
MIB = 2**20
OFF = documents.Runaway(None, None, None)
CALL, OTHER, READ = Asked(b"a", reads=False), Asked(b"b", reads=False), Asked(b"r", reads=True)


def breaches(config: documents.Runaway, samples: Iterable[Sample]) -> list[tuple[int, contract.Breach]]:
    """Feed every sample; give (number of the tick, breach)."""
    now, found = engine.Engine(), []
    for number, sample in enumerate(samples):
        now, tripped = now.feed(config, sample)
        found += [(number, breach) for breach in tripped]
    return found


def every_second(count: int, make: Callable[[int], Sample]) -> list[Sample]:
    return [make(second) for second in range(count)]


def with_one(**detector: object) -> documents.Runaway:
    return documents.Runaway(None, None, None, **detector)  # type: ignore[arg-type]


MEMORY = with_one(memory=documents.MemoryDetector(10 * MIB, 5))
FORKS = with_one(forks=documents.ForkDetector(100, 10))
FILES = with_one(files=documents.FileDetector(100, 3))
REPEATED = with_one(repeated=documents.RepeatedDetector(3, 10))
ERRORS = with_one(errors=documents.ErrorDetector(50, 10, 20))
NO_PROGRESS = with_one(no_progress=documents.NoProgressDetector(100, 5))
EGRESS = with_one(egress_bytes=documents.EgressDetector(1000, 10))
IDLE = with_one(idle=documents.IdleDetector(5))
STARVED = with_one(starved=documents.StarvedDetector(2, 5))


def at(second: int, **seen: object) -> Sample:
    return Sample(second * SECOND, **seen)  # type: ignore[arg-type]


FIRING = {
    contract.Breach.RUNAWAY_MEMORY: (
        MEMORY, every_second(140, lambda s: at(s, memory=s * MIB // 5)), 125,
    ),
    contract.Breach.RUNAWAY_FORKS: (FORKS, every_second(9, lambda s: at(s, begun=20)), 5),
    contract.Breach.RUNAWAY_FILES: (FILES, every_second(9, lambda s: at(s, files=101)), 3),
    contract.Breach.RUNAWAY_REPEATED: (REPEATED, every_second(9, lambda s: at(s, asked=(CALL,))), 3),
    contract.Breach.RUNAWAY_ERRORS: (ERRORS, every_second(15, lambda s: at(s, answered=1, wrong=1)), 9),
    contract.Breach.RUNAWAY_NO_PROGRESS: (
        NO_PROGRESS, every_second(15, lambda s: at(s, asked=(CALL,), tokens=30)), 5,
    ),
    contract.Breach.RUNAWAY_EGRESS: (EGRESS, every_second(15, lambda s: at(s, sent=300)), 3),
    contract.Breach.IDLE: (IDLE, every_second(9, at), 5),
    contract.Breach.STARVED: (STARVED, every_second(9, lambda s: at(4 * s, late=3 * SECOND)), 2),
}  # fmt: skip
"""What each detector is fed, and the tick at which it trips first."""


@pytest.mark.parametrize("breach", FIRING, ids=lambda breach: breach.value)
def test_each_trips_at_its_threshold_and_alone(breach: contract.Breach) -> None:
    config, samples, first = FIRING[breach]
    found = breaches(config, samples)
    assert found[:1] == [(first, breach)]
    assert {each for _, each in found} == {breach}


@pytest.mark.parametrize("breach", FIRING, ids=lambda breach: breach.value)
def test_a_detector_that_is_off_sees_nothing(breach: contract.Breach) -> None:
    assert breaches(OFF, FIRING[breach][1]) == []


SILENT = {
    "memory that was taken at once and is kept": (
        MEMORY, every_second(300, lambda s: at(s, memory=(s > 9) * 400 * MIB)),
    ),
    "memory that grows as much as it may": (MEMORY, every_second(300, lambda s: at(s, memory=s * 10 * MIB // 60))),
    "memory that is given back now and then": (MEMORY, every_second(600, lambda s: at(s, memory=s % 62 * MIB))),
    "memory before a minute is over": (MEMORY, every_second(60, lambda s: at(s, memory=s * 100 * MIB))),
    "as many forks as there may be": (FORKS, every_second(600, lambda s: at(s, begun=10))),
    "a burst of forks": (FORKS, [at(0, begun=100), *every_second(60, at)[1:]]),
    "as many files as there may be": (FILES, every_second(60, lambda s: at(s, files=100))),
    "many files for a moment": (FILES, every_second(60, lambda s: at(s, files=101 * (s % 3 != 0)))),
    "as often the same as may be": (REPEATED, every_second(3, lambda s: at(s, asked=(CALL,)))),
    "the same now and then": (REPEATED, every_second(600, lambda s: at(s, asked=(CALL,) * (s % 4 == 0)))),
    "different calls": (REPEATED, every_second(60, lambda s: at(s, asked=(Asked(b"%d" % s, reads=False),)))),
    "asking for ever whether it is done": (REPEATED, every_second(60, lambda s: at(s, asked=(READ,) * 9))),
    "too few answers to say": (ERRORS, every_second(9, lambda s: at(s, answered=1, wrong=1))),
    "half of the answers": (ERRORS, every_second(90, lambda s: at(s, answered=2, wrong=1))),
    "tokens spent on new requests": (
        NO_PROGRESS, every_second(90, lambda s: at(s, asked=(Asked(b"%d" % s, reads=False),), tokens=99)),
    ),
    "the same for ever at no cost": (NO_PROGRESS, every_second(90, lambda s: at(s, asked=(CALL,), tokens=1))),
    "one dear answer": (NO_PROGRESS, [at(0, asked=(CALL,), tokens=10**6), at(4)]),
    "as many bytes as may be": (EGRESS, every_second(90, lambda s: at(s, sent=90))),
    "a request before it is over": (IDLE, every_second(90, lambda s: at(s, moved=s % 5 == 0))),
    "one look that is late": (STARVED, [at(0), at(3600, late=3599 * SECOND), at(3601), at(3602)]),
    "looks that are somewhat late": (STARVED, every_second(90, lambda s: at(3 * s, late=2 * SECOND))),
}  # fmt: skip


@pytest.mark.parametrize("what", SILENT)
def test_what_is_next_to_it_trips_nothing(what: str) -> None:
    config, samples = SILENT[what]
    assert breaches(config, samples) == []


def test_two_requests_by_turns_are_no_progress_and_a_third_is() -> None:
    by_turns = every_second(20, lambda s: at(s, asked=((CALL, OTHER)[s % 2],), tokens=30))
    assert breaches(NO_PROGRESS, by_turns)[0] == (6, contract.Breach.RUNAWAY_NO_PROGRESS)
    fresh = [*by_turns[:6], at(6, asked=(READ,), tokens=30), *every_second(11, lambda s: at(s, tokens=1))[7:]]
    assert breaches(NO_PROGRESS, fresh) == []


def test_a_request_made_often_is_not_pushed_out_by_many_others() -> None:
    counts: repeated.Counts = {}
    config = documents.RepeatedDetector(3, 60)
    tripped = []
    for second in range(4):
        others = tuple(Asked(b"%d-%d" % (second, n), reads=False) for n in range(repeated.KNOWN_MAX - 1))
        counts, now = repeated.feed(config, counts, at(second, asked=(CALL, *others)))
        tripped.append(now)
        assert len(counts) <= repeated.KNOWN_MAX
    assert tripped == [False, False, False, True]


def test_of_more_requests_than_are_known_the_oldest_is_a_new_one_again() -> None:
    config, state = documents.NoProgressDetector(1, 1), no_progress.Stretch()
    many = tuple(Asked(b"%d" % n, reads=False) for n in range(no_progress.KNOWN_MAX))
    state, _ = no_progress.feed(config, state, at(0, asked=many))
    state, _ = no_progress.feed(config, state, at(1, asked=many[:1], tokens=9))
    assert state.tokens == 9, "the control: it is known"
    state, _ = no_progress.feed(config, state, at(2, asked=(CALL,)))
    assert len(state.known) == no_progress.KNOWN_MAX
    assert many[1].digest not in state.known
    state, _ = no_progress.feed(config, state, at(3, asked=many[1:2], tokens=9))
    assert (state.tokens, state.lasting.span) == (9, 0), "it begins anew"


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 422])
def test_what_calls_the_request_wrong_counts(status: int) -> None:
    assert errors.is_wrong(status)


@pytest.mark.parametrize("status", [0, 200, 204, 302, 401, 402, 403, 407, 408, 425, 429, 500, 502, 503, 504, 529])
def test_what_something_else_is_to_blame_for_does_not(status: int) -> None:
    assert not errors.is_wrong(status)


def test_a_breach_is_over_only_when_its_detector_has_rested() -> None:
    now = engine.Engine()
    raised = []
    for second in range(60):
        now, _ = now.feed(FILES, at(second, files=101 if second < 10 else 0))
        raised.append(now.raised)
    assert raised[2] == ()
    assert set(raised[3:39]) == {(contract.Breach.RUNAWAY_FILES,)}
    assert set(raised[39:]) == {()}


def test_a_detector_that_is_switched_off_raises_nothing_any_more() -> None:
    now = engine.Engine()
    for second in range(9):
        now, _ = now.feed(FILES, at(second, files=101))
    assert now.raised
    now, _ = now.feed(OFF, at(9, files=101))
    assert now.raised == ()


def test_every_detector_of_the_document_is_fed_and_has_a_breach_of_its_own() -> None:
    assert {one.name for one in engine.ALL} == set(documents.Runaway.__dataclass_fields__)
    assert len({one.breach for one in engine.ALL}) == len(engine.ALL)


@given(
    st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 50)), max_size=60), st.integers(1, 300)
)  # fmt: skip
def test_a_window_never_counts_what_is_older_than_it(ticks: list[tuple[int, int]], seconds: int) -> None:
    state, latest = window.Window(), 0
    seen: list[tuple[int, int]] = []
    for now, amount in ticks:
        if not state.slices:
            seen, latest = [], now  # Nothing is left of what was before, not even its time.
        latest = max(latest, now)
        seen.append((latest, amount))
        state = state.add(amount, now=now, seconds=seconds)
        slice_ = seconds * SECOND // window.SLICES
        most = sum(each for when, each in seen if latest - when < (window.SLICES + 1) * slice_)
        least = sum(each for when, each in seen if latest - when < (window.SLICES - 1) * slice_)
        assert least <= state.total <= most
        assert len(state.slices) <= window.SLICES
