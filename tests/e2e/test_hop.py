"""The signed hop on a real cluster: agents' tunnels go by it, and nobody else gets anything from its port."""

import json

import pytest

from tests.cluster import addresses
from tests.support.e2e import attempts, install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object
from zaum_api import contract

HOSTS = {"hosts": [{"host": addresses.WEBSITE_NAME}]}

KNOCK = """
import json, os, socket, time
def knock(header):
    with socket.create_connection((os.environ["GATEWAY"], %(port)d), timeout=5) as plain:
        plain.settimeout(5)
        plain.sendall(b"CONNECT %(host)s:443 HTTP/1.1\\r\\nHost: %(host)s:443\\r\\n" + header + b"\\r\\n")
        answer = plain.recv(65536).decode(errors="replace")
    head = answer.partition("\\r\\n\\r\\n")[0]
    rule = [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("x-zaum-rule:")]
    return {"status": int(answer.split()[1]), "rule": rule[0] if rule else None}
signature = b"Signature: zaum=:" + b"A" * 43 + b"=:\\r\\n"
said = b'Signature-Input: zaum=("@method" "@authority");created=%%d;nonce="n";keyid="1/1/9/a/b/c/d/10.0.0.1"\\r\\n'
for header in (b"", b"Proxy-Authorization: Bearer x.y.z\\r\\n", said %% int(time.time()) + signature):
    print(json.dumps(knock(header)), flush=True)
time.sleep(3600)
"""


def decisions(api: Api, uid: str) -> list[Object]:
    """What all replicas of the authorizer decided for a pod."""
    found: list[Object] = []
    for pod in api.items("pods", install.NAMESPACE):
        if pod["metadata"]["labels"].get(contract.LABEL_COMPONENT) == contract.COMPONENT_AUTHORIZER:
            name = pod["metadata"]["name"]
            lines = api.log_so_far(install.NAMESPACE, name, container="authorizer")
            found += [json.loads(line) for line in lines if uid in line]
    return [line for line in found if line.get("event") == "decision"]


@pytest.mark.world
def test_an_agents_tunnels_go_by_signed_heads(agents: Agents, api: Api) -> None:
    pod, outcomes = agents.probes("signed", [attempts.tunnel(addresses.WEBSITE_NAME)] * 5, egress=HOSTS)
    assert all(attempts.passed(outcome) for outcome in outcomes), outcomes
    found = decisions(api, pod["metadata"]["uid"])
    sessions = [line for line in found if line["method"] == "GET"]
    assert {line["listener"] for line in sessions} == {contract.Listener.TLS.value}
    assert any(line["rule"] == contract.Rule.ALLOWED.value for line in sessions)
    tunnels = {(line["listener"], line["rule"]) for line in found if line["method"] == "CONNECT"}
    assert (contract.Listener.SIGNED.value, contract.Rule.ALLOWED.value) in tunnels
    assert {rule for _, rule in tunnels} == {contract.Rule.ALLOWED.value}


@pytest.mark.world
def test_i04_the_port_for_signed_heads_refuses_whoever_has_no_session(agents: Agents, api: Api) -> None:
    service = api.get("services", install.NAMESPACE, contract.GATEWAY_SERVICE)
    program = KNOCK % {"port": contract.GATEWAY_SIGNED_PORT, "host": addresses.WEBSITE_NAME}
    files = agents.files("knock", main_py=program)
    policy = agents.policy("knock", command=["python3", "-u", "/files/main.py"], files=files, egress=HOSTS)
    policy["spec"]["agent"]["env"].append({"name": "GATEWAY", "value": service["spec"]["clusterIP"]})
    agents.api.apply("agentpolicies", policy)
    outcomes = agents.outcomes(agents.running("knock"), 3)
    assert [(outcome["status"], outcome["rule"]) for outcome in outcomes] == [
        (403, contract.Rule.TOKEN_MISSING.value),
        (403, contract.Rule.TOKEN_INVALID.value),
        (403, contract.Rule.SIGNATURE_INVALID.value),
    ]
