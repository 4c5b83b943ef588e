"""The Incident that the ledger makes is one that the API server takes, whatever a watchdog said."""

import pytest

from zaum_api import contract, incidents
from zaum_api.documents import Fact
from zaum_api.v1alpha1.incident import Incident
from zaum_ledger.core import reporting
from zaum_ledger.core.conduct import Due, Who

WHO = Who("agents", "researcher", "zaum-researcher-0-0a1b2", "6e1c6f2e-2a4b-4b0e-9d55-8b3f0c0d9f11")
KILL, QUARANTINE = incidents.Action.KILL, incidents.Action.QUARANTINE


def test_a_breach_reads_like_a_report() -> None:
    due = Due(WHO.pod, "RunawayCPU", QUARANTINE, 0, 3, (Fact("cpu", "100 % for 120 s"),))
    body = reporting.body(WHO, due, 1_795_392_000.2509)
    Incident.model_validate(body)
    spec = body["spec"]
    assert body["metadata"] == {"namespace": "agents", "name": incidents.name("agents", "researcher", WHO.uid)}
    assert (spec["reporter"], spec["action"], spec["reason"]) == ("Ledger", "Quarantine", "RunawayCPU")
    assert spec["observedAt"] == "2026-11-23T00:00:00.250Z"
    assert spec["evidence"]["summary"] == (
        "The watchdog of pod zaum-researcher-0-0a1b2 is ending its agent: RunawayCPU;"
        " killed 3 times within 24 hours before."
    )
    assert spec["evidence"]["facts"][0] == {"name": "cpu", "value": "100 % for 120 s"}
    hold = incidents.hold(body)
    assert hold is not None
    assert hold.whole


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        pytest.param(-0.5, "2026-11-22T23:59:59.500Z", id="when the watchdog saw it"),
        pytest.param(-3600.0, "2026-11-22T23:00:00.000Z", id="an hour ago: it reached nobody"),
        pytest.param(1.0, "2026-11-23T00:00:00.000Z", id="a moment that has not come yet"),
        pytest.param(-90_000.0, "2026-11-23T00:00:00.000Z", id="more than a day ago"),
    ],
)
def test_i09_a_breach_counts_from_when_its_watchdog_saw_it(seen: float, said: str) -> None:
    heard = 1_795_392_000.0
    due = Due(WHO.pod, "RunawayCPU", KILL, 0, 0, observed=int((heard + seen) * 1000))
    assert reporting.body(WHO, due, heard)["spec"]["observedAt"] == said


@pytest.mark.parametrize("reason", incidents.REASONS)
@pytest.mark.parametrize("kills", [0, 1, 1000])
def test_every_reason_is_taken(reason: str, kills: int) -> None:
    if reason == incidents.Cause.MANUAL.value:
        return
    due = Due(WHO.pod, reason, KILL, 0, kills)
    Incident.model_validate(reporting.body(WHO, due, 1e9))


def test_as_much_evidence_as_there_can_be_is_taken() -> None:
    facts = tuple(Fact(f"a{number}" + "x" * 60, "~" * 128) for number in range(16))
    longest = Who("n" * 63, "p" * 48, "zaum-" + "p" * 48 + "-99-fffff", "u" * 36)
    found = reporting.body(longest, Due(longest.pod, contract.Breach.RUNAWAY_NO_PROGRESS.value, KILL, 0, 5, facts), 0)
    Incident.model_validate(found)
    assert len(found["spec"]["evidence"]["facts"]) == 16
    assert found["spec"]["evidence"]["facts"][-1] == {"name": "killsBefore", "value": "5"}


def test_a_fact_that_bears_the_ledgers_own_name_is_said_once() -> None:
    due = Due(WHO.pod, "RunawayCPU", KILL, 0, 2, (Fact("killsBefore", "none at all"),))
    found = reporting.body(WHO, due, 0)
    assert found["spec"]["evidence"]["facts"] == [{"name": "killsBefore", "value": "2"}]
