"""I07 under fire: three pods, fifty calls at a time from each, and what counts them is killed without a word.

`ZAUM_RACES` says how many rounds for each store (default 1), `ZAUM_SEED` of which seed the first one is.
"""

import base64
import contextlib
import os
import random
from collections.abc import Iterator

import pytest

from tests.cluster import addresses
from tests.races import judge, running
from tests.support import postgres
from tests.support.e2e import install, seasons
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, NotSeenError
from tests.support.e2e.spending import credential
from tests.support.e2e.world import World

ROUNDS = int(os.environ.get("ZAUM_RACES", "1"))
FIRST = int(os.environ.get("ZAUM_SEED") or random.SystemRandom().randrange(10**6))
SECRET = "ledger-database"


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, api: Api, images: dict[str, str], installed: None) -> Iterator[str]:
    """Have the ledger keep its books in either store, and then as before."""
    if request.param == "sqlite":
        yield request.param
        return
    with postgres.running(addresses.NODE_IPV4, addresses.POD_CIDR_IPV4) as uri:
        data = {"uri": base64.b64encode(uri.encode()).decode()}
        meta = {"name": SECRET, "namespace": install.NAMESPACE}
        api.apply("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
        peer = f"ledger.postgres.to[0].ipBlock.cidr={addresses.NODE_IPV4}/32"
        try:
            install.install(api, images, f"ledger.postgres.secretName={SECRET}", peer)
            yield request.param
        finally:
            install.install(api, images)
            api.delete("secrets", install.NAMESPACE, SECRET)


@pytest.mark.alone
@pytest.mark.node
@pytest.mark.world
def test_i07_no_race_passes_a_limit_and_no_call_is_lost_from_the_books_whoever_dies(
    agents: Agents, api: Api, world: World, store: str
) -> None:
    credential(agents)
    for number in range(ROUNDS):
        seasons.wait(api)
        found = running.race(agents, api, world, FIRST + number, watchdogs=(number + (store == "postgres")) % 2)
        assert judge.faults(found) == [], store
        statuses = {call.status for call in found.calls}
        assert {200, 429} <= statuses, "the controls: some calls were served, and some raced for the minute in vain"
        assert found.cost.used > running.COST_DAY / 4, "and there was something to race for"
        with contextlib.suppress(NotSeenError):
            api.delete("agentpolicies", agents.namespace, f"race-{FIRST + number}")
