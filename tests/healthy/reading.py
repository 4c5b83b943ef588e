"""Read from the API server what became of agents, and what they and their watchdogs say."""

import json

from tests.healthy import judge
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object
from zaum_api import contract


def life(pod: Object) -> judge.Life:
    """Read a pod."""
    status = pod.get("status", {})
    states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", ()))
    phase = "Ending" if pod["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return judge.Life(pod["metadata"]["uid"], phase, ready, sum(int(item["restartCount"]) for item in states))


def pods(api: Api, namespace: str, policy: str) -> list[Object]:
    """Give all pods of a policy, the oldest first."""
    found = api.items("pods", namespace, labels=f"{contract.LABEL_POLICY}={policy}")
    return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def deeds(lines: list[str]) -> tuple[judge.Deed, ...]:
    """Read what an agent printed; a line that is not whole is still being written."""
    return tuple(judge.Deed(**json.loads(line)) for line in lines if line.startswith("{") and line.endswith("}"))


def words(lines: list[str]) -> tuple[tuple[str, str], ...]:
    """Give the kinds and reasons of a watchdog's records that tell of an agent that is not well or not free."""
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return tuple(
        (item["kind"], str(item.get("reason") or item.get("problem") or ""))
        for item in found
        if item.get("kind") in judge.TRACES
    )


def agent(agents: Agents, name: str, before: judge.Life, *, outside: bool) -> judge.Agent:
    """Read all of one policy."""
    here, api = agents.namespace, agents.api
    found = pods(api, here, name)
    logs: dict[str, list[str]] = {contract.CONTAINER_AGENT: [], contract.CONTAINER_WATCHDOG: []}
    for pod in found:
        for container, lines in logs.items():
            lines.extend(api.log_so_far(here, pod["metadata"]["name"], container=container))
    told = api.get("agentpolicies", here, name).get("status", {}).get("containment", {})
    return judge.Agent(
        name, outside, before, tuple(life(pod) for pod in found),
        deeds(logs[contract.CONTAINER_AGENT]), words(logs[contract.CONTAINER_WATCHDOG]),
        rung=told.get("rung", ""), would_kill=told.get("wouldKill", 0),
    )  # fmt: skip


def incidents(api: Api, namespace: str) -> tuple[str, ...]:
    """Give the namespace's Incidents, open and closed, each with what it is for."""
    found = api.items("incidents", namespace)
    return tuple(f"{item['metadata']['name']} ({item['spec']['reason']})" for item in found)


def killings(api: Api, namespace: str) -> tuple[str, ...]:
    """Give what the kubelet tells of agents' containers that it ends."""
    return tuple(_text(event) for event in api.items("events", namespace) if event.get("reason") == "Killing")


def near(api: Api, namespace: str) -> int:
    """Count the probes that failed without any consequence."""
    found = [event for event in api.items("events", namespace) if event.get("reason") == "Unhealthy"]
    return sum(int(event.get("count") or 1) for event in found)


def _text(event: Object) -> str:
    return f"{event['involvedObject']['name']}: {event.get('message', '')}"
