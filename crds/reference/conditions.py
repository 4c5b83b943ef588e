"""docs/conditions.md: every condition and reason, who must act, and what to do."""

from typing import Final

from zaum_api import conditions, reasons

INTRO: Final = """\
<!-- Generated from crds/zaum_api by `make crds`. Edit the models, not this file. -->
# Conditions and reasons

What stands in the `status.conditions` of an AgentPolicy. Types and reasons are stable: alerts and scripts may match
them. The message beside a reason names the object and the next step. How the parts of a status fit together is on the
page [Reading the status](status.md).
"""
ABOUT: Final[dict[conditions.ConditionType, str]] = {
    conditions.ConditionType.READY: "As many pods as the policy asks for run and are ready. Look here first.",
    conditions.ConditionType.ISOLATED: "Guard, policy NetworkPolicy, ServiceAccount and quota stand as planned"
    " in the API. That the network plugin obeys them is not said here.",
    conditions.ConditionType.EGRESS_EXACT: "Nothing but this policy decides what its pods reach and who reaches them:"
    " of all NetworkPolicies of the namespace, none that selects one of its pods adds anything. And all its hosts and"
    " routes are in force. AdminNetworkPolicy, BaselineAdminNetworkPolicy and the own kinds of network plugins, which"
    " the cluster's owner writes, are not looked at.",
    conditions.ConditionType.ENFORCEMENT_PROVEN: "The watchdog of every pod has tried what must be out of its"
    " reach (the API server, the metadata service, its node, the cluster's DNS, parts of Zaum, canaries)"
    " and reached none of it.",
    conditions.ConditionType.IDENTITY_BOUND: "The agent holds no token, or exactly the one that identity.token names.",
    conditions.ConditionType.WITHIN_LIMITS: "No limit of the policy, of its routes and hosts is spent, by the"
    " ledger's books, which lag by some seconds. That a limit holds does not depend on what is said here.",
    conditions.ConditionType.CONTAINED: "Nothing that was seen running wild is loose. True too while an Incident is"
    " open of which every step is confirmed; [Incidents](incidents.md) says how.",
    conditions.ConditionType.SUCCEEDED: "Tasks only. Unknown while the Task is not over; True and False are final.",
    conditions.ConditionType.DEGRADED: "The one type that is True when something is worse than it could be, while all"
    " that the others say still holds. The first reason counts, the message tells all.",
}
_ORDER: Final = (conditions.Status.TRUE, conditions.Status.UNKNOWN, conditions.Status.FALSE)


def page() -> str:
    """Give the page's text."""
    return "\n".join([INTRO, *map(_of_type, conditions.ConditionType)])


def _of_type(kind: conditions.ConditionType) -> str:
    lines = [f"## {kind.value}\n", f"{ABOUT[kind]}\n", "| status | reason | meaning | who acts | what to do |"]
    lines.append("|---|---|---|---|---|")
    for status in _ORDER:
        for reason, explained in reasons.EXPLAINED.items():
            if (kind, status) in explained.on:
                cells = (status.value, f"`{reason.value}`", explained.means, explained.who.value, explained.act)
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
