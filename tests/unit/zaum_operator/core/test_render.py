"""What the operator writes: golden files for the whole, and the sentences that must hold for every policy."""

from typing import Any

import pytest
import yaml

from tests.support import rendered, specs
from zaum_api import contract, documents, reading
from zaum_operator.core.kinds import Object

POLICIES = rendered.policies()


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [item for item in objects if item["kind"] == kind]


def pod(spec: dict[str, Any]) -> Object:
    return of_kind(rendered.objects(specs.Case("", spec).manifest()), "Pod")[0]


def containers(one: Object) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in one["spec"]["initContainers"] + one["spec"]["containers"]}


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_objects_are_those_of_the_golden_file(name: str) -> None:
    golden = (rendered.GOLDEN / f"{name}.yaml").read_text()
    assert rendered.text(POLICIES[name]) == golden, "run `python -m tests.support.rendered` and read the diff"


def test_each_object_is_fresh() -> None:
    seen: dict[int, str] = {}

    def walk(value: Any, place: str) -> None:
        if isinstance(value, dict | list) and value:
            assert id(value) not in seen, f"{place} shares an object with {seen.get(id(value))}"
            seen[id(value)] = place
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                walk(item, f"{place}.{key}")

    policy = POLICIES["everything"]
    for item in (once := rendered.objects(policy)) + (again := rendered.objects(policy)):
        walk(item, f"{item['kind']} {item['metadata']['name']}")
    assert once == again


GOOD_PODS = [pod for case in specs.GOOD for pod in of_kind(rendered.objects(case.manifest()), "Pod")[:1]]


@pytest.mark.parametrize("one", GOOD_PODS, ids=range(len(GOOD_PODS)))
def test_i03_no_agent_container_holds_anything_worth_stealing(one: Object) -> None:
    spec, agent = one["spec"], containers(one)[contract.CONTAINER_AGENT]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounted = [volumes[mount["name"]] for mount in agent["volumeMounts"]]
    assert spec["automountServiceAccountToken"] is False
    tokens = [volume for volume in mounted if "projected" in volume]
    others = {key for volume in mounted if volume not in tokens for key in volume}
    assert others <= {"name", "emptyDir", "configMap", "persistentVolumeClaim"}
    for volume in tokens:
        (source,) = volume["projected"]["sources"]
        assert set(source) == {"serviceAccountToken"}
        assert not source["serviceAccountToken"]["audience"].startswith("zaum")
    assert not [item for item in agent["env"] if "valueFrom" in item]
    assert spec["dnsPolicy"] == "None"
    assert spec["dnsConfig"] == {"nameservers": ["127.0.0.1"]}


@pytest.mark.parametrize("one", GOOD_PODS, ids=range(len(GOOD_PODS)))
def test_i03_every_container_is_as_restricted_as_pod_security_asks(one: Object) -> None:
    uids = set()
    for container in containers(one).values():
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        uids.add(context["runAsUser"])
    assert uids == {contract.AGENT_UID, contract.WATCHDOG_UID}
    assert one["spec"]["shareProcessNamespace"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(one["spec"])


def test_i04_the_token_is_mounted_into_the_watchdog_alone() -> None:
    one = pod(rendered.everything())
    holders = [
        name
        for name, container in containers(one).items()
        if any(mount["mountPath"] == contract.TOKEN_DIR for mount in container["volumeMounts"])
    ]
    assert holders == [contract.CONTAINER_WATCHDOG]
    sources = next(v["projected"]["sources"] for v in one["spec"]["volumes"] if v["name"] == "zaum-token")
    token = {"audience": "zaum-egress", "expirationSeconds": 600, "path": "token"}
    ledger = {"audience": "zaum-ledger", "expirationSeconds": 600, "path": "ledger-token"}
    assert sources == [{"serviceAccountToken": token}, {"serviceAccountToken": ledger}]


def test_i04_the_policys_network_policy_lets_pods_reach_gateway_pods_and_nothing_else() -> None:
    network = of_kind(rendered.objects(POLICIES["researcher"]), "NetworkPolicy")[1]
    assert network["spec"]["policyTypes"] == ["Egress"], "without ingress it says nothing about who may come in"
    (rule,) = network["spec"]["egress"]
    (peer,) = rule["to"]
    assert peer == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "zaum-system"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "zaum", "app.kubernetes.io/component": "gateway"}},
    }
    assert rule["ports"] == [{"protocol": "TCP", "port": contract.GATEWAY_PORT}]


