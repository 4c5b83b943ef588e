"""Nobody who is healthy is killed for what others do, and for what is away: a sample of `make healthy`."""

import pytest

from tests.healthy import judge
from tests.healthy import run as running
from tests.support.e2e import enforced
from tests.support.e2e.api import Api


@pytest.mark.alone
@pytest.mark.node
@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i08_healthy_agents_outlive_a_node_without_cpu_and_the_restarts_of_gateway_ledger_and_api_server(
    api: Api, images: dict[str, str], world_ca: str
) -> None:
    with running.place(api, images["demo-agent"], world_ca, running.teller()) as made:
        seen = running.run(made, running.SAMPLE)
        enforced.wait(made.agents)
    print("\n".join(judge.failures(seen)), judge.failed(seen))
    assert judge.faults(seen) == []
    assert (judge.kills(seen), seen.incidents) == (0, ())
