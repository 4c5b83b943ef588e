"""When a Sync is due, and with which number."""

import json

import pytest

from zaum_api import documents
from zaum_watchdog.core import syncing
from zaum_watchdog.core.syncing import SECOND, Syncing


def said(state: Syncing) -> bytes:
    return state.say(documents.Sync(state.session, state.sequence + 1, "c", 1, 1, 0, (), returned=("lease",)))


def test_one_is_due_at_once_and_the_next_after_the_period() -> None:
    state = Syncing()
    assert state.wait(5) == 0
    said(state)
    state.went(5)
    assert state.out
    state.heard("s", 10, 0.5)
    assert (state.out, state.session, state.sequence) == (False, "s", 1)
    assert state.wait(10) == syncing.PERIOD
    state.want()
    assert state.wait(10) == 0


@pytest.mark.parametrize("status", sorted(syncing.REPEATED))
def test_i07_what_got_no_answer_is_said_again_as_it_was(status: int) -> None:
    state = Syncing()
    raw = said(state)
    state.went(0)
    assert state.refused(status, 0, 0, 1.0) is False
    assert (state.raw, state.returned, state.sequence) == (raw, ("lease",), 1)


def test_i07_a_session_that_is_lost_begins_anew() -> None:
    state = Syncing()
    said(state)
    state.heard("s", 0, 0.0)
    said(state)
    state.went(0)
    assert state.refused(syncing.SESSION_LOST, 0, 0, 0.0) is True
    assert (state.session, state.sequence, state.raw, state.returned) == ("", 0, b"", ())


def test_a_refused_one_is_not_said_again() -> None:
    state = Syncing()
    said(state)
    assert state.refused(400, 0, 0, 0.0) is False
    assert (state.raw, state.sequence) == (b"", 1)


def newest(state: Syncing) -> documents.Sync:
    """Give the next one as the watchdog says it: with the containment, unless the ledger is older."""
    containment = None if state.older else documents.Containment()
    return documents.Sync(state.session, state.sequence + 1, "c", 1, 1, 0, (), containment=containment)


def version(raw: bytes) -> str:
    return str(json.loads(raw)["version"])


def test_a_ledger_that_cannot_read_the_newest_version_hears_the_one_before_and_is_tried_again_later() -> None:
    state, heard = Syncing(), []
    for _ in range(2 * (syncing.OLDER_SYNCS + 1)):
        heard.append(version(state.say(newest(state))))
        state.went(0)
        if heard[-1] == "v2":
            state.refused(syncing.UNREADABLE, 0, 0, 0.0)
        else:
            state.heard("s", 0, 0.0)
    assert heard == (["v2"] + ["v1"] * syncing.OLDER_SYNCS) * 2


def test_a_ledger_that_reads_the_newest_version_again_goes_on_with_it() -> None:
    state = Syncing()
    state.say(newest(state))
    state.refused(syncing.UNREADABLE, 0, 0, 0.0)
    for _ in range(syncing.OLDER_SYNCS):
        assert state.older
        state.say(newest(state))
        state.heard("s", 0, 0.0)
    for _ in range(3):
        assert version(state.say(newest(state))) == "v2"
        state.heard("s", 0, 0.0)


def test_a_ledger_that_was_away_may_be_another_one() -> None:
    state = Syncing()
    state.say(newest(state))
    state.refused(syncing.UNREADABLE, 0, 0, 0.0)
    state.say(newest(state))
    state.refused(503, 0, 0, 0.0)
    assert state.older, "it was there, and busy"
    state.refused(syncing.NO_ANSWER, 0, 0, 0.0)
    assert not state.older


def test_what_is_malformed_in_any_version_is_no_older_ledger() -> None:
    state = Syncing()
    said(state)
    state.refused(syncing.UNREADABLE, 0, 0, 0.0)
    assert not state.older


def test_pauses_double_up_to_the_longest_and_heed_retry_after() -> None:
    state, pauses = Syncing(), []
    for _ in range(12):
        state.refused(503, 0, 0, 1.0)
        pauses.append(state.wait(0))
    assert pauses[:3] == [syncing.FIRST_PAUSE, 2 * syncing.FIRST_PAUSE, 4 * syncing.FIRST_PAUSE]
    assert pauses[-1] == syncing.LONGEST_PAUSE
    state.want()
    assert state.wait(0) == syncing.LONGEST_PAUSE, "however much it is wanted"
    state.refused(429, 30, 0, 0.0)
    assert state.wait(0) == 30 * SECOND
    state.heard("s", 0, 0.0)
    state.refused(0, 0, 0, 0.0)
    assert state.wait(0) == syncing.FIRST_PAUSE // 2, "and begin again behind an answer"


def test_nobody_speaks_faster_than_the_pace() -> None:
    state = Syncing()
    at_once = sum(not state.paced(0) for _ in range(100))
    assert at_once == syncing.RATE.burst
    assert 0 < state.paced(0) <= SECOND
