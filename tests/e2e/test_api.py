"""The API server's own verdict on the table of specs that the unit tests read too."""

from collections.abc import Iterator

import pytest

from tests.support import specs
from tests.support.e2e.api import Api, RefusedError


@pytest.mark.parametrize("case", specs.GOOD + specs.BAD, ids=lambda case: case.title)
def test_the_api_server_agrees_with_the_models(api: Api, namespace_for_specs: str, case: specs.Case) -> None:
    manifest = case.manifest(namespace_for_specs)
    if case.refused is None:
        stored = api.create("agentpolicies", manifest, dry_run=True)
        # Null is absent (the API server prunes it); nothing else may go in silence.
        given = {key for key, value in manifest["spec"].items() if value is not None}
        assert stored["spec"].keys() >= given
        return
    with pytest.raises(RefusedError) as refused:
        api.create("agentpolicies", manifest, dry_run=True)
    assert refused.value.status in {400, 422, 500}
    assert case.says in refused.value.message


@pytest.fixture(scope="module")
def namespace_for_specs(api: Api) -> Iterator[str]:
    name = "t-specs"
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    api.delete("namespaces", "", name)
