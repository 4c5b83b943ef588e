"""I13: uninstalling ends every agent before its guard goes, in bounded time, and leaves the policies. Runs last."""

import time
from collections.abc import Iterator

import pytest

from tests.support.e2e import install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api
from zaum_api import contract

pytestmark = pytest.mark.alone
IGNORES_SIGTERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"


@pytest.fixture
def reinstalled(api: Api, images: dict[str, str]) -> Iterator[None]:
    yield
    install.install(api, images)


@pytest.mark.usefixtures("reinstalled")
def test_i13_uninstall_ends_agents_first_and_leaves_nothing_but_the_policies(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("last", command=["python3", "-c", IGNORES_SIGTERM]))
    pod = agents.running("last")
    started = time.monotonic()
    install.uninstall(seconds=90)
    assert time.monotonic() - started < 90
    assert api.items("pods", labels=f"{contract.LABEL_AGENT}=true") == []
    assert api.find("pods", agents.namespace, pod["metadata"]["name"]) is None
    assert api.find("networkpolicies", agents.namespace, contract.GUARD_NAME) is None
    assert api.find("priorityclasses", "", contract.cluster_name(agents.namespace, "last")) is None
    assert api.find("leases", install.NAMESPACE, contract.LEASE_NAME) is None
    assert api.find("agentpolicies", agents.namespace, "last") is not None, "policies are the user's"
    assert [item for item in api.items("validatingadmissionpolicies") if "zaum" in item["metadata"]["name"]] == []


def test_i13_after_an_install_the_policies_that_stayed_run_again(agents: Agents) -> None:
    agents.api.apply("agentpolicies", agents.policy("again", command=["sleep", "3600"]))
    assert agents.running("again")
