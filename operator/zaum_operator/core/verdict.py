"""Say on the policy what is so: its conditions, each with one reason and a message that names the object."""

from collections.abc import Iterator

from zaum_api import contract
from zaum_api.conditions import ConditionType, Reason, Status
from zaum_operator.core import budgets, degraded, enforcement, isolation, pods, replacement, tasks, troubles
from zaum_operator.core.containment import standing
from zaum_operator.core.finding import Failure, Finding, Verdict, no, yes
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot

__all__ = ["Failure", "Verdict", "conclude"]


def conclude(snapshot: Snapshot, plan: Plan, failure: Failure | None) -> tuple[Verdict, ...]:
    """Give all conditions, from what was seen, planned, and done."""
    found = {
        ConditionType.READY: next(_ready(snapshot, plan, failure)),
        ConditionType.ISOLATED: isolation.isolated(plan, failure),
        ConditionType.EGRESS_EXACT: isolation.egress_exact(snapshot, plan),
        ConditionType.ENFORCEMENT_PROVEN: enforcement.proven(snapshot, plan),
        ConditionType.IDENTITY_BOUND: isolation.identity_bound(plan),
        ConditionType.WITHIN_LIMITS: budgets.within(snapshot, plan),
        ConditionType.CONTAINED: standing.contained(plan.held),
        ConditionType.DEGRADED: degraded.find(snapshot, plan),
    }
    if plan.outcome is not None:
        outcome = tasks.unstarted() if failure is not None and plan.decision.start else plan.outcome
        found[ConditionType.SUCCEEDED] = Finding(outcome.status, outcome.reason, outcome.message)
    return tuple(finding.about(kind) for kind, finding in found.items())


def _ready(snapshot: Snapshot, plan: Plan, failure: Failure | None) -> Iterator[Finding]:
    """Yield what keeps the policy from being ready, the most telling first; the first one counts."""
    if plan.intent.spec is None:
        yield no(
            Reason.INVALID_SPEC, f"The spec cannot be acted on; running pods have no egress. {plan.intent.problem}"
        )
    if plan.outcome is not None and plan.outcome.final:
        yield no(Reason.TASK_ENDED, f"The task has ended: {plan.outcome.message}")
    if failure is not None:
        yield troubles.failed(failure)
    if plan.stale:
        yield no(Reason.PROGRESSING, "Objects of an earlier policy of this name are being deleted.")
    yield from _forbidden(plan)
    effective = plan.effective
    if effective is None:
        return
    wanted = 0 if effective.stopped else effective.replicas
    if wanted and snapshot.gateway is None:
        yield no(
            Reason.GATEWAY_MISSING,
            f"The Service {contract.GATEWAY_SERVICE} or its CA was not found in Zaum's namespace: no pod is started.",
        )
    if plan.lost:
        yield troubles.lost(plan.lost[0])
    if not wanted:
        yield _stopped(snapshot)
    yield from troubles.of_pods(snapshot, plan)
    if plan.held.incidents:
        yield standing.ending(plan.held.incidents[0])
    yield _counted(plan, wanted)


def _forbidden(plan: Plan) -> Iterator[Finding]:
    """Yield what keeps every pod away, or every new one."""
    if plan.held.whole is not None:
        yield standing.quarantined(plan.held.whole)
    if plan.blocked is not None:
        yield standing.blocked(plan.blocked)
    for stated in plan.ceilings.invalid:
        yield no(
            Reason.CEILING_INVALID,
            f"AgentCeiling {stated.ceiling} cannot be read: {stated.value}. No pod is started under it: upgrade Zaum,"
            " or take out what it does not know.",
        )
    if plan.effective is not None and plan.effective.refusals:
        refusal = plan.effective.refusals[0]
        who = f"AgentCeiling {refusal.ceiling} {refusal.text}" if refusal.ceiling else refusal.text
        yield no(Reason.CEILING_EXCEEDED, f"{refusal.field}: {who}. No pod runs.")
    if plan.beside:
        yield no(Reason.FOREIGN_NETWORK_POLICY, f"No pod runs beside {isolation.foreign_text(plan)}.")


def _stopped(snapshot: Snapshot) -> Finding:
    leaving = sum(pods.read(pod).phase is not pods.Phase.ENDED for pod in snapshot.pods)
    if leaving:
        return no(Reason.PROGRESSING, f"Stopping: {leaving} pods still exist.")
    return yes(Reason.STOPPED, "Nothing is meant to run.")


def _counted(plan: Plan, wanted: int) -> Finding:
    decision: replacement.Decision = plan.decision
    ready = sum(pod.ready for pod in decision.keep if pod not in decision.end)
    text = f"{ready} of {wanted} pods are ready"
    if decision.outdated:
        return no(Reason.PROGRESSING, f"{text}; {decision.outdated} wait to be replaced.")
    if ready == wanted:
        return yes(Reason.ALL_READY, f"{text}.")
    if plan.effective is not None and plan.effective.require_proof:
        text += "; no agent starts before its pod's cage test has passed (condition EnforcementProven)"
    return Finding(Status.FALSE, Reason.PROGRESSING, f"{text}.")
