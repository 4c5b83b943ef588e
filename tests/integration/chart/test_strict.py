"""A real API server takes every rendered object under strict validation, and lookups find the cluster's own ranges."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.chart import rendering, scan


def on_the_cluster(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tests.cluster", *command]
    return subprocess.run(
        words, input=stdin, capture_output=True, text=True, check=False, timeout=120, cwd=rendering.ROOT
    )


@pytest.fixture(scope="module", autouse=True)
def cluster() -> None:
    if on_the_cluster("status").returncode != 0:
        pytest.skip("needs the local cluster, which is not up (make cluster-up)")


@pytest.fixture(scope="module")
def namespace() -> str:
    made = on_the_cluster("kubectl", "--", "apply", "-f", "-", stdin=yaml.safe_dump(NAMESPACE))
    assert made.returncode == 0, made.stderr
    return rendering.NAMESPACE


RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": rendering.NAMESPACE, "labels": RESTRICTED}}


def dry_run(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", *words]
    return on_the_cluster("kubectl", "--", *command, "-f", "-", stdin=text)


def pods(text: str) -> str:
    """Give the pod templates as pods: Pod Security refuses pods, and only warns of Deployments."""
    made = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"check-{index}", "namespace": rendering.NAMESPACE},
            "spec": {**spec, "serviceAccountName": "default"},
        }
        for index, spec in enumerate(rendering.pod_specs(yaml.safe_load_all(text)).values())
    ]
    return yaml.safe_dump_all(made)


MODES: dict[str, Any] = {"cluster": {}, "namespaces": {"scope": {"mode": "Namespace", "namespaces": ["default"]}}}


@pytest.mark.parametrize("mode", MODES)
def test_every_object_is_strictly_valid(namespace: str, mode: str) -> None:
    text = rendering.template(MODES[mode])
    done = dry_run(text)
    assert done.returncode == 0, done.stderr
    count = sum(1 for item in yaml.safe_load_all(text) if item)
    assert len(done.stdout.splitlines()) == count
    assert "Warning" not in done.stderr


def test_strictness_is_real(namespace: str) -> None:
    done = dry_run(rendering.template().replace("readOnlyRootFilesystem:", "readOnlyRootFileSystem:"))
    assert done.returncode != 0
    assert "readOnlyRootFileSystem" in done.stderr


def test_every_pod_passes_pod_security_restricted(namespace: str) -> None:
    text = rendering.template()
    done = dry_run(pods(text))
    assert done.returncode == 0, done.stderr
    loose = dry_run(pods(text.replace("runAsNonRoot: true", "runAsNonRoot: false")))
    assert "violates PodSecurity" in loose.stderr


OPERATOR = ["--as", f"system:serviceaccount:{rendering.NAMESPACE}:zaum-operator", "--as-group", "system:masters"]
"""The operator's name, because admission lets nobody else make these; RBAC is not what is tested here."""


@pytest.mark.parametrize("path", sorted(scan.GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_the_operator_makes_is_strictly_valid_and_restricted(namespace: str, path: Path) -> None:
    items = [item for item in yaml.safe_load_all(path.read_text()) if item]
    for item in items:
        if "namespace" in item["metadata"]:
            item["metadata"]["namespace"] = namespace
        if item["kind"] == "Pod":
            # A dry run keeps nothing, so what a pod refers to is not there.
            item["spec"]["serviceAccountName"] = "default"
            del item["spec"]["priorityClassName"]
            item["spec"].pop("runtimeClassName", None)
    assert {"Pod", "NetworkPolicy", "ResourceQuota"} <= {item["kind"] for item in items}
    done = dry_run(yaml.safe_dump_all(items), *OPERATOR)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(items)
    pod = next(item for item in items if item["kind"] == "Pod")
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    assert "violates PodSecurity" in dry_run(yaml.safe_dump(pod), *OPERATOR).stderr


def test_lookups_find_the_clusters_own_addresses(namespace: str) -> None:
    def seen(*words: str) -> set[str]:
        done = on_the_cluster("kubectl", "--", "get", *words)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    nodes = seen("nodes", "-o", r'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}')
    pod_ranges = seen("nodes", "-o", "jsonpath={.items[*].spec.podCIDRs[*]}")
    service_ranges = seen("servicecidrs", "-o", "jsonpath={.items[*].spec.cidrs[*]}")
    # Whose CRDs stand in the cluster is not what is tested here.
    command = ["helm", "template", "zaum", str(rendering.CHART), "-n", namespace, "--dry-run=server"]
    command += ["--set", "crds.install=false"]
    done = on_the_cluster("exec", "--", *command)
    assert done.returncode == 0, done.stderr
    items = [item for item in yaml.safe_load_all(done.stdout) if item]
    outside: Any = rendering.only(items, "NetworkPolicy", "zaum-gateway")["spec"]["egress"][-1]
    excluded = {cidr for peer in outside["to"] for cidr in peer["ipBlock"]["except"]}
    alone = {f"{address}/{128 if ':' in address else 32}" for address in nodes}
    assert nodes
    assert service_ranges
    assert alone | pod_ranges | service_ranges <= excluded
    api: Any = rendering.only(items, "NetworkPolicy", "zaum-operator")["spec"]["egress"][0]
    reached = {peer["ipBlock"]["cidr"] for peer in api["to"]}
    assert "0.0.0.0/0" not in reached
    assert alone & reached
    assert dry_run(done.stdout).returncode == 0
