"""Take all agents down before their guards go: `python3 -m zaum_operator.uninstall`, the chart's pre-delete hook.

Bounded to a minute, and always exit code 0: an uninstall must never hang. What is left when time is up is printed;
a guard stays where an agent's pod is left, so that even then nothing opens. Policies stay, as the CRD does, and with
them what they own: claims keep the data of persistent workspaces.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_operator import errors, settings
from zaum_operator.clock import Clock
from zaum_operator.cluster import client
from zaum_operator.cluster.gate import Gate
from zaum_operator.cluster.port import Api
from zaum_operator.core import access, kinds
from zaum_operator.core.kinds import Kind, Object
from zaum_operator.metrics import Metrics

BOUND_SECONDS: Final = 60.0
WORK_SECONDS: Final = 50.0
"""Leaves room for the last round of requests inside the bound."""
POLL_SECONDS: Final = 0.5
_AGENTS: Final = f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"
_OPERATORS: Final = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_OPERATOR}"


@dataclass
class Uninstall:
    """One run. `say` takes one line for people; `namespaces` are those with agents, none means all of the cluster."""

    api: Api
    clock: Clock
    namespace: str
    say: Callable[[str], None]
    namespaces: tuple[str, ...] = ()
    until: float = 0.0

    async def run(self) -> None:
        """Stop the operator, delete agents' pods, then what has no owner; say what is left."""
        self.until = self.clock.seconds() + WORK_SECONDS
        bounds = (self._delete_quotas,) if self.namespaces else (self._delete_classes, self._delete_ways)
        for step in (self._stop_operator, self._delete_agents, self._delete_guards, *bounds, self._delete_lease):
            try:
                await step()
            except errors.RequestError as error:
                self.say(f"failed: {error}")

    async def _stop_operator(self) -> None:
        """Scale to zero and wait: an operator that still runs would bring agents back."""
        scale = {"spec": {"replicas": 0}}
        name = access.OPERATOR_DEPLOYMENT
        try:
            await self.api.merge(kinds.DEPLOYMENT, self.namespace, name, scale, subresource="scale")
        except errors.NotFoundError:
            self.say(f"operator: Deployment {name} is not there")
            return
        self.say("operator: scaled to zero")
        left = await self._wait(lambda: self.api.list(kinds.POD, self.namespace, selector=_OPERATORS))
        self.say(f"operator: {'gone' if not left else 'still running, time is up'}")

    async def _delete_agents(self) -> None:
        pods = await self._everywhere(kinds.POD, _AGENTS)
        self.say(f"agents: {len(pods)} pods to delete")
        await self._delete(kinds.POD, pods)
        left = await self._wait(lambda: self._everywhere(kinds.POD, _AGENTS))
        self.say("agents: all gone" if not left else f"agents: LEFT, time is up: {_names(left)}")

    async def _delete_guards(self) -> None:
        """Delete guards where no agent is left; the others hold what is still dying."""
        held = {pod["metadata"]["namespace"] for pod in await self._everywhere(kinds.POD, _AGENTS)}
        guards = await self._everywhere(kinds.NETWORK_POLICY, contract.LABEL_GUARD)
        free = [guard for guard in guards if guard["metadata"]["namespace"] not in held]
        await self._delete(kinds.NETWORK_POLICY, free)
        self.say(f"guards: {len(free)} deleted")
        if len(free) < len(guards):
            self.say(f"guards: LEFT, they hold agents that are still there: {', '.join(sorted(held))}")

    async def _delete_classes(self) -> None:
        classes = await self.api.list(kinds.PRIORITY_CLASS, selector=contract.LABEL_NAMESPACE)
        await self._delete(kinds.PRIORITY_CLASS, classes)
        self.say(f"priority classes: {len(classes)} deleted")

    async def _delete_ways(self) -> None:
        """Delete the NetworkPolicy by which the gateway reaches Services; the operator made it, and it has no owner."""
        name = contract.SERVICES_POLICY
        found = await self.api.list(kinds.NETWORK_POLICY, self.namespace, name=name)
        await self._delete(kinds.NETWORK_POLICY, found)
        self.say(f"ways to Services: {'deleted' if found else 'none'}")

    async def _delete_quotas(self) -> None:
        """Delete the quotas of whole namespaces, which no policy owns; they would bind pods that are none of ours."""
        found = await self._everywhere(kinds.QUOTA, "")
        ours = [quota for quota in found if quota["metadata"]["name"] == contract.NAMESPACE_QUOTA_NAME]
        await self._delete(kinds.QUOTA, ours)
        self.say(f"quotas: {len(ours)} deleted")

    async def _delete_lease(self) -> None:
        await self.api.delete(kinds.LEASE, self.namespace, contract.LEASE_NAME)
        self.say("lease: deleted")

    async def _everywhere(self, kind: Kind, selector: str) -> list[Object]:
        """List in the namespaces with agents; across all of the cluster only where that is granted."""
        listed = [await self.api.list(kind, name, selector=selector) for name in self.namespaces or (None,)]
        return [obj for objects in listed for obj in objects]

    async def _delete(self, kind: Kind, objects: list[Object]) -> None:
        for obj in objects:
            metadata = obj["metadata"]
            await self.api.delete(kind, metadata.get("namespace"), metadata["name"], uid=metadata["uid"])

    async def _wait(self, look: Callable[[], Awaitable[list[Object]]]) -> list[Object]:
        """Look until nothing is left or time is up; give what is left."""
        left = await look()
        while left and self.clock.seconds() < self.until:
            await self.clock.sleep(POLL_SECONDS)
            left = await look()
        return left


def _names(objects: list[Object]) -> str:
    return ", ".join(f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in objects[:20])


def _say(line: str) -> None:
    sys.stdout.write(f"zaum-uninstall: {line}\n")
    sys.stdout.flush()


async def _main(namespace: str, namespaces: tuple[str, ...]) -> None:
    clock = Clock()
    table = access.UNINSTALL_NAMESPACED if namespaces else access.UNINSTALL
    api = await client.connect(table=table, release_namespace=namespace, metrics=Metrics(), gate=Gate(clock))
    try:
        async with asyncio.timeout(BOUND_SECONDS - 2):
            await Uninstall(api, clock, namespace, _say, namespaces).run()
    except TimeoutError:
        _say("LEFT: the API server did not answer in time; delete pods with the label " + _AGENTS)
    finally:
        await api.close()


def main() -> int:
    """Run; exit code 0 whatever is left, 2 when a setting is missing or wrong."""
    namespace = os.environ.get("ZAUM_NAMESPACE", "")
    if not namespace:
        sys.stderr.write("zaum-uninstall: ZAUM_NAMESPACE must be set\n")
        return 2
    try:
        namespaces = settings.namespaces(os.environ)
    except settings.SettingsError as error:
        sys.stderr.write(f"zaum-uninstall: {error}\n")
        return 2
    asyncio.run(_main(namespace, namespaces))
    return 0


if __name__ == "__main__":
    sys.exit(main())
