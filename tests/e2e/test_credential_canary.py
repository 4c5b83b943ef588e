"""I15: a route's credential is in its Secret, in the watchdog and at the upstream, and nowhere else.

The agent looks for it without being told what it is: by how such canaries begin, and it says what it found by hashes.
Decoys of the same shape lie where it must look.
"""

import pytest

from tests.cluster import addresses
from tests.support.e2e import install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object
from tests.support.e2e.canary import KINDS, PROGRAM, canary, hits, logs, metrics, objects, sha

ROUTE = "api"
ENV_DECOY, FILE_DECOY = "DECOY", "decoy.txt"


@pytest.mark.world
@pytest.mark.node
def test_i15_a_routes_credential_reaches_the_upstream_and_nothing_else_ever_holds_it(
    agents: Agents, api: Api, namespace: str
) -> None:
    key, in_env, in_file = canary(), canary(), canary()
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": key}}
    api.apply("secrets", secret | {"metadata": {"name": "canary", "namespace": namespace}})
    files = agents.files("canary", main_py=PROGRAM, decoy=in_file)
    policy = agents.policy("canary", command=["python3", "-u", "/files/main.py"], files=files, egress=egress())
    policy["spec"]["agent"]["env"].append({"name": ENV_DECOY, "value": in_env})
    api.apply("agentpolicies", policy)
    pod = agents.running("canary")
    used, answers, searched = agents.outcomes(pod, 3)

    assert (used["status"], used["sent"]) == (200, sha(f"Bearer {key}"[::-1])), "the upstream saw it"
    assert answers["statuses"][-2:] == [200, 403], "a request that is allowed, and one that is not"
    found = searched["found"]
    assert "environ" in found[sha(in_env)], "the control: what is in the environment is found"
    assert any(place.endswith("/decoy") for place in found[sha(in_file)]), "the control: what is in a file is found"
    assert "memory" in found[sha(in_env)], "the control: what is in memory is found"
    assert set(found) == {sha(in_env), sha(in_file)}, "nothing else that looks like it is in the agent's reach"

    stored = hits(key, objects(api, "secrets"))[0]
    assert stored == [f"secrets {namespace}/canary"], "the control: the search finds it, and nobody keeps a copy"
    assert hits(key, objects(api, *KINDS))[0] == []
    assert hits(in_env, objects(api, "pods"))[0] != [], "the control: what stands in a pod is found"
    said = dict(logs(api, install.NAMESPACE, namespace))
    assert any("/gateway" in name and addresses.API_NAME.encode() in text for name, text in said.items()), (
        "the control: the gateway's access log knows the tunnel"
    )
    assert hits(key, iter(said.items()))[0] == []
    shown = dict(metrics(api, pod))
    assert all(b"zaum_" in text for text in shown.values()), shown.keys()
    assert hits(key, iter(shown.items())) == ([], len(shown))


def egress() -> Object:
    """One route with the credential."""
    return {
        "routes": [
            {
                "name": ROUTE,
                "upstream": f"https://{addresses.API_NAME}",
                "credential": {"secretKeyRef": {"name": "canary", "key": "key"}},
                "allow": [{"methods": ["GET", "POST"], "path": "/v1/*"}],
            }
        ]
    }
