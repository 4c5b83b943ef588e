"""What a policy says reaches its running pods within two seconds, with the kubelet's default settings."""

import json
from collections.abc import Iterator
from datetime import datetime
from time import time
from typing import Any

import pytest

from tests.cluster import addresses
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, NotSeenError, Object
from zaum_api import contract, reading

BOUND_SECONDS = 2.0
CHANGES = 12
"""Half of them widen, half of them narrow."""
REPLICAS = 5
NAMED = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
NOBODY: Object = {"hosts": []}
LIMITS = {"requests": {"perMinute": 100_000, "burst": 1000}, "connections": 64}
CALM = {"denied": {"enabled": False}}

# Asks for a tunnel again and again; says when the answer changes, and when a tunnel that it holds is opened and closed.
ASKS = f"""
import json, socket, ssl, threading, time
HOST = {addresses.WEBSITE_NAME!r}

def say(**what):
    print(json.dumps({{"t": time.time(), **what}}), flush=True)

def ask():
    proxy = socket.create_connection(("127.0.0.1", {contract.PROXY_PORT}), 5)
    proxy.sendall(f"CONNECT {{HOST}}:443 HTTP/1.1\\r\\nHost: {{HOST}}:443\\r\\n\\r\\n".encode())
    head = b""
    while b"\\r\\n\\r\\n" not in head and (part := proxy.recv(4096)):
        head += part
    return proxy, head.split(b" ")[1].decode() if head else "closed"

def hold(proxy):
    proxy.settimeout(60)
    with ssl.create_default_context().wrap_socket(proxy, server_hostname=HOST) as inside:
        say(tunnel="open")
        try:
            while inside.recv(1):
                pass
        except OSError:
            pass
        say(tunnel="closed")

last = None
while True:
    proxy, status = ask()
    if status != last:
        last = status
        say(status=status)
        if status == "200":
            threading.Thread(target=hold, args=(proxy,), daemon=True).start()
            continue
    proxy.close()
    time.sleep(0.05)
"""


def until(lines: Iterator[Object], **wanted: str) -> float:
    """Read an agent's lines until it says this; give the time at which it did (one clock: the node is this machine)."""
    for line in lines:
        if wanted.items() <= line.items():
            return float(line["t"])
    raise NotSeenError(f"the agent never said {wanted}")


def change(agents: Agents, policy: Object, egress: Object) -> float:
    """Apply another egress; give the time at which that began."""
    began = time()
    agents.api.apply("agentpolicies", {**policy, "spec": {**policy["spec"], "egress": egress}})
    return began


def asking(agents: Agents, name: str, **spec: Any) -> Object:
    """Build a policy whose agent asks all the time."""
    files = agents.files(name, main_py=ASKS)
    command = ["python3", "-u", "/files/main.py"]
    return agents.policy(name, command=command, files=files, limits=LIMITS, runaway=CALM, **spec)


@pytest.mark.world
def test_a_change_of_hosts_is_in_force_within_two_seconds(agents: Agents) -> None:
    policy = asking(agents, "asker", egress=NOBODY)
    agents.api.apply("agentpolicies", policy)
    pod = agents.running("asker")
    lines = agents.lines(pod, seconds=240)
    until(lines, status="403")
    took: dict[str, list[float]] = {"widened": [], "narrowed": [], "tunnel closed": []}
    for _ in range(CHANGES // 2):
        began = change(agents, policy, NAMED)
        took["widened"].append(until(lines, status="200") - began)
        until(lines, tunnel="open")
        began = change(agents, policy, NOBODY)
        # The two come in either order.
        seen: dict[str, float] = {}
        while len(seen) < 2:
            line = next(lines)
            if line.get("tunnel") == "closed":
                seen["tunnel closed"] = line["t"] - began
            if line.get("status") == "403":
                seen["narrowed"] = line["t"] - began
        for what, seconds in seen.items():
            took[what].append(seconds)
    print(json.dumps({what: [round(each, 2) for each in seconds] for what, seconds in took.items()}))
    assert agents.api.get("pods", agents.namespace, pod["metadata"]["name"])["status"]["phase"] == "Running"
    assert all(len(seconds) == CHANGES // 2 for seconds in took.values())
    assert max(each for seconds in took.values() for each in seconds) <= BOUND_SECONDS, took


@pytest.mark.world
def test_a_change_reaches_every_pod_of_a_policy_within_two_seconds(agents: Agents, api: Api) -> None:
    policy = asking(agents, "many", egress=NOBODY, agent={"replicas": REPLICAS, "resources": {"cpu": "100m"}})
    api.apply("agentpolicies", policy)
    agents.ready("many", seconds=120)
    pods = api.items("pods", agents.namespace, labels=f"{contract.LABEL_POLICY}=many")
    assert len(pods) == REPLICAS
    agent_lines = [agents.lines(pod, seconds=120) for pod in pods]
    for lines in agent_lines:
        until(lines, status="403")
    took = []
    for egress, status in ((NAMED, "200"), (NOBODY, "403")) * 2:
        began = change(agents, policy, egress)
        took += [until(lines, status=status) - began for lines in agent_lines]
    print(json.dumps([round(each, 2) for each in took]))
    assert len(took) == 4 * REPLICAS
    assert max(took) <= BOUND_SECONDS, took


def test_a_pod_says_which_version_of_the_document_it_reads_and_its_digest(agents: Agents, api: Api) -> None:
    pod = agents.run("versions", "import time; time.sleep(3600)")
    annotations = pod["metadata"]["annotations"]
    data = api.get("configmaps", agents.namespace, contract.child_name("versions"))["data"]
    assert set(data) == set(contract.CONFIG_KEYS.values())
    raw = data[contract.CONFIG_KEYS[annotations[contract.ANNOTATION_CONFIG_VERSION]]].encode()
    assert annotations[contract.ANNOTATION_CONFIG_DIGEST] == reading.digest(raw)


HEALTH = """
import http.server, json, pathlib, threading, time
sick_after, began = 6.0, time.monotonic()

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sick = time.monotonic() - began > sick_after
        self.send_response(500 if sick else 200)
        self.end_headers()
        print(json.dumps({"t": time.time(), "asked": self.path, "sick": sick}), flush=True)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", 8080), Answer).serve_forever()
"""


def test_an_agent_that_fails_its_own_health_check_is_killed_and_the_policy_says_so(agents: Agents, api: Api) -> None:
    liveness = {"httpGet": {"port": 8080, "path": "/healthz"}, "periodSeconds": 1, "failureThreshold": 2}
    pod = agents.run("sick", HEALTH, agent={"liveness": liveness})
    name = pod["metadata"]["name"]
    lines = agents.lines(pod, seconds=60)
    assert next(lines) | {"t": 0} == {"t": 0, "asked": "/healthz", "sick": False}
    sick_since = next(line["t"] for line in lines if line["sick"])
    ended = api.until(
        "pods", agents.namespace, name, lambda seen: seen["status"].get("phase") == "Failed", seconds=60,
        what="the unhealthy agent is killed",
    )  # fmt: skip
    states = {item["name"]: item["state"] for item in ended["status"]["containerStatuses"]}
    finished = datetime.fromisoformat(states[contract.CONTAINER_AGENT]["terminated"]["finishedAt"]).timestamp()
    # One more failure, the next answer of the probe that the kubelet asks each second, twice; whole seconds.
    assert finished - sick_since <= 10
    agents.event(str(contract.UNHEALTHY_STATUS), "iveness")
    agents.ready("sick", status="False", reason="AgentUnhealthy", seconds=60)
