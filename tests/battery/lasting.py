"""Group 10: tunnels that stand while something changes that should end them. Each is played step by step.

A tunnel is kept busy by a stream of events that never pauses, so the last byte that the agent read says when the
tunnel ended; the control is that bytes came before.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from tests.battery.judge import Outcome, Verdict
from tests.battery.lines import Attempt, Control, Where, Witness
from tests.battery.pods import EGRESS, SPEC, Pods
from tests.cluster import addresses
from tests.support.e2e.api import Object
from zaum_api import contract

STREAM: Final = "/v1/events?n=1000"
BUSY_SECONDS: Final = 75.0
CUT_SECONDS: Final = 3.0
"""From a change of the policy to the last byte."""
SHORT_SECONDS: Final = 1.0
"""From the end of a process to the last byte that was on its way."""
LIFE_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 8.0
"""What the kubelet may take to end a pod whose time is over."""
SETTLE_SECONDS: Final = 2.0
INSTALLATION: Final = "zaum-system"
DENIED: Final = "denied, to be latched for"
TUNNELS: Final = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """One change. `strike(pods, pod)` makes it and gives when it was made (epoch, seconds)."""

    name: str
    bound: float
    strike: Callable[[Pods, Object], float]
    spec: Object
    after: tuple[tuple[str, str], ...] = ()
    """Tunnels that are asked for after the change and must be refused: variant, target."""


def play(pods: Pods, say: Callable[[str], None], *, sampled: bool) -> list[Outcome]:
    """Play the scenes: those that disturb nobody else beside each other, the gateway's end last and alone."""
    calm = [scene for scene in SCENES if scene.name != "gateway restart"]
    chosen = [scene for scene in calm if not sampled or scene.name in {"policy change", "latch"}]
    with ThreadPoolExecutor(len(chosen)) as threads:
        found = [outcome for part in threads.map(lambda scene: _play(pods, scene), chosen) for outcome in part]
    if not sampled:
        found += [outcome for scene in SCENES if scene not in calm for outcome in _play(pods, scene)]
    say(f"group 10: {len(found)} attempts")
    return found


def _play(pods: Pods, scene: Scene) -> list[Outcome]:
    name = scene.name.replace(" ", "-")
    probes = [
        {"id": f"t{number}", "kind": "hold", "host": addresses.API_NAME, "path": STREAM, "seconds": BUSY_SECONDS}
        for number in range(TUNNELS)
    ]
    probes += [
        {
            "id": f"a{number}",
            "kind": "later",
            "target": target,
            "after": "held" if variant == DENIED else "ended",
            "delay": 0.5 if variant == DENIED else SETTLE_SECONDS,
        }
        for number, (variant, target) in enumerate(scene.after)
    ]
    pod = pods.agent(name, probes, **scene.spec)
    seen: dict[str, Object] = {}
    struck = 0.0
    for line in pods.said(pods.agents, pod, seconds=BUSY_SECONDS + 20):
        if line.get("id"):
            seen[line["id"]] = {**seen.get(line["id"], {}), **line}
        if not struck and all(seen.get(f"t{number}", {}).get("held") for number in range(TUNNELS)):
            time.sleep(1.0)
            struck = scene.strike(pods, pod)
        if line.get("done"):
            break
    outcomes = [_tunnel(scene, number, seen.get(f"t{number}"), struck) for number in range(TUNNELS)]
    return outcomes + [
        _refused(scene, variant, seen.get(f"a{number}")) for number, (variant, _) in enumerate(scene.after)
    ]


def _tunnel(scene: Scene, number: int, finding: Object | None, struck: float) -> Outcome:
    attempt = _attempt(scene, f"tunnel {number}")
    if not finding or not finding.get("held") or not struck:
        return Outcome(attempt, Verdict.BROKEN, f"the tunnel never stood: {finding}")
    over = float(finding["last"]) - struck
    if over > scene.bound:
        return Outcome(
            attempt, Verdict.ESCAPED, f"bytes came {over:.1f} s after the change, {scene.bound} s are granted"
        )
    return Outcome(attempt, Verdict.HELD, f"last byte {over:+.2f} s from the change")


def _refused(scene: Scene, variant: str, finding: Object | None) -> Outcome:
    attempt = _attempt(scene, variant)
    if finding is None:
        return Outcome(attempt, Verdict.HELD, "the agent was gone before it could ask")
    verdict = Verdict.ESCAPED if finding.get("got") else Verdict.HELD
    return Outcome(attempt, verdict, str(finding.get("rule") or finding.get("word")))


