"""The chart's own pods are no agents, whatever their ServiceAccounts are called."""

from tests.support.rendered import SITE
from zaum_operator.core import sweep
from zaum_operator.core.snapshot import NamespaceSnapshot


def test_the_parts_of_the_installation_are_never_labelled_as_agents() -> None:
    metadata = {"name": "zaum-operator-67c8cb5d79-7sb2x", "namespace": SITE.release_namespace, "uid": "u"}
    pod = {"metadata": metadata, "spec": {"serviceAccountName": "zaum-operator"}}
    inside = NamespaceSnapshot(SITE.release_namespace, (), (pod,), None)
    assert sweep.of_namespace(inside, SITE) == ()
    elsewhere = {**pod, "metadata": {**metadata, "namespace": "agents"}}
    assert sweep.of_namespace(NamespaceSnapshot("agents", (), (elsewhere,), None), SITE) != (), "the control"
