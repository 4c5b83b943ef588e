"""The cache as lists and answers keep it true."""

import asyncio
import copy

from tests.support.apiserver import ApiServer
from zaum_api import contract
from zaum_operator.cluster.store import Store
from zaum_operator.core import kinds


def config(name: str, data: str) -> dict[str, object]:
    labels = {contract.LABEL_POLICY: "researcher"}
    return {"metadata": {"name": name, "namespace": "agents", "labels": labels}, "data": {"key": data}}


def test_an_api_server_that_goes_back_in_time_is_believed() -> None:
    async def go() -> None:
        api = ApiServer()
        store = Store(api)
        api.put(kinds.CONFIG_MAP, config("kept", "old"))
        backup, version = copy.deepcopy(api.objects), api.version
        api.put(kinds.CONFIG_MAP, config("kept", "new"))
        api.put(kinds.CONFIG_MAP, config("later", "new"))
        await store.relist(kinds.CONFIG_MAP)
        assert store.cache.count(kinds.CONFIG_MAP) == 2
        api.objects, api.version = backup, version
        changed = await store.relist(kinds.CONFIG_MAP)
        assert {item["metadata"]["name"] for item in changed} == {"kept", "later"}
        assert [item["data"] for item in store.cache.all(kinds.CONFIG_MAP)] == [{"key": "old"}]
        assert await store.relist(kinds.CONFIG_MAP) == ()

    asyncio.run(go())
