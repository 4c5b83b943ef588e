"""What the cache keeps of an object: all that decisions look at, and no more."""

from tests.support import specs
from tests.support.world import World
from zaum_operator.core import kinds, pods, trim
from zaum_operator.core.render import quota


def test_a_trimmed_pod_reads_like_the_whole_one(world: World) -> None:
    world.policy(spec=specs.agent(replicas=1))
    world.settle()
    world.start_pods()
    (pod,) = world.api.all(kinds.POD)
    kept = trim.of(kinds.POD, pod, {})
    assert pods.read(kept) == pods.read(pod)
    assert quota.of_pod(kept) == quota.of_pod(pod)
    assert {"volumes", "securityContext"} & set(pod["spec"])
    assert not {"volumes", "securityContext"} & set(kept["spec"])
    assert "env" not in kept["spec"]["containers"][0]


def test_bookkeeping_of_others_is_dropped_and_the_rest_stays() -> None:
    last = "kubectl.kubernetes.io/last-applied-configuration"
    metadata = {"name": "x", "managedFields": [{}], "annotations": {last: "{}", "zaum.dev/x": "1"}}
    kept = trim.of(kinds.CEILING, {"metadata": metadata, "spec": {"a": [1]}, "status": {"namespaces": 3}}, {})
    assert kept == {"metadata": {"name": "x", "annotations": {"zaum.dev/x": "1"}}, "spec": {"a": [1]}}


def test_field_names_are_shared_between_objects() -> None:
    words: trim.Words = {}
    names = [
        next(
            key
            for key in trim.of(kinds.CONFIG_MAP, {"metadata": {}, "".join(["da", "ta"]): {}}, words)
            if key == "data"
        )
        for _ in range(2)
    ]
    assert names[0] is names[1]
    words.update({str(number): "" for number in range(30_000)})
    trim.of(kinds.CONFIG_MAP, {"metadata": {}}, words)
    assert len(words) < 30_000
