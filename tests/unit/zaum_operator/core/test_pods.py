"""Reading live pods, whole and broken."""

from datetime import UTC, datetime, timedelta
from typing import Any

from zaum_operator.core import pods


def pod(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "creationTimestamp": "2026-03-01T00:00:00Z"} | metadata, "status": status or {}}


def test_a_pod_that_says_nothing_reads_as_live_unready_and_nobodys() -> None:
    found = pods.read({"metadata": {"name": "p"}})
    assert (found.phase, found.ready, found.ordinal, found.owner_uid) == (pods.Phase.LIVE, False, None, "")
    assert (found.failures, found.watchdog_restarts, found.ending, found.created) == (0, 0, None, pods.EPOCH)


def test_an_ordinal_that_is_no_number_is_none() -> None:
    for text in ("-1", "1.0", "x", "", "9" * 10, "\u0661"):
        assert pods.read(pod(labels={"zaum.dev/ordinal": text})).ordinal is None


def test_the_end_of_the_agent_counts_not_the_watchdogs() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-03-01T00:00:10Z",
             "finishedAt": "2026-03-01T00:01:10Z"}  # fmt: skip
    statuses = [{"name": "agent", "state": {"terminated": ended}}]
    found = pods.read(pod({"phase": "Failed", "containerStatuses": statuses})).ending
    finished = datetime(2026, 3, 1, 0, 1, 10, tzinfo=UTC)
    assert found == pods.Ending(137, "OOMKilled", "", finished, timedelta(minutes=1))


def test_an_evicted_pod_ends_when_its_readiness_changed() -> None:
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T00:05:00Z"}
    found = pods.read(pod({"phase": "Failed", "reason": "Evicted", "message": "disk", "conditions": [ready]})).ending
    assert found == pods.Ending(None, "Evicted", "disk", datetime(2026, 3, 1, 0, 5, tzinfo=UTC), timedelta())


def test_a_pod_that_failed_without_a_word_ends_when_it_was_made() -> None:
    found = pods.read(pod({"phase": "Failed"})).ending
    assert found is not None
    assert found.finished == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_clock_that_ran_backwards_makes_no_negative_run() -> None:
    ended = {"exitCode": 1, "startedAt": "2026-03-01T00:02:00Z", "finishedAt": "2026-03-01T00:01:00Z"}
    found = pods.read(
        pod({"phase": "Failed", "containerStatuses": [{"name": "agent", "state": {"terminated": ended}}]})
    )
    assert found.ending is not None
    assert found.ending.ran == timedelta()


def test_the_watchdogs_last_word_is_kept_over_its_restart() -> None:
    last = {"terminated": {"message": "RunawayCPU"}}
    statuses = [{"name": "watchdog", "restartCount": 2, "state": {"running": {}}, "lastState": last}]
    found = pods.read(pod({"initContainerStatuses": statuses}))
    assert (found.watchdog_restarts, found.watchdog_message) == (2, "RunawayCPU")
