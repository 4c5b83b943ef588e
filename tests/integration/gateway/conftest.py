"""One gateway for the module's tests, with one policy and one pod in the simulated cluster."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration.gateway import lab, loopback, simulated_cluster
from zaum_api import contract, documents

HOST = "docs.example.com"
RECORDS = {HOST: "127.0.0.1", "outlaw.example.net": "127.0.0.1"}
KEY_ID = "first"


@dataclass
class World:
    """The lab with the key that signs and the objects that stand in it."""

    lab: lab.Lab
    key: rsa.RSAPrivateKey
    pod: dict[str, Any]
    policy: dict[str, Any]

    @property
    def authority(self) -> str:
        return f"{HOST}:{self.lab.tls_port}"

    def token(
        self,
        *,
        bound: dict[str, Any] | None = None,
        key: Any = None,
        key_id: str = KEY_ID,
        algorithm: str = "RS256",
        **changes: Any,
    ) -> str:
        """Sign what the API server would for the pod, with changes to the claims; `bound` is `kubernetes.io`."""
        now = int(time.time())
        metadata = self.pod["metadata"]
        claims = {
            "iss": simulated_cluster.ISSUER,
            "aud": [contract.AUDIENCE_EGRESS],
            "iat": now,
            "nbf": now,
            "exp": now + contract.TOKEN_SECONDS,
            "kubernetes.io": bound
            or {
                "namespace": metadata["namespace"],
                "pod": {"name": metadata["name"], "uid": metadata["uid"]},
                "serviceaccount": {"name": self.pod["spec"]["serviceAccountName"], "uid": "sa-uid"},
            },
        }
        return jwt.encode(
            claims | changes, self.key if key is None else key, algorithm=algorithm, headers={"kid": key_id}
        )


def policy(name: str, *ports: int, host: str = HOST) -> dict[str, Any]:
    effective = documents.Effective(hosts=(documents.HostRule(host=host, ports=ports),))
    return {
        "metadata": {"namespace": "agents", "name": name, "uid": f"policy-{name}"},
        "status": {"effective": effective.write()},
    }


def pod(policy_name: str, address: str, **labels: str) -> dict[str, Any]:
    name = contract.pod_name(policy_name, 0, "abcde")
    ours = {contract.LABEL_POLICY: policy_name, contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE}
    return {
        "metadata": {"namespace": "agents", "name": name, "uid": f"pod-{policy_name}", "labels": {**ours, **labels}},
        "spec": {"serviceAccountName": contract.child_name(policy_name)},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


Make = Callable[[], World]


@pytest.fixture
def scoped(tmp_path: Path) -> Iterator[World]:
    """A gateway that looks after two namespaces: the policy and its pod live in the first."""
    yield from make(tmp_path, ("agents", "others"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from make(tmp_path_factory.mktemp("gateway"))


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[World]:
    """A gateway of its own, for tests that break it."""
    yield from make(tmp_path)


def make(
    directory: Path,
    namespaces: tuple[str, ...] = (),
    names: Mapping[str, loopback.Addresses] | None = None,
    **more: Any,
) -> Iterator[World]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    cluster = simulated_cluster.SimulatedCluster({KEY_ID: key.public_key()}, namespaces)
    try:
        with lab.running(directory, cluster, names or RECORDS, **more) as running:
            here = World(running, key, pod("demo", "127.0.0.1"), policy("demo", running.tls_port, running.tcp_port))
            pods, policies = cluster.shares.get("agents", (cluster.pods, cluster.policies))
            pods.put(here.pod)
            policies.put(here.policy)
            yield here
    finally:
        cluster.close()
