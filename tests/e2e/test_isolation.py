"""I01-I05: what an agent can reach, hold and see on a real cluster, each refusal beside its positive control."""

import ipaddress
import json

import pytest

from tests.cluster import addresses
from tests.support.e2e import attempts, install
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object, RefusedError, condition
from tests.support.e2e.world import World, pod_addresses
from zaum_api import contract

HOSTS = {"hosts": [{"host": addresses.WEBSITE_NAME}, {"host": addresses.LLM_NAME}, {"host": addresses.INWARD_NAME}]}

LOOK_AROUND = """
import json, os, pathlib, socket
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
found = []
for folder in ("/var/run/secrets", "/run/secrets", "/var/run/zaum", "/etc/zaum"):
    found += [str(path) for path in pathlib.Path(folder).rglob("*")] if os.path.exists(folder) else []
watchdogs, readable = [], []
for process in pathlib.Path("/proc").iterdir():
    if not process.name.isdigit():
        continue
    uid = process.stat().st_uid
    if uid != os.getuid():
        watchdogs.append(uid)
        for secret in ("environ", "root/var/run/zaum/token", "mem", "fd"):
            try:
                target = process / secret
                list(target.iterdir()) if secret == "fd" else target.open("rb").read(1)
                readable.append(str(target))
            except OSError:
                pass
def writable(path):
    try:
        with open(path + "/.probe", "w") as opened:
            opened.write("x")
        return True
    except OSError:
        return False
def resolves(name):
    try:
        return socket.getaddrinfo(name, 443)[0][4][0]
    except OSError as error:
        return None
print(json.dumps({
    "uid": os.getuid(), "caps": status["CapEff"].strip(), "nnp": status["NoNewPrivs"].strip(), "files": found,
    "others": sorted(set(watchdogs)), "readable": readable, "resolves": resolves("docs.example.com"),
    "writable": [path for path in ("/", "/etc", "/usr", "/var", "/workspace", "/tmp") if writable(path)],
    "environment": sorted(key for key in os.environ if "TOKEN" in key or "SECRET" in key),
}))
import time
time.sleep(3600)
"""


def rules(outcomes: list[Object]) -> list[str]:
    return [str(outcome["rule"]) for outcome in outcomes]


@pytest.mark.world
def test_i01_a_policy_that_names_nothing_is_a_locked_agent(agents: Agents, world: World) -> None:
    mark = world.mark()
    pod, outcomes = agents.probes(
        "locked", [attempts.tunnel(addresses.WEBSITE_NAME), attempts.tunnel(addresses.LLM_NAME)]
    )
    assert rules(outcomes) == [contract.Rule.HOST_NOT_NAMED.value] * 2
    assert world.seen_from(pod_addresses(pod), mark) == []
    policy = agents.ready("locked")
    values = {item["field"]: (item["value"], item["source"]) for item in policy["status"]["effective"]["fields"]}
    assert policy["status"]["effective"]["hosts"] == []
    assert values["limits.requests.perMinute"] == ("60", "Default")
    assert values["limits.connections"] == ("32", "Default")


@pytest.mark.world
def test_a_named_host_is_reached_and_only_that(agents: Agents) -> None:
    wanted = [
        attempts.tunnel(addresses.WEBSITE_NAME),
        attempts.tunnel(addresses.LLM_NAME),
        attempts.tunnel(addresses.OUTLAW_NAME),
        attempts.tunnel(addresses.WEBSITE_NAME, port=8443),
    ]
    _, outcomes = agents.probes("named", wanted, egress=HOSTS)
    assert [attempts.passed(outcome) for outcome in outcomes] == [True, True, False, False], outcomes
    assert rules(outcomes)[2:] == [contract.Rule.HOST_NOT_NAMED.value, contract.Rule.PORT_NOT_NAMED.value]


def test_i02_the_guard_stands_before_the_first_pod_and_goes_after_the_last(agents: Agents, api: Api) -> None:
    agents.api.apply("agentpolicies", agents.policy("only", command=["python3", "-c", "import time; time.sleep(3600)"]))
    pod = agents.running("only")
    guard = api.get("networkpolicies", agents.namespace, contract.GUARD_NAME)
    assert guard["spec"] == {
        "podSelector": {"matchLabels": {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE}},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert not guard["metadata"].get("ownerReferences")
    assert guard["metadata"]["creationTimestamp"] <= pod["metadata"]["creationTimestamp"]
    api.delete("agentpolicies", agents.namespace, "only")
    api.until_gone("networkpolicies", agents.namespace, contract.GUARD_NAME, seconds=60)
    assert api.items("pods", agents.namespace, labels=f"{contract.LABEL_AGENT}=true") == []


def widening(namespace: str, name: str) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
    }  # fmt: skip