def test_i08_the_policys_network_policy_lets_go_of_a_pod_that_is_cut_off() -> None:
    network = of_kind(rendered.objects(POLICIES["everything"]), "NetworkPolicy")[1]
    one = pod(rendered.everything())
    selector = network["spec"]["podSelector"]
    assert selector["matchLabels"].items() <= one["metadata"]["labels"].items(), "the control: it holds a healthy pod"
    assert {"key": contract.LABEL_QUARANTINED, "operator": "DoesNotExist"} in selector.get("matchExpressions", [])


def test_i02_the_guard_denies_both_ways_and_is_the_same_for_every_policy() -> None:
    guards = [rendered.objects(policy)[0] for policy in POLICIES.values()]
    assert all(guard == guards[0] for guard in guards)
    assert guards[0]["metadata"]["name"] == contract.GUARD_NAME
    assert "ownerReferences" not in guards[0]["metadata"]
    assert guards[0]["spec"] == {
        "podSelector": {"matchLabels": {"zaum.dev/agent": "true"}},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_i08_the_agents_probes_ask_the_watchdog_and_kill_fast() -> None:
    agent = containers(pod(specs.agent()))[contract.CONTAINER_AGENT]
    live, ready = agent["livenessProbe"], agent["readinessProbe"]
    assert live["httpGet"] == {"path": "/agent/live", "port": 15020, "scheme": "HTTP"}
    assert (live["periodSeconds"], live["timeoutSeconds"], live["failureThreshold"]) == (1, 3, 2)
    assert live["terminationGracePeriodSeconds"] == 1
    assert ready["httpGet"]["path"] == "/agent/ready"


def test_i08_an_agent_that_is_deaf_to_sigterm_has_no_longer_than_a_kubelet_gives_at_least() -> None:
    assert pod(specs.agent())["spec"]["terminationGracePeriodSeconds"] == 2


def test_i01_the_watchdogs_document_is_one_that_the_watchdog_reads() -> None:
    for policy in POLICIES.values():
        (config,) = of_kind(rendered.objects(policy), "ConfigMap")
        raw = {version: config["data"][key].encode() for version, key in contract.CONFIG_KEYS.items()}
        for version, text in raw.items():
            assert documents.WatchdogConfig.parse(text).dump(version) == text
        for one in of_kind(rendered.objects(policy), "Pod"):
            annotations = one["metadata"]["annotations"]
            version = annotations[contract.ANNOTATION_CONFIG_VERSION]
            assert annotations[contract.ANNOTATION_CONFIG_DIGEST] == reading.digest(raw[version])


def test_i15_the_credentials_of_routes_are_mounted_into_the_watchdog_alone_and_keep_no_pod_waiting() -> None:
    one = pod(rendered.everything())
    holders = [
        name
        for name, container in containers(one).items()
        if any(mount["name"] == "zaum-credentials" for mount in container["volumeMounts"])
    ]
    assert holders == [contract.CONTAINER_WATCHDOG]
    (sources,) = (v["projected"]["sources"] for v in one["spec"]["volumes"] if v["name"] == "zaum-credentials")
    assert [source["secret"]["name"] for source in sources] == ["other", "model"]
    assert all(source["secret"]["optional"] is True for source in sources)
    file = contract.credential_file("model", "api-key")
    assert sources[1]["secret"]["items"] == [{"key": "api-key", "path": f"open-ai/{file}"}]
    assert not [
        mount
        for mount in containers(pod(specs.routed(specs.route())))[contract.CONTAINER_WATCHDOG]["volumeMounts"]
        if mount["mountPath"] == contract.CREDENTIALS_DIR
    ], "without a credential there is no volume"


def test_the_agent_finds_its_routes_and_the_author_may_name_another_provider() -> None:
    def env(spec: dict[str, Any]) -> dict[str, str]:
        agent = containers(pod(spec))[contract.CONTAINER_AGENT]
        return {item["name"]: item["value"] for item in agent["env"]}

    routes = specs.routed(specs.route("a-b", api="OpenAI"), specs.route("later", api="OpenAI"))
    found = env(routes)
    assert found["A_B_BASE_URL"] == found["OPENAI_BASE_URL"] == "http://127.0.0.1:15002/a-b"
    assert found["LATER_BASE_URL"] == "http://127.0.0.1:15002/later"
    assert found["OPENAI_API_KEY"] == contract.PLACEHOLDER_KEY
    own = specs.agent(env=[{"name": "OPENAI_BASE_URL", "value": "https://llm.example.com"}])
    theirs = env(own | {"egress": routes["egress"]})
    assert theirs["OPENAI_BASE_URL"] == "https://llm.example.com"
    assert theirs["A_B_BASE_URL"] == "http://127.0.0.1:15002/a-b"


def test_a_pod_is_replaced_for_its_mounts_and_variables_and_not_for_what_a_route_lets_through() -> None:
    def digest(**fields: Any) -> str:
        spec = specs.routed(specs.route(**fields))
        found: str = pod(spec)["metadata"]["annotations"][contract.ANNOTATION_TEMPLATE]
        return found

    key = {"secretKeyRef": {"name": "model", "key": "api-key"}}
    bare = digest()
    assert bare == digest(allow=[{"methods": ["GET"], "path": "/*"}]) == digest(upstream="https://b.example.com")
    others = {
        digest(name="b"),
        digest(api="OpenAI"),
        digest(credential=key),
        digest(credential={"secretKeyRef": {**key["secretKeyRef"], "key": "b"}}),
    }
    assert len(others) == 4
    assert bare not in others
    assert digest(credential=key) == digest(credential={**key, "header": "x-api-key"})


def test_the_watchdog_alone_knows_its_nodes_addresses() -> None:
    one = containers(pod(specs.agent()))
    said = [{"name": contract.ENV_NODE_ADDRESSES, "valueFrom": {"fieldRef": {"fieldPath": "status.hostIPs"}}}]
    path = {"fieldPath": f"metadata.labels['{contract.LABEL_ORDINAL}']"}
    said.append({"name": contract.ENV_ORDINAL, "valueFrom": {"fieldRef": path}})
    assert one[contract.CONTAINER_WATCHDOG]["env"] == said
    assert contract.ENV_NODE_ADDRESSES not in {item["name"] for item in one[contract.CONTAINER_AGENT]["env"]}


def test_i15_a_secret_is_named_for_the_kubelet_to_pull_with_and_for_nothing_else() -> None:
    for policy in POLICIES.values():
        for item in rendered.objects(policy):
            if item["kind"] == "Pod":
                item["spec"].pop("imagePullSecrets", None)
                credentials = [v for v in item["spec"]["volumes"] if v["name"] == "zaum-credentials"]
                item["spec"]["volumes"] = [v for v in item["spec"]["volumes"] if v not in credentials]
                assert bool(credentials) == ("credential" in str(policy["spec"]))
                own = next((v for v in item["spec"]["volumes"] if v["name"] == "zaum-identity"), None)
                text = yaml.safe_dump(item).replace(contract.IDENTITY_TOKEN_DIR, "")
                assert (own is None) == ("identity" not in policy["spec"])
            else:
                text = yaml.safe_dump(item)
            assert "secret" not in text.lower()


def test_i12_the_quota_is_exactly_what_the_pods_ask_for() -> None:
    objects = rendered.objects(POLICIES["researcher"])
    (quota,), (one,) = of_kind(objects, "ResourceQuota"), of_kind(objects, "Pod")
    limits = [container["resources"]["limits"] for container in containers(one).values()]
    assert [limit["cpu"] for limit in limits] == ["500m", "500m"]
    assert quota["spec"]["hard"]["limits.cpu"] == "1"
    assert quota["spec"]["hard"]["pods"] == "1"
    assert quota["spec"]["scopeSelector"]["matchExpressions"][0]["values"] == [one["spec"]["priorityClassName"]]


def test_memory_requests_equal_limits_and_cpu_requests_are_modest() -> None:
    for container in containers(pod(specs.agent(resources={"cpu": "2"}))).values():
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert {k: v for k, v in requests.items() if k != "cpu"} == {k: v for k, v in limits.items() if k != "cpu"}
    agent = containers(pod(specs.agent(resources={"cpu": "2"})))[contract.CONTAINER_AGENT]
    assert (agent["resources"]["requests"]["cpu"], agent["resources"]["limits"]["cpu"]) == ("200m", "2")


def test_home_is_the_workspace_and_ours_beat_theirs() -> None:
    agent = containers(pod(specs.agent(workspace={"mountPath": "/data"})))[contract.CONTAINER_AGENT]
    env = {item["name"]: item["value"] for item in agent["env"]}
    assert env["HOME"] == "/data"
    assert env["https_proxy"] == "http://127.0.0.1:15001"


def test_the_template_digest_ignores_what_the_config_carries() -> None:
    digests = {
        pod(spec)["metadata"]["annotations"][contract.ANNOTATION_TEMPLATE]
        for spec in (specs.agent(), specs.hosts("docs.example.com"), specs.limits(requests={"perMinute": 1}))
    }
    assert len(digests) == 1
    other = pod(specs.agent(command=["x"]))["metadata"]["annotations"][contract.ANNOTATION_TEMPLATE]
    assert other not in digests


def test_golden_files_are_yaml_that_loads_back() -> None:
    for name, policy in POLICIES.items():
        assert list(yaml.safe_load_all((rendered.GOLDEN / f"{name}.yaml").read_text())) == rendered.objects(policy)
