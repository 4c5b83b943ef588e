"""What the watchdogs of running pods say of their cages, and what they have counted."""

from zaum_api import documents
from zaum_api.conditions import Reason, Status
from zaum_operator.core.finding import Finding, no, yes
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot


def proven(snapshot: Snapshot, plan: Plan) -> Finding:
    """Say whether the cage of every running pod was tried and held. Whoever gathers reports leaves old ones out."""
    pods = plan.decision.keep
    for pod in pods:
        said = snapshot.reports.get(pod.uid)
        if said is not None and said.report.escapes:
            return no(Reason.CAGE_LEAKS, f"Pod {pod.name} reached what must be out of its reach: {_text(said.report)}.")
    if not pods or any(pod.uid not in snapshot.reports for pod in pods):
        # The same words for every pod: what comes and goes while nothing is known is no reason to write a status.
        return Finding(Status.UNKNOWN, Reason.NO_REPORT, "Not every pod's watchdog has said lately what it can reach.")
    untested = [pod.name for pod in pods if not snapshot.reports[pod.uid].report.tested]
    if untested:
        return Finding(Status.UNKNOWN, Reason.NOT_TESTED_YET, f"Pod {untested[0]} has not tested its cage yet.")
    return yes(Reason.CAGE_HELD, f"{len(pods)} pods tried what must be out of their reach, and reached none of it.")


def usage(snapshot: Snapshot) -> dict[str, int] | None:
    """Give `status.usage`: the sum over the pods that have reported; None when none has."""
    reports = [said.report for said in snapshot.reports.values()]
    if not reports:
        return None
    return {
        "requests": sum(report.requests for report in reports),
        "denied": sum(report.denied for report in reports),
        "wouldDeny": sum(report.would_deny for report in reports),
    }


def missing(snapshot: Snapshot) -> tuple[str, ...]:
    """Name the routes whose credential some watchdog misses."""
    return tuple(sorted({name for said in snapshot.reports.values() for name in said.report.missing}))


def mark(snapshot: Snapshot) -> tuple[object, ...]:
    """Give what of the reports decides anything: equal for two sets that say the same."""
    return tuple(
        sorted(
            (uid, said.report.tested > 0, said.report.escapes, said.report.missing)
            for uid, said in snapshot.reports.items()
        )
    )


def _text(report: documents.Report) -> str:
    return ", ".join(f"{item.target} ({item.address}): {item.outcome}" for item in report.escapes[:3])
