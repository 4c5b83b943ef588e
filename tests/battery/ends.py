"""Say how a pod that ran wild ended, by what the API and its node said, and whether that is the end that was due. Pure.

What the agent says of itself counts only for its attempt: that it was made. Who stopped it, and that it was stopped in
time and within its bounds, is said by others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tests.battery.judge import Outcome, Verdict
from tests.battery.lines import Attempt
from tests.battery.node import Bounds, Taken
from zaum_api import contract, incidents

Object = Mapping[str, Any]
CPU_SLACK: Final = 1.15
"""A quota is a share of each tenth of a second; an average over some seconds may end within one."""


class End(StrEnum):
    """What is due."""

    BREACH = "breach"
    """A detector trips: the pod is dead, and the Incident of that reason is proven whole."""
    EVICTED = "evicted"
    """The kubelet ends the pod for what it wrote."""
    KILLED = "killed"
    """The kernel kills the agent for the memory that it took."""
    BOUND = "bound"
    """It lives, takes no more than it may, and its watchdog is as it was."""


@dataclass(frozen=True, slots=True)
class Due:
    """How an attempt must end: within so many seconds from its beginning; `reason` is the Incident's."""

    end: End
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """All that was seen of one attempt. Times are seconds since the epoch."""

    begun: float = 0.0
    ended: float = 0.0
    """When the agent's container had terminated, by the API; 0: it lives."""
    pod_reason: str = ""
    agent_reason: str = ""
    found: Sequence[Object] = ()
    """The policy's Incidents."""
    bounds: Bounds | None = None
    """What its node says that it may take."""
    asked: Bounds | None = None
    """What its policy says."""
    taken: Taken = field(default_factory=Taken)
    watchdog: str = ""
    """What is not as it was at its process; empty where all is."""
    after: Object | None = None
    """What came of an ordinary call afterwards."""
    control: str = "not run"
    """Why the control proves nothing; empty where it does."""
    silent: str = ""
    """When the watchdog did not answer its node; empty where it always did."""


def judge(attempt: Attempt, due: Due, seen: Sight) -> Outcome:
    """Judge one attempt."""
    if not seen.begun or seen.bounds is None:
        return Outcome(attempt, Verdict.BROKEN, "it did not begin")
    if not seen.taken.pids or not seen.taken.memory:
        return Outcome(attempt, Verdict.BROKEN, "its node saw nothing of what it took")
    if wide := _wide(seen.bounds, seen.asked or seen.bounds):
        return Outcome(attempt, Verdict.ESCAPED, f"wider than its policy: {wide}")
    if passed := _passed(seen.bounds, seen.taken):
        return Outcome(attempt, Verdict.ESCAPED, f"limit passed: {passed}")
    if seen.control:
        return Outcome(attempt, Verdict.BROKEN, f"the control: {seen.control}")
    if due.end is End.BOUND:
        return _bound(attempt, due, seen)
    if not seen.ended:
        return Outcome(attempt, Verdict.ESCAPED, f"it lives {due.seconds} s after it began")
    after = seen.ended - seen.begun
    if after > due.seconds:
        return Outcome(attempt, Verdict.ESCAPED, f"it lived for {after:.0f} s, {due.seconds:.0f} s are granted")
    wrong = _otherwise(due, seen)
    if wrong:
        return Outcome(attempt, Verdict.ODD, wrong)
    return Outcome(attempt, Verdict.HELD, f"{due.reason or due.end} after {after:.0f} s")


def _wide(bounds: Bounds, asked: Bounds) -> str:
    if bounds.memory > asked.memory:
        return f"{bounds.memory} bytes of memory, {asked.memory} are asked for"
    if bounds.cpus > asked.cpus:
        return f"{bounds.cpus:.2f} processors, {asked.cpus:.2f} are asked for"
    return ""


def _passed(bounds: Bounds, taken: Taken) -> str:
    if taken.pids > bounds.pids:
        return f"{taken.pids} processes of {bounds.pids}"
    if taken.memory > bounds.memory:
        return f"{taken.memory} bytes of memory of {bounds.memory}"
    if taken.cpus > bounds.cpus * CPU_SLACK:
        return f"{taken.cpus:.2f} processors of {bounds.cpus:.2f}"
    return ""


def _bound(attempt: Attempt, due: Due, seen: Sight) -> Outcome:
    if seen.watchdog:
        return Outcome(attempt, Verdict.ESCAPED, f"the watchdog: {seen.watchdog}")
    if seen.silent:
        return Outcome(attempt, Verdict.ESCAPED, f"the watchdog's probe: {seen.silent}")
    if seen.ended:
        return Outcome(attempt, Verdict.ODD, f"it ended: {seen.pod_reason} {seen.agent_reason}")
    if seen.after is None or not seen.after.get("got"):
        return Outcome(attempt, Verdict.ODD, f"an ordinary call afterwards: {seen.after}")
    took = f"{seen.taken.pids} processes, {seen.taken.memory >> 20} MiB, {seen.taken.cpus:.2f} processors"
    return Outcome(attempt, Verdict.HELD, f"{due.end}: {took}")


def _otherwise(due: Due, seen: Sight) -> str:
    """Say why an end is not the one that is due; empty where it is."""
    match due.end:
        case End.EVICTED:
            return "" if seen.pod_reason == "Evicted" else f"not evicted: {seen.pod_reason} {seen.agent_reason}"
        case End.KILLED:
            return "" if seen.agent_reason == "OOMKilled" else f"not by the kernel: {seen.agent_reason}"
        case _:
            mine = [each for each in seen.found if each["spec"]["reason"] == due.reason]
            if not mine:
                reasons = [each["spec"]["reason"] for each in seen.found]
                return f"no Incident {due.reason}, but {reasons}; {seen.pod_reason} {seen.agent_reason}"
            blamed = due.reason not in incidents.UNBLAMED
            if blamed and incidents.action(mine[0]) is not incidents.Action.QUARANTINE:
                return "a kill alone, where the first one is to be a quarantine"
            return unproven(mine[0])


def unproven(incident: Object) -> str:
    """Say which steps of an Incident are not confirmed; empty where all are that its action asks for."""
    status = incident.get("status", {})
    said = {each["type"]: each for each in status.get("conditions", ())}
    told = {each["step"] for each in status.get("timeline", ()) if each.get("confirmedBy")}
    whole = incidents.action(incident) is incidents.Action.QUARANTINE
    due = [step for step in incidents.STEPS if whole or step is not incidents.Condition.QUARANTINED]
    missing = [step.value for step in due if said.get(step.value, {}).get("status") != "True" or step.value not in told]
    return f"not confirmed: {', '.join(missing)}" if missing else ""


def terminated(pod: Object, *, now: float) -> tuple[float, str]:
    """Say when a pod's agent had terminated, and why; 0 and nothing while it runs.

    A container that is lost to its runtime has no such time: `now` is when that is seen.
    """
    for each in pod.get("status", {}).get("containerStatuses", ()):
        if each["name"] == contract.CONTAINER_AGENT and "terminated" in each["state"]:
            state = each["state"]["terminated"]
            at = datetime.fromisoformat(state["finishedAt"]).timestamp() if state.get("finishedAt") else now
            return at, str(state.get("reason", ""))
    return 0.0, ""
