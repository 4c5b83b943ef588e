"""What the chart renders, by the real helm."""

import re
from typing import Any

import pytest
import yaml

from tests.integration.chart import rendering
from tests.support import envoy_file
from zaum_api import contract
from zaum_operator import settings
from zaum_operator.core import prices

Object = rendering.Object


@pytest.fixture(scope="module")
def items() -> list[Object]:
    return rendering.objects()


def test_helm_lints_it_strictly() -> None:
    assert "0 chart(s) failed" in rendering.helm("lint", "--strict", str(rendering.CHART))


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"gateway": {"replica": 3}}, "/gateway"),
        ({"gateway": {"replicas": 0}}, "/gateway/replicas"),
        ({"images": {"gateway": {"digest": "latest"}}}, "/images/gateway/digest"),
        ({"images": {"demo": {}}}, "/images"),
        ({"network": {"deniedRanges": []}}, "/network/deniedRanges"),
        ({"network": {"clusterRanges": ["10.0.0.0"]}}, "/network/clusterRanges"),
        ({"admission": {"trustedUsers": ["it's"]}}, "/admission/trustedUsers"),
        ({"gateway": {"drainSeconds": 0}}, "/gateway/drainSeconds"),
        ({"gateway": {"upstreamProxy": {"host": "http://proxy"}}}, "/gateway/upstreamProxy/host"),
        ({"gateway": {"upstreamProxy": {"port": 0}}}, "/gateway/upstreamProxy/port"),
        ({"nonsense": True}, "nonsense"),
        ({"clusterDNS": ["kube-dns"]}, "/clusterDNS"),
        ({"routes": {"extraCAs": "/etc/ca.crt"}}, "/routes/extraCAs"),
        ({"enforcement": {"periodSeconds": 1}}, "/enforcement/periodSeconds"),
        ({"enforcement": {"canaries": ["192.0.2.1"]}}, "/enforcement/canaries"),
    ],
)
def test_a_wrong_value_is_refused_by_its_place(values: Object, place: str) -> None:
    with pytest.raises(rendering.RenderError, match=re.escape(place)):
        rendering.template(values)


def test_every_pod_is_restricted(items: list[Object]) -> None:
    specs = rendering.pod_specs(items)
    assert set(specs) == {
        "Deployment/zaum-operator",
        "Deployment/zaum-authorizer",
        "Deployment/zaum-gateway",
        "Deployment/zaum-ledger",
        "Job/zaum-uninstall",
    }
    for name, spec in specs.items():
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsUser"] == contract.COMPONENT_UID, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["image"].endswith("@" + rendering.DIGEST), name
            assert container["imagePullPolicy"] == "Always", name
            assert set(container["resources"]) == {"requests", "limits"}, name


def test_i03_envoy_has_no_token(items: list[Object]) -> None:
    with_token = {
        name
        for name, spec in rendering.pod_specs(items).items()
        if any(
            "serviceAccountToken" in source
            for volume in spec["volumes"]
            for source in volume.get("projected", {}).get("sources", [])
        )
    }
    speaking = (
        "Deployment/zaum-operator",
        "Deployment/zaum-authorizer",
        "Deployment/zaum-ledger",
        "Job/zaum-uninstall",
    )
    assert with_token == set(speaking)
    bound = {item["subjects"][0]["name"] for item in items if item["kind"].endswith("RoleBinding")}
    assert "zaum-gateway" not in bound


def test_an_image_is_named_by_tag_or_digest() -> None:
    def image(**values: str) -> str:
        given = {"repository": "registry.test/operator", "tag": "", "digest": ""} | values
        specs = rendering.pod_specs(rendering.objects({"images": {**rendering.DIGESTS, "operator": given}}))
        named: str = specs["Deployment/zaum-operator"]["containers"][0]["image"]
        return named

    assert image() == "registry.test/operator:0.1.0"
    assert image(tag="dev") == "registry.test/operator:dev"
    assert image(digest=rendering.DIGEST) == f"registry.test/operator@{rendering.DIGEST}"
    assert image(tag="dev", digest=rendering.DIGEST) == f"registry.test/operator:dev@{rendering.DIGEST}"


def rules(items: list[Object], name: str) -> Any:
    return rendering.only(items, "NetworkPolicy", name)["spec"]


