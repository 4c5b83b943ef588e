"""What is worse than it could be while all else that is said still holds: the first reason counts, all are told."""

from collections.abc import Iterator

from zaum_api import contract
from zaum_api.conditions import Reason
from zaum_operator.core import budgets, enforcement, words
from zaum_operator.core.finding import Finding, no, yes
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot


def find(snapshot: Snapshot, plan: Plan) -> Finding:
    """Give the condition: True with all that is worse, False when nothing is."""
    found = [
        *_found(plan),
        *_config(snapshot, plan),
        *_silent(snapshot, plan),
        *_routes(snapshot, plan),
        *_limits(plan),
    ]
    if not found:
        return no(Reason.AS_INSTALLED, "Everything that this installation can guard with is in place.")
    return yes(found[0][0], " ".join(text for _, text in found))


def _found(plan: Plan) -> Iterator[tuple[Reason, str]]:
    if plan.namespaced:
        yield (
            Reason.NAMESPACE_SCOPED,
            "Zaum is installed for single namespaces: there are no ceilings and no admission policies, people with"
            " rights in the namespace can change its objects until they are restored, and one quota counts the pods of"
            " all policies together.",
        )
    if plan.ceilings.access and plan.opened:
        ways = ", ".join(way.value for way in plan.ceilings.access)
        yield (
            Reason.ACCESS_RELAXED,
            f"The ceilings and the label {contract.LABEL_ACCESS} of this namespace let people with the right to it into"
            f" agent pods: {ways}.",
        )
    if note := plan.intent.unknown_note:
        yield Reason.UNKNOWN_FIELDS, note
    if plan.effective is not None and plan.effective.mode_refused:
        yield (
            Reason.CEILING_EXCEEDED,
            f"The policy is enforced although spec.mode is Report: {plan.effective.mode_refused}.",
        )


def _config(snapshot: Snapshot, plan: Plan) -> Iterator[tuple[Reason, str]]:
    found = enforcement.problem(snapshot, plan)
    if found is not None:
        pod, why = found
        yield (
            Reason.CONFIG_REFUSED,
            f"The watchdog of pod {pod.name} keeps to the last document that it could use: {words.quoted(why)}.",
        )


def _silent(snapshot: Snapshot, plan: Plan) -> Iterator[tuple[Reason, str]]:
    """Say whose watchdog the ledger hears no more. That alone is no Incident (`containment.making`)."""
    named = sorted(pod.name for pod in plan.decision.keep if pod.uid in snapshot.silent)
    if named:
        yield (
            Reason.WATCHDOG_SILENT,
            f"The ledger hears the watchdog of {', '.join(named)} no more: what these pods have not leased is denied.",
        )


def _limits(plan: Plan) -> Iterator[tuple[Reason, str]]:
    """Yield the limits that only deny."""
    if unkept := budgets.lacking(plan):
        yield Reason.LEDGER_MISSING, unkept
    yield from budgets.unpriced(plan)


def _routes(snapshot: Snapshot, plan: Plan) -> Iterator[tuple[Reason, str]]:
    """Yield the routes that do not work. They harm no other one."""
    if plan.effective is None:
        return
    for closed in plan.effective.closed:
        if closed.reason is not Reason.INVALID_HOSTS:
            yield closed.reason, f"Route {closed.name} is closed: {closed.problem}."
    lacking = enforcement.missing(snapshot, plan)
    for route in plan.effective.named:
        if route.name in lacking and route.secret:
            yield (
                Reason.CREDENTIAL_MISSING,
                f"Route {route.name} answers 503: key {route.key} of Secret {route.secret} is not there or no"
                " credential.",
            )
