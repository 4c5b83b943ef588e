"""Which pods a policy gets after its first ones, and when."""

from tests.support import specs
from tests.support.world import NAMESPACE, World
from zaum_api import contract
from zaum_operator.core import kinds
from zaum_operator.core.keys import Key


def test_a_failed_agent_is_replaced_after_a_pause_that_doubles(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    for attempt, pause in enumerate((10, 20, 40), start=1):
        world.end_pod(world.live()[0], code=3)
        assert world.condition()[:2] == ("False", "AgentFailed" if attempt == 1 else "CrashLoop")
        assert "exit code 3" in world.condition()[2]
        world.pass_time(seconds=pause - 1)
        assert world.live() == []
        world.pass_time(seconds=1)
        (pod,) = world.live()
        assert pod["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == str(attempt)
        world.start_pods()
    assert len(world.pods()) == 2, "the newest ended pod is kept, older ones are not"


def test_the_pause_survives_a_restart_of_the_operator(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0])
    successor = World(world.ca_file, api=world.api, clock=world.clock)
    successor.workers.add(Key(NAMESPACE, "researcher"))
    successor.settle()
    assert successor.live() == []
    successor.pass_time(seconds=10)
    assert len(successor.live()) == 1


def test_a_service_that_ends_by_itself_is_started_again(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0], code=0)
    assert world.condition()[:2] == ("False", "BackingOff")
    world.pass_time(seconds=10)
    assert len(world.live()) == 1


def test_ten_healthy_minutes_forgive_earlier_failures(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0])
    world.pass_time(seconds=10)
    world.end_pod(world.live()[0], ran=600)
    world.pass_time(seconds=10)
    assert world.live()[0]["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "1"


def test_another_image_is_tried_at_once(world: World) -> None:
    world.policy()
    world.settle()
    world.end_pod(world.live()[0])
    world.policy(spec={"agent": {"image": "registry.example/agent:2"}})
    world.settle()
    assert world.live()[0]["spec"]["containers"][0]["image"] == "registry.example/agent:2"


def test_i08_a_pod_whose_watchdog_restarted_is_ended_and_replaced(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    (pod,) = world.live()
    restarted = [{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1, "state": {"running": {}}}]
    world.set_status(pod, initContainerStatuses=restarted)
    world.settle()
    assert world.live()[0]["spec"].get("activeDeadlineSeconds") == 1
    assert world.live()[0]["metadata"]["labels"].get(contract.LABEL_QUARANTINED) == "true", "only the guard selects it"
    assert world.condition()[:2] == ("False", "WatchdogRestarted")
    assert world.look() == []
    ended = [{"name": contract.CONTAINER_WATCHDOG, "restartCount": 1, "state": {"terminated": {"exitCode": 0}}}]
    world.end_pod(world.live()[0], initContainerStatuses=ended)
    assert world.condition()[:2] == ("False", "WatchdogRestarted")
    world.pass_time(seconds=10)
    assert world.live()[0]["metadata"]["name"] != pod["metadata"]["name"]


def test_an_outdated_pod_goes_before_its_successor_comes(world: World) -> None:
    world.policy()
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(command=["other"]))
    world.settle()
    assert len(world.api.all(kinds.POD)) == 1
    assert world.live() == []
    world.api.finish_deletions()
    world.settle()
    assert world.live()[0]["spec"]["containers"][0]["command"] == ["other"]


def test_ready_pods_are_replaced_one_at_a_time(world: World) -> None:
    world.policy(spec=specs.agent(replicas=3))
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(replicas=3, command=["other"]))
    seen = []
    for _ in range(3):
        world.settle()
        seen.append(len(world.live()))
        world.api.finish_deletions()
        world.settle()
        world.start_pods()
    assert seen == [2, 2, 2]
    assert all(pod["spec"]["containers"][0]["command"] == ["other"] for pod in world.live())


def test_a_smaller_size_does_not_lock_the_quota(world: World) -> None:
    world.policy(spec=specs.agent(replicas=2, resources={"cpu": "2"}))
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(replicas=2, resources={"cpu": "1"}))
    world.settle()
    hard = world.api.all(kinds.QUOTA)[0]["spec"]["hard"]
    assert hard["limits.cpu"] == "4", "one of the two was taken down, the other still has two cores and a half"
    for _ in range(3):
        world.api.finish_deletions()
        world.settle()
        world.start_pods()
    assert world.api.all(kinds.QUOTA)[0]["spec"]["hard"]["limits.cpu"] == "3"


def test_fewer_replicas_take_the_highest_ordinals(world: World) -> None:
    world.policy(spec=specs.agent(replicas=3))
    world.settle()
    world.start_pods()
    world.policy(spec=specs.agent(replicas=1))
    world.settle()
    assert [pod["metadata"]["labels"][contract.LABEL_ORDINAL] for pod in world.live()] == ["0"]
