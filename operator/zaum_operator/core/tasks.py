"""A Task: one pod, once. What it came to is read from the watchdog's verdict and the pod's status, and then final.

What is recorded (the condition Succeeded, which only the operator writes), what is seen of pods, and whether it may
run decide the next step. A pod that was recorded as running and is no longer there is lost: a task is never run twice.

    recorded   seen       may run    must not run
    nothing    none       START      WAIT
    nothing    live       RUN        STOP
    nothing    leaving    RUN        STOP
    nothing    ended      JUDGE      JUDGE
    running    none       LOST       LOST
    running    live       RUN        STOP
    running    leaving    RUN        STOP
    running    ended      JUDGE      JUDGE
    final      anything   REST       REST
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from typing import Any, Final, assert_never

from zaum_api import reading
from zaum_api.conditions import ConditionType, Reason, Status
from zaum_api.incidents import Cause
from zaum_operator.core import words
from zaum_operator.core.pods import Phase, Pod
from zaum_operator.core.replacement import Decision, Gone, Start, Why

TYPE: Final = "Task"


class Recorded(Enum):
    """What the status says."""

    NOTHING = "no pod was ever made"
    RUNNING = "a pod was made"
    FINAL = "the outcome is known"


class Seen(Enum):
    """What the API server shows of the task's pods; the later one wins."""

    NONE = "no pod"
    LEAVING = "one that is being deleted"
    LIVE = "one that has not ended"
    ENDED = "one that ended"


class Step(StrEnum):
    """What to do next."""

    START = "start the pod"
    WAIT = "wait until it may run"
    RUN = "leave it running"
    STOP = "stop it for good"
    JUDGE = "say what it came to"
    LOST = "give it up"
    REST = "nothing, ever again"


