"""What is said about the cage: is it whole, is egress exactly as named, whose token does the agent hold."""

from zaum_api import contract, durations
from zaum_api.conditions import Reason
from zaum_operator.core import kinds, troubles
from zaum_operator.core.effective import NoToken, Refused, Token
from zaum_operator.core.finding import Failure, Finding, no, yes
from zaum_operator.core.plan import Plan
from zaum_operator.core.snapshot import Snapshot

_NAMED = 5


def isolated(plan: Plan, failure: Failure | None) -> Finding:
    """Say whether guard, NetworkPolicy, quota and ServiceAccount stand as planned."""
    if failure is not None and failure.action.kind not in {kinds.POD, kinds.CLAIM}:
        return no(Reason.NOT_GUARDED, f"Not all that isolates is in place: {troubles.failed(failure).message}")
    if plan.effective is None:
        return no(Reason.NOT_GUARDED, "No more than the guard is in place.")
    return yes(Reason.GUARDED, "Guard, NetworkPolicy, quota and ServiceAccount are as planned; pods are restricted.")


def egress_exact(snapshot: Snapshot, plan: Plan) -> Finding:
    """Say whether what can be reached is exactly what the spec names."""
    if plan.beside:
        return no(
            Reason.FOREIGN_NETWORK_POLICY,
            f"{foreign_text(plan)} in namespace {snapshot.key.namespace} may widen what agents reach: give its"
            f" podSelector the expression {{key: {contract.LABEL_AGENT}, operator: DoesNotExist}}, or delete it.",
        )
    if plan.effective is None:
        return no(Reason.INVALID_SPEC, "The spec cannot be acted on: nothing can be reached.")
    if plan.effective.refused:
        return _refused(plan.effective.refused)
    return yes(Reason.EXACT, f"{len(plan.effective.hosts)} hosts can be reached, by name, through the gateway.")


def identity_bound(plan: Plan) -> Finding:
    """Say whose token the agent holds."""
    if plan.effective is None:
        return no(Reason.INVALID_SPEC, "The spec cannot be acted on: no token is given to new pods.")
    match plan.effective.token:
        case Token(audience, seconds):
            life = durations.write(seconds)
            return yes(
                Reason.TOKEN_BOUND, f"The agent holds a token for {audience}, bound to its pod, good for {life}."
            )
        case NoToken(reason, problem):
            return no(reason, f"No token is mounted: {problem}. Name another audience in spec.identity.token.")
        case None:
            return yes(Reason.NO_TOKEN, "The agent holds no token.")


def foreign_text(plan: Plan) -> str:
    """Name the NetworkPolicies beside which no pod may run."""
    named = ", ".join(item.text for item in plan.beside[:_NAMED])
    return named + (f" and {len(plan.beside) - _NAMED} more" if len(plan.beside) > _NAMED else "")


def _refused(refused: tuple[Refused, ...]) -> Finding:
    hosts = "; ".join(
        f"{item.host} {item.problem}{f' by AgentCeiling {item.ceiling}' if item.ceiling else ''}"
        for item in refused[:_NAMED]
    )
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    capped = all(item.ceiling for item in refused)
    reason = Reason.CEILING_EXCEEDED if capped else Reason.INVALID_HOSTS
    return no(reason, f"These hosts get no egress: {hosts}{more}")
