"""A Task from its start to its outcome: the table, and what a kubelet, a node or a person can do to it."""

import dataclasses
import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import specs
from tests.support.planned import Planned
from tests.support.world import NAMESPACE, START
from zaum_api import contract
from zaum_api.conditions import Reason, Status
from zaum_operator import errors
from zaum_operator.core import kinds, pods, tasks
from zaum_operator.core.tasks import Outcome, Recorded, Seen, Step

RUNNING = Outcome(Status.UNKNOWN, Reason.TASK_RUNNING, "")


@pytest.fixture
def world() -> Planned:
    world = Planned()
    world.policy(specs.task())
    world.settle()
    return world


def running(world: Planned) -> Planned:
    world.run_pods()
    world.settle()
    return world


def outcome(world: Planned) -> tuple[str, str]:
    return world.condition("Succeeded")[:2]


def test_the_table_knows_every_situation() -> None:
    assert set(tasks.STEPS) == set(itertools.product(Recorded, Seen, (True, False)))


def test_only_a_task_of_which_nothing_is_known_is_started() -> None:
    starts = [situation for situation, step in tasks.STEPS.items() if step is Step.START]
    assert starts == [(Recorded.NOTHING, Seen.NONE, True)]


def test_a_task_runs_in_one_pod_that_says_so(world: Planned) -> None:
    (pod,) = world.pods()
    assert pod["metadata"]["labels"][contract.LABEL_TYPE] == "Task"
    assert outcome(world) == ("Unknown", "TaskRunning")
    assert running(world).condition()[:2] == ("True", "AllReady")


def test_its_pods_name_is_always_the_same_so_that_two_operators_cannot_both_make_it(world: Planned) -> None:
    other = Planned()
    uid = world.api.all(kinds.POLICY)[0]["metadata"]["uid"]
    other.api.put(kinds.POLICY, specs.Case("", specs.task()).manifest() | {
        "metadata": {"name": "researcher", "namespace": NAMESPACE, "uid": uid}})  # fmt: skip
    other.settle()
    assert other.pods()[0]["metadata"]["name"] == world.pods()[0]["metadata"]["name"]


@pytest.mark.parametrize(
    ("title", "ending", "expected"),
    [
        ("exit 0", {"code": 0}, ("True", "TaskSucceeded")),
        ("exit 3", {"code": 3}, ("False", "TaskFailed")),
        ("out of memory", {"code": 137}, ("False", "TaskFailed")),
        ("exit 0 after a breach", {"code": 0, "word": "RunawayDenied"}, ("False", "Runaway")),
        ("killed for a breach", {"code": 137, "word": "RunawayCPU"}, ("False", "Runaway")),
        ("killed by an order", {"code": 137, "word": "Ordered"}, ("False", "Runaway")),
        ("killed for its health", {"code": 137, "word": "AgentUnhealthy"}, ("False", "TaskFailed")),
        ("evicted", {"code": None, "reason": "Evicted", "phase": "Failed"}, ("False", "TaskFailed")),
        ("exit 0 when evicted", {"code": 0, "reason": "Evicted", "phase": "Failed"}, ("False", "TaskFailed")),
        ("exit 0 past its lifetime", {"code": 0, "reason": "DeadlineExceeded", "phase": "Failed"},
         ("False", "DeadlineExceeded")),
        ("a watchdog that restarted", {"code": 0, "initContainerStatuses":
            [{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1}]}, ("False", "WatchdogRestarted")),
    ],
)  # fmt: skip
def test_the_outcome_comes_from_the_verdict_before_the_exit_code(
    world: Planned, title: str, ending: dict[str, object], expected: tuple[str, str]
) -> None:
    running(world)
    world.end(world.pods()[0], **ending)  # type: ignore[arg-type]
    world.settle()
    assert outcome(world) == expected, title
    assert world.condition()[:2] == ("False", "TaskEnded")


@pytest.mark.parametrize("code", [0, 1])
def test_an_outcome_is_final_whatever_happens_to_the_pod(world: Planned, code: int) -> None:
    running(world)
    (pod,) = world.pods()
    world.end(pod, code=code)
    world.settle()
    said = world.condition("Succeeded")
    world.now += timedelta(hours=1)
    world.settle()
    assert len(world.api.all(kinds.POD)) == 1, "the ended pod is kept to be read"
    world.api.remove(kinds.POD, NAMESPACE, pod["metadata"]["name"])
    assert world.settle() == []
    assert world.condition("Succeeded") == said
    assert world.api.all(kinds.POD) == []


def test_a_pod_that_vanished_is_lost_and_never_made_again(world: Planned) -> None:
    running(world)
    world.api.remove(kinds.POD, NAMESPACE, world.pods()[0]["metadata"]["name"])
    world.settle()
    world.now += timedelta(days=1)
    world.settle()
    assert outcome(world) == ("False", "PodLost")
    assert world.api.all(kinds.POD) == []


def test_an_exit_0_that_a_deletion_brought_about_is_no_success(world: Planned) -> None:
    running(world)
    (pod,) = world.pods()
    at = (world.now + timedelta(seconds=5)).isoformat()
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"],
                   {"metadata": {"deletionTimestamp": at, "deletionGracePeriodSeconds": 5}})  # fmt: skip
    world.settle()
    assert outcome(world) == ("Unknown", "TaskRunning"), "it may yet end by itself"
    world.end(pod, code=0)
    world.settle()
    assert outcome(world) == ("False", "PodLost")