STEPS: Final[dict[tuple[Recorded, Seen, bool], Step]] = {
    (Recorded.NOTHING, Seen.NONE, True): Step.START,
    (Recorded.NOTHING, Seen.NONE, False): Step.WAIT,
    (Recorded.NOTHING, Seen.LIVE, True): Step.RUN,
    (Recorded.NOTHING, Seen.LIVE, False): Step.STOP,
    (Recorded.NOTHING, Seen.LEAVING, True): Step.RUN,
    (Recorded.NOTHING, Seen.LEAVING, False): Step.STOP,
    (Recorded.RUNNING, Seen.NONE, True): Step.LOST,
    (Recorded.RUNNING, Seen.NONE, False): Step.LOST,
    (Recorded.RUNNING, Seen.LIVE, True): Step.RUN,
    (Recorded.RUNNING, Seen.LIVE, False): Step.STOP,
    (Recorded.RUNNING, Seen.LEAVING, True): Step.RUN,
    (Recorded.RUNNING, Seen.LEAVING, False): Step.STOP,
    **{(recorded, Seen.ENDED, may): Step.JUDGE for recorded in Recorded for may in (True, False)},
    **{(Recorded.FINAL, seen, may): Step.REST for seen in Seen for may in (True, False)},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The condition Succeeded without its times."""

    status: Status
    reason: Reason
    message: str

    @property
    def final(self) -> bool:
        """Say whether nothing can change it any more."""
        return self.status is not Status.UNKNOWN


@dataclass(frozen=True, slots=True)
class Task:
    """What a task's plan does with pods, and what it says."""

    decision: Decision
    outcome: Outcome


def recorded(status: dict[str, Any] | None) -> Outcome | None:
    """Read the condition Succeeded from a policy's status. A word that this version does not know is no outcome."""
    for condition in (status or {}).get("conditions") or ():
        if condition.get("type") == ConditionType.SUCCEEDED.value:
            try:
                status_, reason = Status(condition.get("status")), Reason(condition.get("reason"))
            except ValueError:
                return Outcome(Status.FALSE, Reason.POD_LOST, "The recorded outcome cannot be read by this version.")
            return Outcome(status_, reason, str(condition.get("message", "")))
    return None


def unstarted() -> Outcome:
    """Say that the pod could not be made after all. Said to run, a task without a pod would be lost for good.

    Where the answer alone was lost, the pod is there under the one name that it can have, and is found next time.
    """
    return _unknown(Reason.PROGRESSING, "The task has not started: its pod, or what it needs, could not be made.")


def suffix(uid: str) -> str:
    """Give the five hex digits of a task's pod: always the same, so that two operators cannot both make it."""
    return reading.digest(uid.encode()).rpartition(":")[2][:5]


def decide(before: Outcome | None, pods: tuple[Pod, ...], *, stop: str, start: bool) -> Task:
    """Take the next step. `stop` says why it must not run, empty when it may; `start` whether a pod may be made now."""
    mine = tuple(pod for pod in pods if pod.type != "Service")
    others = tuple(Gone(pod, Why.OUTDATED) for pod in pods if pod not in mine and not pod.terminating)
    step = STEPS[_recorded(before), _seen(mine), not stop]
    found = _take(step, before, mine, stop=stop, start=start and len(mine) == len(pods))
    return Task(_with(found.decision, others), found.outcome)


def _with(decision: Decision, others: tuple[Gone, ...]) -> Decision:
    return Decision(delete=others + decision.delete, end=decision.end, start=decision.start, keep=decision.keep)


def _take(step: Step, before: Outcome | None, mine: tuple[Pod, ...], *, stop: str, start: bool) -> Task:
    match step:
        case Step.START if start:
            return Task(Decision(start=(Start(0, 0),)), _unknown(Reason.TASK_RUNNING, "The task's pod is started."))
        case Step.START | Step.WAIT:
            return Task(Decision(), _unknown(Reason.PROGRESSING, f"The task has not started{words.because(stop)}."))
        case Step.RUN:
            return _running(mine)
        case Step.STOP:
            text = f"The task was stopped while it ran{words.because(stop)}; it is not run again."
            return Task(_ended(mine), Outcome(Status.FALSE, Reason.STOPPED, text))
        case Step.LOST:
            text = "The task's pod is gone and its outcome was not seen; it is not run again."
            return Task(Decision(), Outcome(Status.FALSE, Reason.POD_LOST, text))
        case Step.JUDGE:
            return Task(_ended(mine), judge(_first(mine, Phase.ENDED)))
        case Step.REST:
            return Task(_ended(mine), before or _unknown(Reason.PROGRESSING, ""))
        case _:
            assert_never(step)


def _recorded(before: Outcome | None) -> Recorded:
    if before is None or before.reason is Reason.PROGRESSING:
        return Recorded.NOTHING
    return Recorded.FINAL if before.final else Recorded.RUNNING


def _seen(mine: tuple[Pod, ...]) -> Seen:
    if any(pod.phase is Phase.ENDED for pod in mine):
        return Seen.ENDED
    if any(not pod.terminating for pod in mine):
        return Seen.LIVE
    return Seen.LEAVING if mine else Seen.NONE


def _running(mine: tuple[Pod, ...]) -> Task:
    """Leave the oldest pod, end it when its watchdog restarted, and take duplicates down."""
    present = sorted((pod for pod in mine if not pod.terminating), key=lambda pod: (pod.created, pod.name))
    keep, rest = present[:1], present[1:]
    text = f"Pod {keep[0].name} runs." if keep else f"Pod {mine[0].name} is being deleted."
    return Task(
        Decision(
            delete=tuple(Gone(pod, Why.DUPLICATE) for pod in rest),
            end=tuple(pod for pod in keep if pod.doomed),
            keep=tuple(keep),
        ),
        _unknown(Reason.TASK_RUNNING, text),
    )


def _ended(mine: tuple[Pod, ...]) -> Decision:
    """Keep the first ended pod to be read, and no other."""
    kept = next(iter(sorted((pod for pod in mine if pod.phase is Phase.ENDED), key=_age)), None)
    return Decision(
        delete=tuple(Gone(pod, Why.STOPPED) for pod in mine if pod is not kept and not pod.terminating),
    )


def _first(mine: tuple[Pod, ...], phase: Phase) -> Pod:
    return min((pod for pod in mine if pod.phase is phase), key=_age)


def _age(pod: Pod) -> tuple[object, ...]:
    return (pod.created, pod.name)


def judge(pod: Pod) -> Outcome:
    """Say what an ended pod came to: the verdict counts before the exit code."""
    ending = pod.ending
    word = pod.last_word
    if word is not None and not word.unhealthy and not pod.ordered:
        return _failed(Reason.RUNAWAY, f"Pod {pod.name}: the agent was killed for {word.word}.")
    if pod.contact:
        return _failed(Reason.RUNAWAY, f"Pod {pod.name} was cut off and ended: {Why.GATEWAY_CONTACT}.")
    if pod.breach and pod.breach != Cause.WATCHDOG_RESTARTED.value:
        return _failed(Reason.RUNAWAY, f"Pod {pod.name} was cut off and ended for {words.quoted(pod.breach)}.")
    if pod.watchdog_restarts or (pod.cut_off and not pod.ordered):
        return _failed(Reason.WATCHDOG_RESTARTED, f"Pod {pod.name} was cut off and ended: {Why.WATCHDOG_RESTARTED}.")
    if pod.ordered:
        return _failed(Reason.RUNAWAY, f"Pod {pod.name} was cut off and ended: {Why.ORDERED}.")
    if pod.outlived:
        return _failed(Reason.DEADLINE_EXCEEDED, f"Pod {pod.name} was ended: lifetime.max was over.")
    if ending is None or _deleted_before_its_end(pod):
        return _failed(Reason.POD_LOST, f"Pod {pod.name} was deleted while it ran; it is not run again.")
    if word is not None:
        return _failed(Reason.TASK_FAILED, f"Pod {pod.name}: the agent was killed: its health check failed.")
    if ending.succeeded and ending.exit_code == 0:
        return Outcome(Status.TRUE, Reason.TASK_SUCCEEDED, f"Pod {pod.name}: the agent ended with exit code 0.")
    return _failed(Reason.TASK_FAILED, f"Pod {pod.name}: the agent ended {words.ending(ending)}.")


def _deleted_before_its_end(pod: Pod) -> bool:
    """Tell an end that a deletion brought about: its exit code says nothing about the task."""
    if pod.deleted is None or pod.ending is None:
        return False
    return pod.ending.finished > pod.deleted - pod.grace - timedelta(seconds=1)


def _failed(reason: Reason, message: str) -> Outcome:
    return Outcome(Status.FALSE, reason, message)


def _unknown(reason: Reason, message: str) -> Outcome:
    return Outcome(Status.UNKNOWN, reason, message)
