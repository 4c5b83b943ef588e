"""The signed hop on a real cluster: agents' tunnels go by it, and nobody else gets anything from its port."""

import json
import time

import pytest

from tests.cluster import addresses
from tests.e2e import test_failures
from tests.support.e2e import attempts, install, programs
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


KNOCKED = (contract.Rule.TOKEN_MISSING, contract.Rule.TOKEN_INVALID, contract.Rule.SIGNATURE_INVALID)


def decisions(api: Api, uid: str) -> list[Object]:
    """What all replicas of the authorizer decided for a pod."""
    found: list[Object] = []
    for pod in api.items("pods", install.NAMESPACE):
        if pod["metadata"]["labels"].get(contract.LABEL_COMPONENT) == contract.COMPONENT_AUTHORIZER:
            name = pod["metadata"]["name"]
            lines = api.log_so_far(install.NAMESPACE, name, container="authorizer")
            found += [json.loads(line) for line in lines if uid in line]
    # The watchdog's own test of its cage asks for a name that nobody may reach.
    cage = contract.CAGE_HOST
    return [line for line in found if line.get("event") == "decision" and not line["authority"].startswith(cage)]


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
    pod = agents.running("knock")
    outcomes = agents.outcomes(pod, 3)
    # Whichever replica of the authorizer has latched the pod refuses everything of it.
    rules = [{rule.value, contract.Rule.LATCHED.value} for rule in KNOCKED]
    assert [outcome["status"] for outcome in outcomes] == [407, 403, 403]
    assert all(outcome["rule"] in allowed for outcome, allowed in zip(outcomes, rules, strict=True)), outcomes
    assert outcomes[0]["rule"] == contract.Rule.TOKEN_MISSING.value
    api.until_gone("pods", agents.namespace, pod["metadata"]["name"], seconds=60)
    agents.event(contract.Breach.GATEWAY_CONTACT.value)


CALLS = f"""
import json, threading, time
HOST = {addresses.WEBSITE_NAME!r}
done, failures = [0], []
{programs.CONNECTED}
def call():
    with tunnel(HOST, timeout=20) as tls:
        tls.sendall(f"GET / HTTP/1.1\\r\\nHost: {{HOST}}\\r\\nConnection: close\\r\\n\\r\\n".encode())
        if not tls.recv(65536).startswith(b"HTTP/1.1 200"):
            raise OSError("no answer")

def work():
    while True:
        try:
            call()
        except OSError as error:
            failures.append(f"{{time.time():.1f}} {{error}}")
        done[0] += 1
        time.sleep(0.05)

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
while True:
    print(json.dumps({{"requests": done[0], "failures": failures[:5]}}), flush=True)
    time.sleep(0.5)
"""


def component(api: Api, name: str) -> list[str]:
    """The names of a component's pods."""
    pods = [pod["metadata"] for pod in api.items("pods", install.NAMESPACE)]
    return [pod["name"] for pod in pods if pod["labels"].get(contract.LABEL_COMPONENT) == name]


def restarted(api: Api, name: str) -> None:
    """Replace a component's pods as `kubectl rollout restart` does, and wait until the old ones are gone."""
    before = component(api, name)
    assert before
    mark = {"metadata": {"annotations": {"example.com/restarted": str(time.time())}}}
    api.merge("deployments", install.NAMESPACE, f"zaum-{name}", {"spec": {"template": mark}})
    install.available(api, f"zaum-{name}")
    for pod in before:
        api.until_gone("pods", install.NAMESPACE, pod, seconds=60)


@pytest.mark.world
@pytest.mark.alone
@pytest.mark.parametrize("name", [contract.COMPONENT_GATEWAY, contract.COMPONENT_AUTHORIZER])
def test_a_rolling_restart_fails_no_new_call(agents: Agents, api: Api, name: str) -> None:
    rate = {"requests": {"perMinute": 6000, "burst": 1000}}
    pod = agents.run("calls", CALLS, egress=HOSTS, limits=rate)
    began = next(line for line in agents.lines(pod) if line["failures"] or line["requests"] > 20)
    assert began["failures"] == []
    restarted(api, name)
    so_far = json.loads(api.log_so_far(agents.namespace, pod["metadata"]["name"])[-1])["requests"]
    after = next(line for line in agents.lines(pod) if line["failures"] or line["requests"] > so_far + 20)
    assert after["failures"] == []
    assert after["requests"] > 60
    with test_failures.absent(api, f"zaum-{name}"):
        failed = any(line["failures"] for line in agents.lines(pod))
    assert failed, "the control: without any replica calls fail, and it is noticed"
