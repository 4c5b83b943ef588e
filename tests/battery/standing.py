"""Group 14: pokes at the watchdog, its ports when it is dead, the pod's first process; and what else must still stand.

What an agent says of a poke is half of it. The other half is the watchdog's process as the node sees it, before and
after: the same one, with the same priority, limits, processors and memory's worth to the kernel.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from tests.battery import ends, lasting, node, wild
from tests.battery.ends import Due, End, Sight
from tests.battery.groups import guard
from tests.battery.groups.http import ROUTE
from tests.battery.judge import Outcome, Verdict
from tests.battery.lines import Attempt, Control, Where, Witness
from tests.battery.pods import Pods, agent_runs
from tests.cluster import addresses
from tests.support.e2e.api import NotSeenError, Object
from zaum_api import contract, incidents

POKES_SECONDS: Final = 90.0
READY_SECONDS: Final = 60.0
DEAD_SECONDS: Final = 20.0
"""From the watchdog's end to the agent's: two probes that fail, or the operator's word; and a slow machine."""
CALM_SECONDS: Final = 900
NEIGHBOUR: Final = "calm"
HARM: Final = "nobody else is harmed"
AFTER_KILL, FIRST = "its ports after it is killed", "the pod's first process"
PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure")


def steps(ground: wild.Ground, *, sampled: bool) -> list[Callable[[], list[Outcome]]]:
    """Give what group 14 has beside scenes."""
    found: list[Callable[[], list[Outcome]]] = [lambda: pokes(ground), lambda: [squat(ground)]]
    if not sampled:
        found += [lambda: [first(ground, "SIGTERM")], lambda: [first(ground, "SIGKILL")]]
    return found


def attempt(group: int, line: str, variant: str) -> Attempt:
    """Give what the table shows."""
    probe: dict[str, Any] = {"kind": "poke"}
    return Attempt(group, line, variant, probe, Control(Where.AGENT, probe), Witness.KERNEL)


# At its process and its ports.


def pokes(ground: wild.Ground) -> list[Outcome]:
    """Let one agent try all calls that one process has against another, and all binds."""
    tried, pods, name = guard.pokes(), ground.pods, "g14-pokes"
    deeds = [deed for _, _, deed in tried]
    deeds.append({"id": wild.AFTER, "kind": "ordinary", "route": ROUTE, "seconds": 20})
    try:
        pod = ground.agent(name, deeds, tripping={}, agent={})
        before = node.process(pod)
        with ground.heard(pod) as told:
            until = time.monotonic() + POKES_SECONDS
            wild.leave(pod)
            while not told.find("", "done") and time.monotonic() < until and agent_runs(_now(pods, pod)):
                time.sleep(0.2)
        wrong = before.changes(node.process(pod)) if before else "there was none"
        found = [judged(attempt(14, line, text), told.find(deed["id"], "word")) for line, text, deed in tried]
        after = told.find(wild.AFTER, "word")
    finally:
        pods.api.delete("agentpolicies", pods.agents.namespace, name)
    whole = attempt(14, guard.PROCESS, "it is as it was, by its node")
    if wrong:
        return [*found, Outcome(whole, Verdict.ESCAPED, wrong)]
    served = after is not None and after["got"]
    return [*found, Outcome(whole, Verdict.HELD if served else Verdict.ODD, f"an ordinary call afterwards: {after}")]


def judged(tried: Attempt, finding: Object | None) -> Outcome:
    """Judge one poke by what the kernel said to it, and to its control."""
    if finding is None:
        return Outcome(tried, Verdict.BROKEN, "it did not run")
    if finding["got"]:
        return Outcome(tried, Verdict.ESCAPED, f"the agent says {finding['word']}")
    control = finding.get("control", {"got": False, "word": "not run"})
    if not control["got"]:
        return Outcome(tried, Verdict.BROKEN, f"the control: {control['word']}")
    return Outcome(tried, Verdict.HELD, str(finding["word"]))


# When it is dead.


def squat(ground: wild.Ground) -> Outcome:
    """Kill a watchdog on its node, whose agent takes all its ports and says that all is well: the agent must die."""
    pods, name = ground.pods, "g14-squat"
    tried = attempt(14, guard.PORTS, AFTER_KILL)
    deed = {"id": "squat", "kind": "squat", "seconds": 90, "ports": list(guard.PORTS_OF)}
    try:
        pod = ground.agent(name, [deed], tripping={}, agent={})
        container = node.agent(pod)
        with ground.heard(pod) as told:
            wild.leave(pod)
            _until(lambda: told.find("squat", "begun"), READY_SECONDS)
            container.look(time.monotonic())
            killed = lasting.kill_watchdog(pods, pod)
            at, why = _ended(pods, pod, DEAD_SECONDS + wild.LATE_SECONDS)
            took = [line["squats"] for line in told.lines if "squats" in line]
        found = ground.incidents(name, wild.PROOF_SECONDS)
    finally:
        pods.api.delete("agentpolicies", pods.agents.namespace, name)
    seen = Sight(
        begun=killed, ended=at, agent_reason=why, found=found, bounds=container.bounds,
        asked=wild.asked({}), taken=container.taken,
        control="" if contract.PROBE_PORT in took else f"it did not get the probe's port: {took}",
    )  # fmt: skip
    due = Due(End.BREACH, DEAD_SECONDS, incidents.Cause.WATCHDOG_RESTARTED.value)
    return ends.judge(tried, due, seen)


