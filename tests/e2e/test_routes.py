"""Routes on a real cluster: the kubelet brings their credentials, and Services are reached by a grant."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import addresses
from tests.support.e2e.agents import FILES, READY_SECONDS, Agents, agent_started, free_pod
from tests.support.e2e.api import Api, Object, condition
from zaum_api import contract

KUBELET_SECONDS = 150.0
"""A Secret that is made later comes into a running pod with the kubelet's next look, a minute or so later."""
PORT = 8080

ASK = """
import json, os, sys, time, urllib.error, urllib.request
def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return {"status": answer.status, "rule": "", "text": answer.read(200).decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "rule": error.headers.get("x-zaum-rule", ""), "text": ""}
    except OSError as error:
        return {"status": 0, "rule": "", "text": str(error)}
while True:
    for name in sys.argv[1].split(","):
        route, _, path = name.partition("/")
        base = os.environ[route.upper().replace("-", "_") + "_BASE_URL"]
        print(json.dumps({"route": route} | ask(base + "/" + path)), flush=True)
    time.sleep(1)
"""
SERVE = f"import http.server as h; h.test(h.SimpleHTTPRequestHandler, h.ThreadingHTTPServer, port={PORT}, bind='::')"


def start(agents: Agents, name: str, asked: str, routes: list[Object]) -> Object:
    """Start an agent that asks its routes again and again."""
    files = agents.files(name, main_py=ASK)
    command = ["python3", "-u", f"{FILES}/main.py", asked]
    spec = {"egress": {"routes": routes}, "runaway": {"denied": {"enabled": False}}}
    agents.api.apply("agentpolicies", agents.policy(name, command=command, files=files, **spec))
    return agents.running(name)


def heard(agents: Agents, pod: Object, holds: Callable[[Object], bool], *, seconds: float = READY_SECONDS) -> Object:
    """Wait for an answer that the agent got."""
    last: Object = {}
    for line in agents.lines(pod, seconds=seconds):
        last = line
        if holds(line):
            return line
    raise AssertionError(f"no such answer within {seconds} s; the last one was {last}")


def upstream(name: str, secret: str) -> Object:
    return {
        "name": name,
        "upstream": f"https://{addresses.API_NAME}",
        "credential": {"secretKeyRef": {"name": secret, "key": "key"}},
        "allow": [{"methods": ["GET"], "path": "/v1/*"}],
    }


def secret(api: Api, namespace: str, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": "a-key-for-this-test"}}
    api.apply("secrets", body | {"metadata": {"name": name, "namespace": namespace}})


@pytest.mark.world
def test_a_missing_secret_closes_its_route_alone_and_opens_it_when_it_comes(
    agents: Agents, api: Api, namespace: str
) -> None:
    secret(api, namespace, "there")
    pod = start(agents, "two", "one/v1/items,other/v1/items", [upstream("one", "there"), upstream("other", "later")])
    assert heard(agents, pod, lambda line: line["route"] == "one" and line["status"] == 200)
    closed = heard(agents, pod, lambda line: line["route"] == "other")
    assert (closed["status"], closed["rule"]) == (503, contract.Rule.ROUTE_CREDENTIAL.value)

    def said(policy: Object) -> bool:
        found = condition(policy, "Degraded")
        return (
            found.get("reason") == "CredentialMissing" and "other" in found["message"] and "later" in found["message"]
        )

    api.until("agentpolicies", namespace, "two", said, seconds=READY_SECONDS, what="Degraded names route and Secret")
    secret(api, namespace, "later")
    heard(agents, pod, lambda line: line["route"] == "other" and line["status"] == 200, seconds=KUBELET_SECONDS)
    api.until(
        "agentpolicies", namespace, "two", lambda seen: condition(seen, "Degraded").get("status") == "False",
        seconds=READY_SECONDS, what="nothing is degraded any more",
    )  # fmt: skip
    assert api.get("pods", namespace, pod["metadata"]["name"])["metadata"]["uid"] == pod["metadata"]["uid"]


@pytest.fixture
def granted(api: Api, namespace: str, free: Agents) -> Iterator[str]:
    """A Service in another namespace, and a ceiling that grants it to the test's; give the Service's namespace."""
    files = free.files("web")
    body = free_pod(free.namespace, "web", image=free.image, command=["python3", "-c", SERVE], files=files)
    body["metadata"]["labels"] = {"app": "web"}
    api.apply("pods", body)
    api.until("pods", free.namespace, "web", agent_started, seconds=READY_SECONDS, what="the Service's pod")
    ports = [{"port": 80, "targetPort": PORT}]
    for name in ("web", "secluded"):
        api.apply("services", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": free.namespace},
            "spec": {"selector": {"app": "web"}, "ports": ports},
        })  # fmt: skip
    ceiling = {
        "apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING, "metadata": {"name": namespace},
        "spec": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "services": [{"namespace": free.namespace, "name": "web"}],
        },
    }  # fmt: skip
    api.apply("agentceilings", ceiling)
    yield free.namespace
    api.delete("agentceilings", "", namespace)


def test_a_granted_service_is_reached_by_its_route_and_no_other_one(agents: Agents, api: Api, granted: str) -> None:
    routes = [
        {
            "name": name,
            "serviceRef": {"name": name, "namespace": granted, "port": 80},
            "allow": [{"methods": ["GET"], "path": "/*"}],
        }
        for name in ("web", "secluded")
    ]
    pod = start(agents, "searcher", "web/,secluded/", routes)
    reached = heard(agents, pod, lambda line: line["route"] == "web" and line["status"] == 200)
    assert "Directory listing" in reached["text"]
    closed = heard(agents, pod, lambda line: line["route"] == "secluded")
    assert closed["status"] >= 400
    assert closed["rule"]
    assert "secluded" in json.dumps(condition(api.get("agentpolicies", agents.namespace, "searcher"), "Degraded"))