def test_i04_only_agents_reach_the_gateway_and_only_the_gateway_the_authorizer(items: list[Object]) -> None:
    (entry,) = rules(items, "zaum-gateway")["ingress"]
    agents = {"matchLabels": {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE}}
    assert entry["from"] == [{"namespaceSelector": {}, "podSelector": agents}]
    assert ports(entry) == {contract.GATEWAY_PORT, contract.GATEWAY_SIGNED_PORT}
    decides, reports = rules(items, "zaum-authorizer")["ingress"]
    assert decides["from"] == [component(contract.COMPONENT_GATEWAY)]
    assert decides["ports"] == [{"protocol": "TCP", "port": contract.AUTHORIZER_PORT}]
    assert reports["from"] == [component(contract.COMPONENT_OPERATOR)]
    assert reports["ports"] == [{"protocol": "TCP", "port": contract.AUTHORIZER_REPORTS_PORT}]
    assert {"to": [component(contract.COMPONENT_AUTHORIZER)], "ports": reports["ports"]} in rules(
        items, "zaum-operator"
    )["egress"]
    assert rules(items, "zaum-operator")["ingress"] == []
    for name in ("zaum-gateway", "zaum-authorizer", "zaum-operator"):
        assert rules(items, name)["policyTypes"] == ["Ingress", "Egress"]


def component(name: str) -> Object:
    """Give the NetworkPolicy peer of one of our components, in the release namespace alone."""
    return {"podSelector": {"matchLabels": {contract.LABEL_NAME: contract.APP_NAME, contract.LABEL_COMPONENT: name}}}


def ports(rule: Object) -> set[int]:
    assert {port["protocol"] for port in rule["ports"]} == {"TCP"}
    return {port["port"] for port in rule["ports"]}


def ports_of_envoy(rendered: list[Object]) -> set[int]:
    """Give the ports at which Envoy listens by its own file."""
    config = yaml.safe_load(rendering.only(rendered, "ConfigMap", "zaum-gateway")["data"]["envoy.yaml"])
    listeners = config["static_resources"]["listeners"]
    return {each["address"]["socket_address"]["port_value"] for each in listeners}


def test_by_a_value_every_hop_is_tls() -> None:
    for hop, expected in (("Signed", {contract.GATEWAY_PORT, contract.GATEWAY_SIGNED_PORT}), ("TLS", {15443})):
        rendered = rendering.objects({"gateway": {"hop": hop}})
        (entry,) = rules(rendered, "zaum-gateway")["ingress"]
        assert ports(entry) == expected
        service = rendering.only(rendered, "Service", contract.GATEWAY_SERVICE)["spec"]
        assert {port["port"] for port in service["ports"]} == expected
        (envoy,) = rendering.pod_specs(rendered)["Deployment/zaum-gateway"]["containers"]
        listening = {contract.GATEWAY_READY_PORT} | expected
        assert {port["containerPort"] for port in envoy["ports"]} == listening
        assert ports_of_envoy(rendered) == listening
        (container,) = rendering.pod_specs(rendered)["Deployment/zaum-operator"]["containers"]
        assert {"name": "ZAUM_GATEWAY_HOP", "value": hop} in container["env"]


def test_i15_only_the_operator_has_the_token_for_the_books_and_the_ledger_knows_whose_it_is(
    items: list[Object],
) -> None:
    specs = rendering.pod_specs(items)
    operator, ledger = specs["Deployment/zaum-operator"], specs["Deployment/zaum-ledger"]
    holders = {
        (name, volume["name"], source["serviceAccountToken"]["path"])
        for name, spec in specs.items()
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if source.get("serviceAccountToken", {}).get("audience") == contract.AUDIENCE_LEDGER_READ
    }
    ((name, volume, path),) = holders
    assert name == "Deployment/zaum-operator"
    (mount,) = [mount for mount in operator["containers"][0]["volumeMounts"] if mount["name"] == volume]
    assert variables(operator)["ZAUM_LEDGER_TOKEN_FILE"] == f"{mount['mountPath']}/{path}"
    assert variables(operator)["ZAUM_LEDGER"] == "true"
    assert variables(ledger)["ZAUM_OPERATOR_ACCOUNT"] == operator["serviceAccountName"]