def test_i02_a_networkpolicy_that_was_there_before_keeps_pods_from_starting(agents: Agents, api: Api) -> None:
    api.apply("networkpolicies", widening(agents.namespace, "open-all"))
    agents.api.apply("agentpolicies", agents.policy("late", command=["sleep", "3600"]))

    def named(policy: Object) -> bool:
        found = condition(policy, "EgressExact")
        return found.get("status") == "False" and "open-all" in found.get("message", "")

    api.until("agentpolicies", agents.namespace, "late", named, seconds=60, what="EgressExact names the other policy")
    assert api.items("pods", agents.namespace, labels=f"{contract.LABEL_AGENT}=true") == []
    api.delete("networkpolicies", agents.namespace, "open-all")
    assert agents.running("late", seconds=60)


def test_i02_a_widening_networkpolicy_is_refused_where_the_guard_stands(agents: Agents, api: Api) -> None:
    api.apply("networkpolicies", widening(agents.namespace, "before"), dry_run=True)
    agents.api.apply("agentpolicies", agents.policy("guarded", command=["sleep", "3600"]))
    agents.running("guarded")
    with pytest.raises(RefusedError, match=contract.LABEL_AGENT):
        api.apply("networkpolicies", widening(agents.namespace, "after"))
    excluding = widening(agents.namespace, "after")
    excluding["spec"]["podSelector"] = {"matchExpressions": [{"key": contract.LABEL_AGENT, "operator": "DoesNotExist"}]}
    api.apply("networkpolicies", excluding)


def test_i03_the_agent_holds_nothing(agents: Agents) -> None:
    pod = agents.run("bare", LOOK_AROUND)
    seen = next(agents.lines(pod))
    assert seen["uid"] == contract.AGENT_UID
    assert int(seen["caps"], 16) == 0
    assert seen["nnp"] == "1"
    assert seen["files"] == []
    assert contract.WATCHDOG_UID in seen["others"], "the control: the watchdog's process is visible"
    assert seen["readable"] == []
    assert seen["resolves"] is None
    assert seen["writable"] == ["/workspace", "/tmp"]
    assert seen["environment"] == []


@pytest.mark.world
def test_i04_no_direct_way_leads_out_of_the_pod(agents: Agents, free: Agents, world: World) -> None:
    wanted = attempts.everywhere()
    controls = free.free_pod("everywhere", wanted)
    broken = [attempt for attempt, control in zip(wanted, controls, strict=True) if not attempts.passed(control)]
    assert broken == [], "a control that fails proves nothing"
    mark = world.mark()
    pod, outcomes = agents.probes("direct", wanted, together=True, egress=HOSTS)
    assert [outcome for outcome in outcomes if attempts.passed(outcome)] == []
    assert world.seen_from(pod_addresses(pod), mark) == []


@pytest.mark.world
def test_i04_neighbours_cannot_reach_an_agent_and_it_cannot_reach_them(agents: Agents, free: Agents) -> None:
    pod = agents.run("island", "import time; time.sleep(3600)")
    inward = free.free_pod("inward", [attempts.dial(sorted(pod_addresses(pod))[0], contract.PROBE_PORT)])
    assert not attempts.passed(inward[0])
    neighbour = free.api.get("pods", free.namespace, "free-inward")
    _, outward = agents.probes("outward", [attempts.dial(ip, 80) for ip in sorted(pod_addresses(neighbour))])
    assert not any(attempts.passed(outcome) for outcome in outward)


KNOCK = """
import json, os, socket, ssl, time
address = os.environ["GATEWAY"]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
def knock(header):
    with socket.create_connection((address, %(port)d), timeout=5) as plain, context.wrap_socket(plain) as tls:
        tls.settimeout(5)
        tls.sendall(b"CONNECT docs.example.com:443 HTTP/1.1\\r\\nHost: docs.example.com:443\\r\\n" + header + b"\\r\\n")
        answer = tls.recv(65536).decode(errors="replace")
    head = answer.partition("\\r\\n\\r\\n")[0]
    rule = [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("x-zaum-rule:")]
    return {"status": int(answer.split()[1]), "rule": rule[0] if rule else None}
print(json.dumps(knock(%(header)r)), flush=True)
time.sleep(3600)
"""


@pytest.mark.world
def test_i04_the_gateway_refuses_whoever_comes_without_the_watchdogs_token(agents: Agents, api: Api) -> None:
    service = api.get("services", "zaum-system", contract.GATEWAY_SERVICE)
    missing, invalid = (407, contract.Rule.TOKEN_MISSING.value), (403, contract.Rule.TOKEN_INVALID.value)
    wanted = {
        "nothing": (b"", missing),
        "wrong": (b"Proxy-Authorization: Bearer x.y.z\r\n", invalid),
        "forged": (b"X-Forwarded-For: 10.244.0.1\r\nX-Zaum-Pod: 1\r\n", missing),
    }
    for name, (header, _) in wanted.items():  # One each: whoever knocks is cut off, and ended soon.
        files = agents.files(name, main_py=KNOCK % {"port": contract.GATEWAY_PORT, "header": header})
        policy = agents.policy(name, command=["python3", "-u", "/files/main.py"], files=files, egress=HOSTS)
        policy["spec"]["agent"]["env"].append({"name": "GATEWAY", "value": service["spec"]["clusterIP"]})
        agents.api.apply("agentpolicies", policy)
    for name, (_, answer) in wanted.items():
        (outcome,) = agents.outcomes(agents.running(name), 1)
        assert (outcome["status"], outcome["rule"]) == answer, name