def test_an_end_before_the_deletion_counts(world: Planned) -> None:
    running(world)
    (pod,) = world.pods()
    world.end(pod, code=0)
    at = (world.now + timedelta(seconds=35)).isoformat()
    world.api.edit(kinds.POD, NAMESPACE, pod["metadata"]["name"],
                   {"metadata": {"deletionTimestamp": at, "deletionGracePeriodSeconds": 5}})  # fmt: skip
    world.settle()
    assert outcome(world) == ("True", "TaskSucceeded")


def test_a_task_that_is_stopped_while_it_runs_has_ended(world: Planned) -> None:
    running(world)
    world.policy({**specs.task(), "desiredState": "Stopped"})
    world.settle()
    assert outcome(world) == ("False", "Stopped")
    world.api.finish_deletions()
    world.policy(specs.task())
    world.settle()
    assert world.pods() == []
    assert outcome(world) == ("False", "Stopped")


def test_a_task_that_is_stopped_before_it_started_waits() -> None:
    world = Planned()
    world.policy({**specs.task(), "desiredState": "Stopped"})
    world.settle()
    assert outcome(world) == ("Unknown", "Progressing")
    assert world.condition()[:2] == ("True", "Stopped")
    world.policy(specs.task())
    world.settle()
    assert len(world.pods()) == 1


@pytest.mark.parametrize("plural", ["pods", "configmaps", "networkpolicies"])
def test_a_task_whose_pod_could_not_be_made_has_not_run_and_runs_later(plural: str) -> None:
    world = Planned()
    world.policy(specs.task())
    down = errors.UnavailableError(f"write {plural}", 0, "timeout")
    world.api.refuse = lambda _, refused, __: down if refused == plural else None
    for _ in range(3):
        world.step()
        assert (world.pods(), outcome(world)) == ([], ("Unknown", "Progressing"))
    world.api.refuse = lambda *_: None
    world.settle()
    assert (len(world.pods()), outcome(world)) == (1, ("Unknown", "TaskRunning"))


def test_a_task_whose_pod_was_made_unheard_runs_once() -> None:
    world = Planned()
    world.policy(specs.task())
    create = world.api.create

    async def unheard(kind: kinds.Kind, body: kinds.Object) -> kinds.Object:
        made = await create(kind, body)
        if kind is kinds.POD:
            raise errors.UnavailableError("create pods", 0, "timeout")
        return made

    world.api.create = unheard  # type: ignore[method-assign]
    world.step()
    world.settle()
    assert (len(world.pods()), outcome(world)) == (1, ("Unknown", "TaskRunning"))


def test_a_task_waits_for_the_gateway() -> None:
    world = Planned(gateway=None)
    world.policy(specs.task())
    world.settle()
    assert (world.pods(), outcome(world)) == ([], ("Unknown", "Progressing"))


def test_i08_a_tasks_pod_whose_watchdog_restarted_is_cut_off_and_ended(world: Planned) -> None:
    running(world)
    (pod,) = world.pods()
    world.status(pod, initContainerStatuses=[{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1}])
    world.settle()
    (pod,) = world.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == pods.ENDING_SECONDS
    assert pod["metadata"]["labels"][contract.LABEL_QUARANTINED] == "true"


def test_another_installation_never_costs_a_task_its_pod(world: Planned) -> None:
    running(world)
    world.upgraded()
    world.settle()
    assert len(world.pods()) == 1


def test_an_outcome_that_this_version_does_not_know_is_no_reason_to_run_again() -> None:
    status = {"conditions": [{"type": "Succeeded", "status": "False", "reason": "Abducted"}]}
    found = tasks.recorded(status)
    assert found is not None
    assert found.final


def test_the_outcome_stays_while_the_spec_cannot_be_read(world: Planned) -> None:
    running(world)
    world.end(world.pods()[0], code=0)
    world.settle()
    world.policy({**specs.task(), "mode": "Dream"})
    world.settle()
    assert outcome(world) == ("True", "TaskSucceeded")


BLANK = dataclasses.replace(pods.read({"metadata": {"name": "blank"}}), type="Task", created=START)
ENDED = pods.Ending(0, "", "", START, timedelta(), succeeded=True)
PODS = st.builds(
    lambda index, ended, leaving, restarts: dataclasses.replace(
        BLANK,
        name=f"p{index}",
        phase=pods.Phase.ENDED if ended else pods.Phase.LIVE,
        ending=ENDED if ended else None,
        terminating=leaving,
        watchdog_restarts=restarts,
    ),
    st.integers(0, 9), st.booleans(), st.booleans(), st.integers(0, 1),
)  # fmt: skip
SITUATIONS = st.lists(PODS, max_size=3, unique_by=lambda item: item.name)


@given(st.lists(st.tuples(SITUATIONS, st.booleans(), st.booleans()), max_size=12))
def test_never_two_pods_and_never_a_second_outcome_in_any_order_of_events(
    history: list[tuple[list[pods.Pod], bool, bool]],
) -> None:
    before: Outcome | None = None
    started = 0
    for seen, stop, start in history:
        step = tasks.decide(before, tuple(seen), stop="stopped" if stop else "", start=start)
        started += len(step.decision.start)
        assert not (step.decision.start and seen)
        assert len(step.decision.keep) <= 1
        if before is not None and before.final:
            assert step.outcome == before
        before = step.outcome
    assert started <= 1
