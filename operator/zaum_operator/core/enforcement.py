"""What the watchdogs of running pods say of their cages, and of what else is wrong with them."""

from collections.abc import Iterator

from zaum_api import documents
from zaum_api.conditions import Reason, Status
from zaum_operator.core.finding import Finding, no, yes
from zaum_operator.core.plan import Plan
from zaum_operator.core.pods import Pod
from zaum_operator.core.snapshot import Snapshot


def proven(snapshot: Snapshot, plan: Plan) -> Finding:
    """Say whether the cage of every running pod was tried and held. Whoever gathers reports leaves old ones out."""
    said = dict(_said(snapshot, plan))
    for pod, report in said.items():
        if reached := [item for item in report.escapes if item.reached]:
            return _reached(pod, reached, plan.certain)
    if len(said) < len(plan.decision.keep) or not said:
        # The same words in all cases: what comes and goes while nothing is known is no reason to write a status.
        text = "No pod runs, or not every pod's watchdog has said lately what it can reach."
        return Finding(Status.UNKNOWN, Reason.NO_REPORT, text)
    for pod, report in said.items():
        if not report.tested:
            return Finding(Status.UNKNOWN, Reason.NOT_TESTED_YET, f"Pod {pod.name} has not tested its cage yet.")
    for pod, report in said.items():
        if not report.proven:
            return Finding(
                Status.UNKNOWN,
                Reason.TEST_INCONCLUSIVE,
                f"The cage test of pod {pod.name} proves nothing: {_text(report.escapes)}.",
            )
    return yes(Reason.CAGE_HELD, f"{len(said)} pods tried what must be out of their reach, and reached none of it.")


def missing(snapshot: Snapshot, plan: Plan) -> tuple[str, ...]:
    """Name the routes whose credential some watchdog misses."""
    return tuple(sorted({name for _, report in _said(snapshot, plan) for name in report.missing}))


def problem(snapshot: Snapshot, plan: Plan) -> tuple[Pod, str] | None:
    """Give the first pod whose watchdog refuses the document that it was given, and why."""
    return next(((pod, report.problem) for pod, report in _said(snapshot, plan) if report.problem), None)


def ladders(snapshot: Snapshot, plan: Plan) -> tuple[documents.Contained, ...]:
    """Give how far each watchdog has gone with its agent, as far as they have said."""
    said = (report.contained for _, report in _said(snapshot, plan))
    return tuple(contained for contained in said if contained is not None)


def mark(snapshot: Snapshot) -> tuple[object, ...]:
    """Give what of the reports decides anything: equal for two sets that say the same."""
    said = sorted((uid, _decides(heard.report)) for uid, heard in snapshot.reports.items())
    word = (snapshot.books, snapshot.books_awaited, snapshot.books_missing)
    return (tuple(said), tuple(sorted(snapshot.contacts)), snapshot.silent, snapshot.usage, *word)


def _decides(report: documents.Report) -> tuple[object, ...]:
    contained = report.contained
    ladder = ("", "", 0) if contained is None else (contained.rung.value, contained.breach, contained.would_kill)
    return (report.tested > 0, report.escapes, report.missing, report.problem, ladder)


def _said(snapshot: Snapshot, plan: Plan) -> Iterator[tuple[Pod, documents.Report]]:
    """Yield what is known of the pods that live on: one that ended, or is about to, tells nothing of the next."""
    for pod in plan.decision.keep:
        if (heard := snapshot.reports.get(pod.uid)) is not None:
            yield pod, heard.report


def _reached(pod: Pod, reached: list[documents.Escape], certain: frozenset[str]) -> Finding:
    """Tell a leak from nothing being enforced at all: then everything is reached that surely listens."""
    text = f"Pod {pod.name} reached what must be out of its reach: {_text(reached)}."
    if certain and certain <= {item.target for item in reached}:
        return no(
            Reason.NOT_ENFORCED,
            f"{text} Nothing in the cluster seems to enforce NetworkPolicies: install a network plugin that does, or"
            " repair it on the pod's node. Until then an agent reaches past its watchdog whatever its node reaches;"
            " spec.egress.requireProof keeps agents from starting there.",
        )
    return no(
        Reason.CAGE_LEAKS,
        f"{text} Look whether the network plugin enforces NetworkPolicies for that kind of traffic; cordon the node"
        " meanwhile.",
    )


def _text(found: "list[documents.Escape] | tuple[documents.Escape, ...]") -> str:
    """Name all of them: a report holds few (documents.ESCAPES_MAX), and each says where to look."""
    return ", ".join(f"{item.target} ({item.address}): {item.outcome}" for item in found)
