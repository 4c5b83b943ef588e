"""`zaum usage`: what policies have spent."""

from dataclasses import dataclass

from zaum_cli import errors
from zaum_cli.core import usages
from zaum_cli.shell import cluster


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. Without a policy all of the namespace, or of all."""

    namespace: str | None
    policy: str | None
    everywhere: bool
    output: str


def run(reached: cluster.Cluster, wish: Wish) -> str:
    """Read the policies' status; give the page. Raise CommandError where there is none."""
    namespace = None if wish.everywhere else wish.namespace or reached.namespace
    if wish.policy is None:
        found = reached.policies(namespace)
        if not found:
            raise errors.CommandError(f"there is no AgentPolicy in {namespace or 'any namespace'}")
    elif namespace is None:
        raise errors.CommandError("a policy is named without its namespace: leave out -A")
    else:
        found = [reached.policy(namespace, wish.policy)]
    read = sorted((usages.read(policy) for policy in found), key=lambda usage: (usage.namespace, usage.name))
    return (usages.write_json if wish.output == "json" else usages.table)(read)
