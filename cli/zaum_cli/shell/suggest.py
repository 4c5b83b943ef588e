"""`zaum suggest`: the egress section that a policy's traffic needs."""

from dataclasses import dataclass

from zaum_api import contract
from zaum_cli import errors
from zaum_cli.core import decisions, observed, pages, suggestion
from zaum_cli.shell import cluster


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. `since` in seconds, None for all that the logs hold."""

    namespace: str | None
    policy: str
    since: int | None
    denied: bool
    output: str


def run(reached: cluster.Cluster, wish: Wish) -> str:
    """Read the logs of the policy's watchdogs; give the page. Raise CommandError where there is nothing to go by."""
    namespace = wish.namespace or reached.namespace
    policy = reached.policy(namespace, wish.policy)
    pods = reached.pods(namespace, wish.policy)
    if not pods:
        raise errors.CommandError(
            f"AgentPolicy {namespace}/{wish.policy} has no pods, so there is no log to read:"
            f" kubectl describe agentpolicy -n {namespace} {wish.policy} says why"
        )
    seen, read = observed.Observed(denied=wish.denied), 0
    for pod in pods:
        try:
            for line in reached.log(namespace, pod, since=wish.since):
                decision = decisions.read(line)
                if decision is not None:
                    seen.add(decision)
        except cluster.Missing:
            continue
        read += 1
    if not seen.total:
        raise errors.CommandError(_nothing(namespace, wish, len(pods), read))
    subject = pages.Subject(namespace, wish.policy, read)
    suggested = suggestion.of(seen, policy.get("spec") or {})
    return (pages.write_json if wish.output == "json" else pages.write_yaml)(subject, seen, suggested)


def _nothing(namespace: str, wish: Wish, pods: int, read: int) -> str:
    who = f"AgentPolicy {namespace}/{wish.policy}"
    if not read:
        return f"none of the {pods} pods of {who} has a log of its container {contract.CONTAINER_WATCHDOG} yet"
    when = f" of the last {wish.since} s" if wish.since is not None else ""
    return (
        f"the logs{when} of the {read} pods of {who} hold no decision, so nothing was asked for;"
        " let the agent work a while (spec.mode: Report lets it), or look further back"
    )