@pytest.mark.world
def test_i05_an_allowed_name_that_resolves_inward_reaches_nothing(agents: Agents, free: Agents) -> None:
    control = free.free_pod("inward", [attempts.dial(addresses.NODE_IPV4, addresses.API_PORT)])
    assert attempts.passed(control[0])
    inward = {
        "hosts": [{"host": addresses.INWARD_NAME, "ports": [addresses.API_PORT]}, {"host": addresses.WEBSITE_NAME}]
    }
    wanted = [attempts.tunnel(addresses.INWARD_NAME, port=addresses.API_PORT), attempts.tunnel(addresses.WEBSITE_NAME)]
    _, (inside, outside) = agents.probes("inward", wanted, egress=inward)
    # By the CONNECT's own answer: what is behind that address would not pass for a website inside the tunnel either.
    assert (inside["outcome"], inside["rule"]) == ("403", contract.Rule.UPSTREAM_ADDRESS.value), inside
    assert (outside["outcome"], attempts.passed(outside)) == ("200", True), outside


@pytest.mark.world
def test_i05_what_holds_the_gateway_lets_it_reach_no_address_inside(free: Agents, api: Api) -> None:
    """From a pod under a copy of the gateway's NetworkPolicy: Envoy itself never gets as far as dialling there."""
    dials = [
        attempts.dial(addresses.NODE_IPV4, addresses.API_PORT),
        attempts.dial(addresses.NODE_IPV6, addresses.API_PORT),
        attempts.dial(addresses.WEBSITE_IPV4, 443),
    ]
    assert [attempts.passed(each) for each in free.free_pod("unheld", dials)] == [True] * 3
    held = api.get("networkpolicies", install.NAMESPACE, "zaum-gateway")["spec"]
    api.apply(
        "networkpolicies",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "as-the-gateway", "namespace": free.namespace},
            "spec": {**held, "podSelector": {}},
        },
    )
    assert [attempts.passed(each) for each in free.free_pod("held", dials)] == [False, False, True]


@pytest.mark.parametrize(
    "host", ["198.51.100.10", "0x7f.1", "localhost", "kubernetes.default.svc", "gateway", "a.b.cluster.local", "*"]
)
def test_i05_a_host_that_is_no_public_name_is_refused_with_the_field(agents: Agents, api: Api, host: str) -> None:
    api.apply("agentpolicies", agents.policy("good", egress={"hosts": [{"host": "docs.example.com"}]}), dry_run=True)
    with pytest.raises(RefusedError, match="host") as refused:
        api.apply("agentpolicies", agents.policy("bad", egress={"hosts": [{"host": host}]}), dry_run=True)
    assert refused.value.status == 422


@pytest.mark.alone
@pytest.mark.world
def test_i06_another_sni_than_the_host_is_reset(agents: Agents, world: World) -> None:
    mark = world.mark()
    wanted = [
        attempts.tunnel(addresses.WEBSITE_NAME),
        attempts.tunnel(addresses.WEBSITE_NAME, sni=addresses.OUTLAW_NAME),
        attempts.tunnel(addresses.WEBSITE_NAME, sni=None),
    ]
    _, outcomes = agents.probes("fronting", wanted, egress=HOSTS)
    assert [attempts.passed(outcome) for outcome in outcomes] == [True, False, False], outcomes
    served = [record for record in world.since(mark) if record["service"] == "website" and "GET" in json.dumps(record)]
    assert len(served) == 1


@pytest.mark.world
def test_i12_one_policys_hosts_are_not_anothers(agents: Agents, free: Agents) -> None:
    wanted = [attempts.tunnel(addresses.WEBSITE_NAME), attempts.tunnel(addresses.LLM_NAME)]
    _, first = agents.probes("same", wanted, egress={"hosts": [{"host": addresses.WEBSITE_NAME}]})
    _, beside = agents.probes("beside", wanted, egress={"hosts": [{"host": addresses.LLM_NAME}]})
    _, elsewhere = free.probes("same", wanted, egress={"hosts": [{"host": addresses.LLM_NAME}]})
    assert [attempts.passed(outcome) for outcome in first] == [True, False], first
    assert [attempts.passed(outcome) for outcome in beside] == [False, True], beside
    assert [attempts.passed(outcome) for outcome in elsewhere] == [False, True], elsewhere


def test_every_pod_address_lies_in_the_ranges_that_the_gateway_refuses(agents: Agents) -> None:
    pod = agents.run("where", "import time; time.sleep(3600)")
    assert all(ipaddress.ip_address(ip).is_private for ip in pod_addresses(pod))