def variables(spec: Object) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in spec["containers"][0]["env"]}


def test_i15_only_the_operator_has_the_token_for_reports_and_the_authorizer_knows_whose_it_is(
    items: list[Object],
) -> None:
    specs = rendering.pod_specs(items)
    operator, authorizer = specs["Deployment/zaum-operator"], specs["Deployment/zaum-authorizer"]
    (token,) = [volume for volume in operator["volumes"] if volume["name"] == "reports-token"]
    (source,) = token["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == contract.AUDIENCE_AUTHORIZER
    (mount,) = [mount for mount in operator["containers"][0]["volumeMounts"] if mount["name"] == "reports-token"]
    assert (
        variables(operator)["ZAUM_REPORTS_TOKEN_FILE"]
        == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
    )
    assert variables(operator)["ZAUM_REPORTS_PORT"] == str(contract.AUTHORIZER_REPORTS_PORT)
    assert variables(authorizer)["ZAUM_OPERATOR_ACCOUNT"] == operator["serviceAccountName"]
    others = [spec for name, spec in specs.items() if name != "Deployment/zaum-operator"]
    assert contract.AUDIENCE_AUTHORIZER not in [
        source.get("serviceAccountToken", {}).get("audience")
        for spec in others
        for volume in spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]


@pytest.mark.parametrize("name", ["gateway", "authorizer"])
def test_replicas_stand_apart_and_end_after_their_endpoint(items: list[Object], name: str) -> None:
    spec = rendering.pod_specs(items)[f"Deployment/zaum-{name}"]
    mine = component(name)["podSelector"]
    spread = spec["topologySpreadConstraints"]
    assert {item["topologyKey"] for item in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert [item["labelSelector"] for item in spread] == [mine, mine]
    (apart,) = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"] == {"topologyKey": "kubernetes.io/hostname", "labelSelector": mine}
    sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep >= 5, "a proxy on every node has to hear of the endpoint first"
    assert spec["terminationGracePeriodSeconds"] >= sleep + 5
    deployment = rendering.only(items, "Deployment", f"zaum-{name}")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = rendering.only(items, "PodDisruptionBudget", f"zaum-{name}")["spec"]
    assert budget["selector"] == mine
    assert budget["maxUnavailable"] == 1


def test_how_long_a_gateway_drains_is_a_value() -> None:
    spec = rendering.pod_specs(rendering.objects({"gateway": {"drainSeconds": 600}}))["Deployment/zaum-gateway"]
    assert spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 600
    assert spec["terminationGracePeriodSeconds"] == 615


PROXY = {"host": "proxy.corp.example", "port": 8080, "addresses": ["10.1.2.3", "2001:db8::/64"]}


@pytest.mark.parametrize(
    ("proxy", "blocks"),
    [
        (PROXY, ["10.1.2.3/32", "2001:db8::/64"]),
        (PROXY | {"host": "10.9.9.9", "addresses": []}, ["10.9.9.9/32"]),
        (PROXY | {"host": "fd00::1", "addresses": []}, ["fd00::1/128"]),
    ],
)
def test_i05_behind_a_proxy_the_gateway_reaches_nothing_else_outside(proxy: Object, blocks: list[str]) -> None:
    *_, outside = rules(rendering.objects({"gateway": {"upstreamProxy": proxy}}), "zaum-gateway")["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in outside["to"]] == blocks
    assert outside["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_a_proxy_by_name_needs_its_addresses() -> None:
    with pytest.raises(rendering.RenderError, match=re.escape("gateway.upstreamProxy.addresses")):
        rendering.template({"gateway": {"upstreamProxy": PROXY | {"addresses": []}}})


def test_i05_the_clusters_ranges_are_excluded_from_the_outside() -> None:
    ranges = {"clusterRanges": ["203.0.113.128/25", "2001:db8:44::/64"]}
    given = {"network": {**ranges, "apiServer": {"addresses": ["198.51.100.1", "2001:db8::1"], "ports": [6443]}}}
    rendered = rendering.objects(given)
    outside = rules(rendered, "zaum-gateway")["egress"][-1]
    four, six = (block["ipBlock"] for block in outside["to"])
    assert {"203.0.113.128/25", "198.51.100.1/32"} <= set(four["except"])
    assert {"2001:db8:44::/64", "2001:db8::1/128"} <= set(six["except"])
    (api,) = rules(rendered, "zaum-authorizer")["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in api["to"]] == ["198.51.100.1/32", "2001:db8::1/128"]
    assert api["ports"] == [{"protocol": "TCP", "port": 6443}]


def test_scrapers_get_in_only_by_a_value() -> None:
    scraper = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    rendered = rendering.objects({"metrics": {"from": [scraper]}})
    assert rules(rendered, "zaum-operator")["ingress"] == [
        {"from": [scraper], "ports": [{"protocol": "TCP", "port": contract.OPERATOR_METRICS_PORT}]}
    ]
    assert {"from": [scraper], "ports": [{"protocol": "TCP", "port": contract.AUTHORIZER_HEALTH_PORT}]} in rules(
        rendered, "zaum-authorizer"
    )["ingress"]


def test_disruptions_are_bounded_where_there_are_several() -> None:
    def budgets(replicas: int) -> set[str]:
        rendered = rendering.objects({name: {"replicas": replicas} for name in ("operator", "gateway", "authorizer")})
        return {item["metadata"]["name"] for item in rendered if item["kind"] == "PodDisruptionBudget"}

    assert budgets(1) == set()
    assert budgets(3) == {"zaum-operator", "zaum-gateway", "zaum-authorizer"}


def test_i13_the_uninstall_hook_is_bounded_and_leaves_nothing(items: list[Object]) -> None:
    hooks = [item for item in items if "helm.sh/hook" in item["metadata"].get("annotations", {})]
    assert {item["kind"] for item in hooks} == {
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Job",
    }
    for item in hooks:
        annotations = item["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-delete"
        policies = set(annotations["helm.sh/hook-delete-policy"].split(","))
        assert policies == {"before-hook-creation", "hook-succeeded", "hook-failed"}
    job = rendering.only(items, "Job", "zaum-uninstall")["spec"]
    assert job["activeDeadlineSeconds"] == 60
    assert job["template"]["spec"]["containers"][0]["command"] == ["python3", "-m", "zaum_operator.uninstall"]


def test_every_admission_policy_fails_closed_and_is_bound(items: list[Object]) -> None:
    policies = {item["metadata"]["name"]: item for item in items if item["kind"] == "ValidatingAdmissionPolicy"}
    bound = {
        item["spec"]["policyName"]: item["spec"]["validationActions"]
        for item in items
        if item["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert policies.keys() == bound.keys()
    assert len(policies) == 15
    ignoring = {name for name, policy in policies.items() if policy["spec"]["failurePolicy"] != "Fail"}
    assert ignoring == {"zaum-ceilings"}, "labelling namespaces must not stop for want of a CRD"
    assert all(actions == ["Deny"] for actions in bound.values())


def test_nothing_of_the_chart_carries_a_reserved_label(items: list[Object]) -> None:
    for item in items:
        for part in (item["metadata"], item.get("spec", {}).get("template", {}).get("metadata", {})):
            for marks in (part.get("labels", {}), part.get("annotations", {})):
                assert not any(key.startswith(contract.PREFIX) for key in marks), item["metadata"]["name"]


@pytest.fixture(scope="module")
def scoped() -> list[Object]:
    return rendering.objects({"scope": {"mode": "Namespace", "namespaces": ["team-a", "team-b"]}})


def test_in_a_few_namespaces_there_are_roles_and_nothing_of_the_clusters(scoped: list[Object]) -> None:
    kinds = {item["kind"] for item in scoped}
    cluster = {kind for kind in kinds if kind.startswith(("Cluster", "ValidatingAdmission"))}
    assert cluster == set()
    bound = {
        (item["metadata"]["namespace"], item["subjects"][0]["name"], item["subjects"][0]["namespace"])
        for item in scoped
        if item["kind"] == "RoleBinding" and item["metadata"]["name"].endswith("-agents")
    }
    accounts = ("zaum-operator", "zaum-authorizer", "zaum-uninstall")
    assert bound == {(name, account, "zaum-system") for name in ("team-a", "team-b") for account in accounts}
    without = {"scope": {"mode": "Namespace", "namespaces": ["team-a"]}, "crds": {"install": False}}
    assert all(item["metadata"].get("namespace") for item in rendering.objects(without))


def test_in_a_few_namespaces_every_part_knows_them(scoped: list[Object]) -> None:
    for name, spec in rendering.pod_specs(scoped).items():
        environment = {item["name"]: item.get("value") for item in spec["containers"][0].get("env", [])}
        assert name.endswith("zaum-gateway") or environment["ZAUM_WATCH_NAMESPACES"] == "team-a,team-b", name
    (entry,) = rules(scoped, "zaum-gateway")["ingress"]
    expected = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}
    assert entry["from"][0]["namespaceSelector"] == {"matchExpressions": [expected]}


@pytest.mark.parametrize(
    "scope",
    [
        {"mode": "Namespace", "namespaces": []},
        {"mode": "Cluster", "namespaces": ["team-a"]},
        {"mode": "Namespace", "namespaces": ["zaum-system"]},
        {"mode": "Namespace", "namespaces": ["Team"]},
        {"mode": "Everything", "namespaces": []},
    ],
    ids=["none named", "named in vain", "the release's own", "no name", "no mode"],
)
def test_i01_a_scope_that_says_two_things_is_refused(scope: Object) -> None:
    with pytest.raises(rendering.RenderError, match="scope"):
        rendering.template({"scope": scope})


def test_two_operators_stand_by_for_each_other(items: list[Object]) -> None:
    spec = rendering.only(items, "Deployment", "zaum-operator")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}
    assert spec["template"]["spec"]["topologySpreadConstraints"]
    environment = {item["name"]: item for item in spec["template"]["spec"]["containers"][0]["env"]}
    assert environment["ZAUM_IDENTITY"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    values = {
        name: environment[name]["value"] for name in ("ZAUM_WATCH_NAMESPACES", "ZAUM_HOST_USERS", "ZAUM_ROLLOUT_MAX")
    }
    assert values == {"ZAUM_WATCH_NAMESPACES": "", "ZAUM_HOST_USERS": "true", "ZAUM_ROLLOUT_MAX": "10"}


def test_i13_the_uninstall_hook_stays_in_the_releases_own_namespace(scoped: list[Object]) -> None:
    """A hook that cannot be made fails the uninstall, and a namespace with agents may be gone by then."""
    hooks = [item for item in scoped if "helm.sh/hook" in item["metadata"].get("annotations", {})]
    assert hooks
    assert {item["metadata"]["namespace"] for item in hooks} == {"zaum-system"}


def operator_environment(values: Object) -> dict[str, Any]:
    (container,) = rendering.pod_specs(rendering.objects(values))["Deployment/zaum-operator"]["containers"]
    return {item["name"]: item.get("value") for item in container["env"]}


def test_the_operator_is_told_what_no_agent_may_reach() -> None:
    canaries = ["192.0.2.1:80", "[2001:db8::1]:443"]
    told = operator_environment({"clusterDNS": ["10.96.0.10"], "enforcement": {"canaries": canaries}})
    assert (told["ZAUM_CLUSTER_DNS"], told["ZAUM_CANARIES"]) == ("10.96.0.10", ",".join(canaries))
    assert told["ZAUM_CAGE_PERIOD_SECONDS"] == "60"
    read = settings.from_environment(
        {key: rendering.NAMESPACE if value is None else value for key, value in told.items()}
    )
    tried = [(target.name, target.address, target.port) for target in read.site.cage]
    assert tried == [("dns", "10.96.0.10", 53)] * 2 + [("canary", "192.0.2.1", 80), ("canary", "2001:db8::1", 443)]


def test_the_cas_of_upstreams_reach_the_operator_as_a_file() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
    rendered = rendering.objects({"routes": {"extraCAs": pem}})
    assert rendering.only(rendered, "ConfigMap", "zaum-routes")["data"]["ca.crt"] == pem
    spec = rendering.pod_specs(rendered)["Deployment/zaum-operator"]
    mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["routes"]["configMap"]["name"] == "zaum-routes"
    assert operator_environment({})["ZAUM_ROUTES_CA_FILE"] == f"{mounts['routes']}/ca.crt"


def test_other_cas_of_upstreams_roll_the_operator_and_nothing_else() -> None:
    def templates(body: str) -> dict[str, Object]:
        pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
        items = rendering.objects({"routes": {"extraCAs": pem}})
        return {item["metadata"]["name"]: item["spec"]["template"] for item in items if item["kind"] == "Deployment"}

    before, after = templates("AA=="), templates("AAAA")
    assert before == templates("AA=="), "rendering twice gives the same"
    assert {name for name in before if before[name] != after[name]} == {"zaum-operator"}


@pytest.mark.parametrize("hop", ["Signed", "TLS"])
def test_the_operator_knows_the_hop(hop: str) -> None:
    told = operator_environment({"gateway": {"hop": hop}})
    read = settings.from_environment(
        {key: rendering.NAMESPACE if value is None else value for key, value in told.items()}
    )
    assert read.site.signed_hop is (hop == "Signed")


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("proxy", [None, ("proxy.corp.example", 8080)])
def test_the_tests_read_envoys_file_as_helm_renders_it(proxy: tuple[str, int] | None, signed: bool) -> None:
    values: Object = {"gateway": {"hop": "Signed" if signed else "TLS"} | ({"upstreamProxy": PROXY} if proxy else {})}
    config = rendering.only(rendering.objects(values), "ConfigMap", "zaum-gateway")["data"]["envoy.yaml"]
    given = envoy_file.Given(namespace=rendering.NAMESPACE, proxy=proxy, signed=signed)
    assert yaml.safe_load(config) == envoy_file.load(given)


def test_what_models_cost_reaches_the_operator_as_a_file_that_it_reads() -> None:
    large = {"model": "large-1", "input": "1.25", "output": "10"}
    rendered = rendering.objects({"prices": {"OpenAI": [large], "Anthropic": []}})
    raw = rendering.only(rendered, "ConfigMap", "zaum-routes")["data"]["prices.json"]
    (table,) = prices.read(raw.encode())
    assert (table.api, table.prices[0].model, table.prices[0].input) == ("OpenAI", "large-1", 1_250_000)
    assert operator_environment({})["ZAUM_PRICES_FILE"] == "/etc/zaum/routes/prices.json"
    with pytest.raises(rendering.RenderError, match="prices"):
        rendering.template({"prices": {"OpenAI": [large | {"input": 1.25}]}})


def test_the_ledger_keeps_a_file_alone_and_shares_a_database() -> None:
    kept = rendering.objects({})
    assert rendering.only(kept, "Deployment", "zaum-ledger")["spec"]["strategy"] == {"type": "Recreate"}
    claim = rendering.only(kept, "PersistentVolumeClaim", "zaum-ledger")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    with pytest.raises(rendering.RenderError, match="a file has one writer"):
        rendering.template({"ledger": {"replicas": 2}})
    with pytest.raises(rendering.RenderError, match="peers of the database"):
        rendering.template({"ledger": {"postgres": {"secretName": "db"}}})
    to = [{"ipBlock": {"cidr": "192.0.2.1/32"}}]
    shared = rendering.objects({"ledger": {"replicas": 2, "postgres": {"secretName": "db", "to": to}}})
    assert not [item for item in shared if item["kind"] == "PersistentVolumeClaim"]
    assert rendering.only(shared, "Deployment", "zaum-ledger")["spec"]["replicas"] == 2
    rules = rendering.only(shared, "NetworkPolicy", "zaum-ledger")["spec"]["egress"]
    assert {"to": to, "ports": [{"protocol": "TCP", "port": 5432}]} in rules


@pytest.mark.parametrize(
    "values", [{"ledger": {"enabled": False}}, {"scope": {"mode": "Namespace", "namespaces": ["a"]}}]
)
def test_where_there_is_no_ledger_nothing_of_it_runs_and_watchdogs_are_told_of_none(values: Object) -> None:
    rendered = rendering.objects(values)
    named = {(item["kind"], item["metadata"]["name"]) for item in rendered if "ledger" in item["metadata"]["name"]}
    assert named == {("Secret", "zaum-ledger-tls")}
    assert operator_environment(values)["ZAUM_LEDGER"] == "false"
    assert operator_environment({})["ZAUM_LEDGER"] == "true"