def first(ground: wild.Ground, signal: str) -> Outcome:
    """Signal the process that holds the pod's namespaces: all of it ends, or nothing does."""
    pods, name = ground.pods, f"g14-first-{signal.lower()}"
    tried = attempt(14, FIRST, signal)
    deeds: list[wild.Deed] = [
        {"id": "control", "kind": "poke", "what": "SIGTERM"},
        {"id": "first", "kind": "first", "signal": {"SIGTERM": 15, "SIGKILL": 9}[signal]},
        {"id": wild.AFTER, "kind": "ordinary", "route": ROUTE, "seconds": 10},
    ]
    try:
        pod = ground.agent(name, deeds, tripping={}, agent={})
        before = node.process(pod)
        with ground.heard(pod) as told:
            wild.leave(pod)
            _until(lambda: told.find("first", "begun") or told.find("", "done"), READY_SECONDS)
            until = time.monotonic() + 25
            while not told.find("", "done") and agent_runs(_now(pods, pod)) and time.monotonic() < until:
                time.sleep(0.2)
        runs, now = agent_runs(_now(pods, pod)), node.process(pod)
    finally:
        pods.api.delete("agentpolicies", pods.agents.namespace, name)
    control = told.find("control", "word")
    if control is None or not control["control"]["got"] or not told.find("first", "begun"):
        return Outcome(tried, Verdict.BROKEN, f"the control: {control}")
    if not runs:
        return Outcome(tried, Verdict.HELD, "the whole pod ended")
    wrong = before.changes(now) if before else "there was none"
    verdict = Verdict.ESCAPED if wrong else Verdict.HELD
    return Outcome(tried, verdict, wrong or "nothing happened")


def _now(pods: Pods, pod: Object) -> Object | None:
    return pods.api.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])


def _until(holds: Callable[[], Any], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise NotSeenError(f"a red agent did not begin within {seconds} s")
        time.sleep(0.05)


def _ended(pods: Pods, pod: Object, seconds: float) -> tuple[float, str]:
    """Give when an agent's container had terminated, by the API; 0 where it lives."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = _now(pods, pod)
        if found is None:
            return time.time(), "gone"
        at, why = ends.terminated(found, now=time.time())
        if at:
            return at, why
        time.sleep(0.2)
    return 0.0, ""


# Who must not be harmed.


@contextmanager
def others(ground: wild.Ground, outcomes: list[Outcome], groups: str) -> Iterator[None]:
    """Keep a harmless agent calling while the block runs; then say how it fared, its node, and our own parts."""
    pods = ground.pods
    group = int(groups.split(maxsplit=1)[0])
    deed = {"id": "calm", "kind": "calm", "route": ROUTE, "seconds": CALM_SECONDS}
    pod = ground.agent(NEIGHBOUR, [deed], tripping={}, agent={})
    before, parts, began = node.process(pod), _parts(pods), time.time()
    with ground.heard(pod) as told:
        wild.leave(pod)
        yield
        lines = [line for line in told.lines if line.get("id") == "calm" and "calls" in line]
    wrong = before.changes(node.process(pod)) if before else "there was none"
    wrong = wrong or ("" if agent_runs(_now(pods, pod)) else "its agent ended")
    outcomes.append(unharmed(attempt(group, HARM, f"a neighbour, {groups}"), lines[-1] if lines else {}, wrong))
    node_seen = pods.api.get("nodes", "", addresses.NODE_NAME)
    outcomes.append(well(node_seen, attempt(group, HARM, f"the node, {groups}"), began))
    later = _parts(pods)
    # One that still came up when it began may have done so since.
    changed = {name: later.get(name) for name, was in parts.items() if was[1] and later.get(name) != was}
    tried = attempt(group, HARM, f"Zaum's own parts, {groups}")
    outcomes.append(Outcome(tried, Verdict.ESCAPED if changed else Verdict.HELD, str(changed or "as they were")))
    pods.api.delete("agentpolicies", pods.agents.namespace, NEIGHBOUR)


def unharmed(tried: Attempt, last: Object, wrong: str) -> Outcome:
    """Judge a neighbour by its last line, and by what of its watchdog or itself is not as it was."""
    if wrong:
        return Outcome(tried, Verdict.ESCAPED, wrong)
    if not last:
        return Outcome(tried, Verdict.BROKEN, "it made no calls")
    said = f"{last['calls']} calls, {last['lost_so_far']} lost, the slowest took {last['slowest']} s"
    return Outcome(tried, Verdict.ESCAPED if last["lost_so_far"] else Verdict.HELD, said)


def _parts(pods: Pods) -> dict[str, tuple[int, bool]]:
    """Give how often each container of the installation was restarted, and whether it is ready."""
    return {
        f"{pod['metadata']['name']}/{each['name']}": (each["restartCount"], each["ready"])
        for pod in pods.api.items("pods", lasting.INSTALLATION)
        for each in pod["status"].get("containerStatuses", ())
    }


def well(node_seen: Object, tried: Attempt, began: float) -> Outcome:
    """Judge a node: ready and under no pressure all the while, so that its conditions have not changed since."""
    told = {each["type"]: each for each in node_seen["status"]["conditions"]}
    wrong = [name for name in PRESSURES if told[name]["status"] != "False"]
    wrong += ["Ready"] * (told["Ready"]["status"] != "True")
    names = (*PRESSURES, "Ready")
    changed = [n for n in names if datetime.fromisoformat(told[n]["lastTransitionTime"]).timestamp() > began]
    if wrong or changed:
        return Outcome(tried, Verdict.ESCAPED, f"wrong: {wrong}; changed meanwhile: {changed}")
    return Outcome(tried, Verdict.HELD, "ready, no pressure")
