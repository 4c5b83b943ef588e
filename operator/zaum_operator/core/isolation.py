"""What is said about the cage: is it whole, is egress exactly as named, whose token does the agent hold."""

from zaum_api import contract, documents, durations
from zaum_api.conditions import Reason
from zaum_operator.core import kinds, troubles
from zaum_operator.core.effective import Effective, NoToken, Token
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
            f"{foreign_text(plan)}. In namespace {snapshot.key.namespace} that widens what this policy's pods reach,"
            f" or who reaches them: give its podSelector the expression {{key: {contract.LABEL_AGENT}, operator:"
            " DoesNotExist}, or delete it.",
        )
    if plan.effective is None:
        return no(Reason.INVALID_SPEC, "The spec cannot be acted on: nothing can be reached.")
    if plan.effective.mode is documents.Mode.REPORT:
        return no(
            Reason.REPORT_ONLY,
            "The mode Report is in force: every host can be reached by name, what would be denied is only counted and"
            " logged.",
        )
    if plan.effective.refused or plan.effective.closed:
        return _refused(plan.effective)
    routes = f", and {len(plan.effective.routes)} routes" if plan.effective.routes else ""
    return yes(Reason.EXACT, f"{len(plan.effective.hosts)} hosts{routes} can be reached, by name, through the gateway.")


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
    named = "; ".join(item.text for item in plan.beside[:_NAMED])
    return named + (f" and {len(plan.beside) - _NAMED} more" if len(plan.beside) > _NAMED else "")


def _refused(effective: Effective) -> Finding:
    """Say which hosts and routes get no egress. Whose fault it is: the spec's, unless ceilings or Services are all."""
    hosts = [
        f"{item.host} {item.problem}{f' by AgentCeiling {item.ceiling}' if item.ceiling else ''}"
        for item in effective.refused
    ]
    said = hosts + [f"route {item.name}: {item.problem}" for item in effective.closed]
    more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    of_hosts = [Reason.CEILING_EXCEEDED if item.ceiling else Reason.INVALID_HOSTS for item in effective.refused]
    reasons = {*of_hosts, *(item.reason for item in effective.closed)}
    first = (Reason.INVALID_HOSTS, Reason.CEILING_EXCEEDED, Reason.SERVICE_MISSING)
    reason = next(reason for reason in first if reason in reasons)
    return no(reason, f"These get no egress: {'; '.join(said[:_NAMED])}{more}")
