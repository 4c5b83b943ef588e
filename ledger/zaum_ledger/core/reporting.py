"""The Incident that the ledger makes for a breach: as the API server takes it (`zaum_api.v1alpha1.incident`)."""

from datetime import UTC, datetime
from typing import Any, Final

from zaum_api import contract, documents, incidents
from zaum_ledger.core.conduct import Due, Who

_LATE: Final = 24 * 3600.0
"""Seconds for which a watchdog may have reached no ledger."""
_OWN: Final = 1
"""Facts that are added here."""


def body(who: Who, due: Due, heard: float) -> dict[str, Any]:
    """Give the object. `heard`: when the ledger heard of the breach, in seconds since the epoch by the wall.

    A breach counts from when its watchdog saw it. A moment that has not come yet, or has been long ago, is that of
    another clock than ours, and then it counts from when it was heard.
    """
    observed = due.observed / 1e3
    if not heard - _LATE <= observed <= heard:
        observed = heard
    facts = {fact.name: fact.value for fact in due.facts[: incidents.FACTS_MAX - _OWN]}
    facts["killsBefore"] = str(due.kills)
    return {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_INCIDENT,
        "metadata": {"namespace": who.namespace, "name": who.incident},
        "spec": {
            "policyRef": {"name": who.policy},
            "reason": due.reason,
            "action": due.action.value,
            "reporter": incidents.Reporter.LEDGER.value,
            "pod": {"name": due.pod, "uid": who.uid},
            "observedAt": _time(observed),
            "evidence": {
                "summary": _summary(due)[: incidents.SUMMARY_MAX],
                "facts": [documents.Fact(name, value).write() for name, value in facts.items()],
            },
        },
    }


def _summary(due: Due) -> str:
    times = "once" if due.kills == 1 else f"{due.kills} times"
    before = f"; killed {times} within 24 hours before" if due.kills else ""
    if due.reason == incidents.Cause.BUDGET_SPENT.value:
        return f"Pod {due.pod} asked for more of a budget that is spent{before}."
    return f"The watchdog of pod {due.pod} is ending its agent: {due.reason}{before}."


def _time(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