def _attempt(scene: Scene, variant: str) -> Attempt:
    probe: dict[str, Any] = {"kind": "hold"}
    return Attempt(10, scene.name, variant, probe, Control(Where.AGENT, probe), Witness.FAR_END)


# What happens to them.


def _unname(pods: Pods, pod: Object) -> float:
    """Take the host out of the policy."""
    policy = pod["metadata"]["labels"][contract.LABEL_POLICY]
    hosts = [host for host in EGRESS["hosts"] if host["host"] != addresses.API_NAME]
    patched = time.time()
    pods.api.merge("agentpolicies", pods.agents.namespace, policy, {"spec": {"egress": {"hosts": hosts}}})
    return patched


def _close_port(pods: Pods, pod: Object) -> float:
    """Leave the host, and take its port."""
    policy = pod["metadata"]["labels"][contract.LABEL_POLICY]
    hosts = [{**host, "ports": [8443]} if host["host"] == addresses.API_NAME else host for host in EGRESS["hosts"]]
    patched = time.time()
    pods.api.merge("agentpolicies", pods.agents.namespace, policy, {"spec": {"egress": {"hosts": hosts}}})
    return patched


def _delete(pods: Pods, pod: Object) -> float:
    """Delete the policy."""
    struck = time.time()
    pods.api.delete("agentpolicies", pods.agents.namespace, pod["metadata"]["labels"][contract.LABEL_POLICY])
    return struck


def _expire(pods: Pods, pod: Object) -> float:
    """Wait for the pod's time to be over: it is, by itself."""
    del pods
    started = pod["status"]["startTime"]
    return time.mktime(time.strptime(started, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone + LIFE_SECONDS


def _latch(pods: Pods, pod: Object) -> float:
    """Find when the watchdog latched: the agent's own denied requests make it."""
    name, until = pod["metadata"]["name"], time.time() + 20
    while time.time() < until:
        lines = pods.api.log_so_far(pods.agents.namespace, name, container=contract.CONTAINER_WATCHDOG)
        if any(f'"{contract.Breach.RUNAWAY_DENIED}"' in line for line in lines):
            return time.time()
        time.sleep(0.1)
    raise AssertionError("the watchdog did not latch")


def kill_watchdog(pods: Pods, pod: Object) -> float:
    """Kill the watchdog's process on the node, by its id."""
    seen = pods.api.get("pods", pods.agents.namespace, pod["metadata"]["name"])
    states = seen["status"]["initContainerStatuses"]
    container = next(item["containerID"] for item in states if item["name"] == contract.CONTAINER_WATCHDOG)
    listed = subprocess.run(["ctr", "-n", "k8s.io", "task", "ls"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    process = int(next(row[1] for row in rows if row and row[0] == container.partition("//")[2]))
    os.kill(process, signal.SIGKILL)
    return time.time()


def end_gateway(pods: Pods, pod: Object) -> float:
    """Delete all pods of the gateway, at once; wait until they are gone and others are there."""
    del pod
    labels = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_GATEWAY}"
    ended = pods.api.items("pods", INSTALLATION, labels=labels)
    for each in ended:
        path = f"/api/v1/namespaces/{INSTALLATION}/pods/{each['metadata']['name']}"
        pods.api.send("DELETE", path, query={"gracePeriodSeconds": "0"})
    for each in ended:
        pods.api.until_gone("pods", INSTALLATION, each["metadata"]["name"], seconds=30)
    return time.time()


OUTLAW: Final = ("another host afterwards", f"{addresses.OUTLAW_NAME}:443")
SAME: Final = ("the same host afterwards", f"{addresses.API_NAME}:443")
LATCHING: Final[Object] = {"runaway": SPEC["runaway"] | {"denied": {"above": 3, "per": "1m"}}}
SCENES: Final[Sequence[Scene]] = (
    Scene("policy change", CUT_SECONDS, _unname, {}, (SAME, OUTLAW)),
    Scene("port change", CUT_SECONDS, _close_port, {}, (SAME,)),
    Scene("policy deleted", CUT_SECONDS, _delete, {}, (SAME,)),
    Scene("expiry", GRACE_SECONDS, _expire, {"lifetime": {"max": "1m"}}),
    Scene(
        "latch", SHORT_SECONDS, _latch, LATCHING, (SAME, OUTLAW, *((DENIED, f"n{i}.example.org:443") for i in range(6)))
    ),
    Scene("watchdog restart", SHORT_SECONDS, kill_watchdog, {}, (OUTLAW,)),
    Scene("gateway restart", SHORT_SECONDS, end_gateway, {}, (OUTLAW,)),
)
