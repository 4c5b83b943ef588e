"""The lives that the API offers, on a real cluster: a Task to its outcome, a lifetime, a token, a door, a ceiling."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from tests.support.e2e.agents import RESTRICTED, Agents, free_pod
from tests.support.e2e.api import Api, Object, condition
from zaum_api import contract

SUCCEEDS = "print('{\"done\": true}')"
FAILS = "raise SystemExit(3)"
SERVES = """
import http.server
print('{"serving": true}', flush=True)
http.server.ThreadingHTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
SHOWS_ITS_TOKENS = """
import base64, json, os, pathlib, time
path = os.environ["ZAUM_IDENTITY_TOKEN_FILE"]
part = pathlib.Path(path).read_text().split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
paths = ("/var/run/zaum/token", "/var/run/secrets/kubernetes.io/serviceaccount/token")
others = [path for path in paths if os.path.exists(path)]
print(json.dumps({"aud": claims["aud"], "life": claims["exp"] - claims["iat"],
                  "pod": claims["kubernetes.io"]["pod"]["name"], "others": others}), flush=True)
time.sleep(600)
"""
AUDIENCE = "https://tools.example"


@pytest.fixture(scope="module", autouse=True)
def mayfly(api: Api, images: dict[str, str], world_ca: str) -> Iterator[tuple[Agents, Object]]:
    """A service of the shortest life that there is, a minute: it passes while the other tests here run."""
    name = f"t-mayfly-{uuid.uuid4().hex[:5]}"
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    agents = Agents(api, name, image=images["demo-agent"], world_ca=world_ca)
    yield agents, agents.run("mayfly", "import time; time.sleep(600)", lifetime={"max": "1m"})
    api.delete("namespaces", "", name)


def settled(kind: str, status: str) -> Callable[[Object], bool]:
    return lambda policy: condition(policy, kind).get("status") == status


def run_task(agents: Agents, program: str, status: str) -> Object:
    """Run a program as a Task; give the policy once its outcome has this status."""
    files = agents.files("task", main_py=program)
    task = {"type": "Task", "command": ["python3", "-u", "/files/main.py"]}
    agents.api.apply("agentpolicies", agents.policy("task", files=files, agent=task))
    return agents.api.until(
        "agentpolicies", agents.namespace, "task", settled("Succeeded", status), seconds=90, what=f"Succeeded={status}"
    )


def test_a_task_that_ends_well_has_succeeded_and_is_not_run_again(agents: Agents) -> None:
    policy = run_task(agents, SUCCEEDS, "True")
    assert condition(policy, "Succeeded")["reason"] == "TaskSucceeded"
    assert condition(policy, "Ready")["reason"] == "TaskEnded"
    (pod,) = agents.api.items("pods", agents.namespace)
    assert pod["status"]["phase"] == "Succeeded"


def test_a_task_that_fails_has_failed_and_is_not_run_again(agents: Agents) -> None:
    policy = run_task(agents, FAILS, "False")
    assert condition(policy, "Succeeded")["reason"] == "TaskFailed"
    assert "exit code 3" in condition(policy, "Succeeded")["message"]
    assert len(agents.api.items("pods", agents.namespace)) == 1


def test_i03_the_agent_holds_the_token_that_is_named_bound_to_its_pod_and_no_other(agents: Agents) -> None:
    token = {"audience": AUDIENCE, "lifetime": "20m"}
    pod = agents.run("clerk", SHOWS_ITS_TOKENS, identity={"token": token})
    shown = next(agents.lines(pod))
    assert shown["aud"] == [AUDIENCE]
    assert shown["pod"] == pod["metadata"]["name"]
    assert abs(shown["life"] - 1200) <= 60
    assert shown["others"] == []
    assert condition(agents.ready("clerk"), "IdentityBound")["reason"] == "TokenBound"


def visitor(agents: Agents, name: str, address: str, labels: dict[str, str]) -> Object:
    """Knock at the agent's Service from an ordinary pod with these labels; give what came of it."""
    attempt = {"probe": "tcp", "address": address, "port": 8080}
    command = ["python3", "-u", "/files/probe.py", json.dumps([attempt]), "--stay"]
    body = free_pod(agents.namespace, name, image=agents.image, command=command, files=agents.files(name))
    agents.api.apply("pods", body | {"metadata": body["metadata"] | {"labels": labels}})
    pod = agents.api.until(
        "pods", agents.namespace, name, lambda seen: seen["status"].get("phase") == "Running", seconds=60, what=name
    )
    return agents.outcomes(pod, 1)[0]


def test_a_door_is_open_to_whom_it_names_and_shut_to_others(agents: Agents) -> None:
    door = {"port": 8080, "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}
    agents.run("helpdesk", SERVES, ingress=[door])
    agents.ready("helpdesk")
    service = agents.api.get("services", agents.namespace, contract.child_name("helpdesk"))
    address = service["spec"]["clusterIP"]
    assert visitor(agents, "web", address, {"app": "web"})["outcome"] == "open", "the control"
    assert visitor(agents, "stranger", address, {"app": "other"})["outcome"] != "open"
    agents.api.merge("agentpolicies", agents.namespace, "helpdesk", {"spec": {"ingress": None}})
    agents.api.until_gone("services", agents.namespace, contract.child_name("helpdesk"), seconds=60)


@pytest.fixture
def strict(api: Api, namespace: str) -> Iterator[Object]:
    """A ceiling for the test's namespace alone, under which no image of the tests may run. Not applied yet."""
    name = namespace[:50].strip("-")
    labels = {"kubernetes.io/metadata.name": namespace}
    spec = {"namespaceSelector": {"matchLabels": labels}, "images": {"registries": ["nowhere.example/"]}}
    yield {"apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING, "metadata": {"name": name}, "spec": spec}
    api.delete(contract.PLURAL_CEILING, "", name)


def test_i01_a_ceiling_takes_down_what_it_forbids_and_lets_it_run_again(agents: Agents, strict: Object) -> None:
    pod = agents.run("guest", "import time; time.sleep(600)")
    agents.ready("guest")
    agents.api.apply(contract.PLURAL_CEILING, strict)
    agents.ready("guest", status="False", reason="CeilingExceeded", seconds=60)
    agents.api.until_gone("pods", agents.namespace, pod["metadata"]["name"], seconds=60)
    agents.api.delete(contract.PLURAL_CEILING, "", strict["metadata"]["name"])
    agents.ready("guest")


def test_a_service_gets_a_new_pod_when_its_life_is_over(mayfly: tuple[Agents, Object]) -> None:
    agents, pod = mayfly
    first = pod["metadata"]["name"]
    assert pod["spec"]["activeDeadlineSeconds"] == 60
    label = f"{contract.LABEL_POLICY}=mayfly"
    second = agents.api.until_any(
        "pods", agents.namespace, label, lambda seen: seen["metadata"]["name"] != first, seconds=100, what="a new pod"
    )
    lived = datetime.fromisoformat(second["metadata"]["creationTimestamp"]) - datetime.fromisoformat(
        pod["metadata"]["creationTimestamp"]
    )
    assert lived >= timedelta(seconds=60), "nothing else ended it before"
    assert second["metadata"]["annotations"][contract.ANNOTATION_FAILURES] == "0", "it is no failure"
