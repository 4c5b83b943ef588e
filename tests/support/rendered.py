"""The objects that the operator makes of a policy, as files: `python -m tests.support.rendered` writes them.

The unit tests compare; whoever checks objects with another program (an API server's dry run, a scanner) takes the same.
"""

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support import specs
from tests.support.world import START
from zaum_api import contract, documents
from zaum_operator.core import actions, intent, plan
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Gateway, Site, Snapshot

GOLDEN: Final = Path(__file__).resolve().parents[1] / "unit/zaum_operator/core/golden"
EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
SITE: Final = Site("zaum-system", "registry.example/zaum-watchdog@sha256:" + "1" * 64, "Always", ledger=True)
CA: Final = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
GATEWAY: Final = Gateway(
    ("10.96.7.7", "fd00:10:96::77"),
    "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
    prices=(
        documents.PriceTable("Anthropic", (documents.Price("large-1", 3_000_000, 300_000, 3_750_000, 15_000_000),)),
        documents.PriceTable("OpenAI", (documents.Price("small-1", 250_000, 25_000, 500_000, 2_000_000),)),
    ),
)
NAMESPACE: Final[Object] = {"metadata": {"name": "agents", "labels": {"kubernetes.io/metadata.name": "agents"}}}
GRANT: Final[Object] = {
    "metadata": {"name": "pool", "uid": "c", "generation": 1},
    "spec": {
        "namespaceSelector": {},
        "scheduling": {
            "nodeSelector": [{"key": "example.com/pool", "values": ["agents"]}],
            "tolerations": [
                {"key": "agents", "operator": "Exists"},
                {"key": "example.com/agents", "operator": "Exists"},
            ],
        },
        "services": [{"namespace": "tools"}],
        "modes": ["Enforce", "Report"],
    },
}
"""What the policy that uses everything, and the examples that ask for a grant, need to be granted."""
SEARCH: Final[Object] = {
    "metadata": {"name": "search", "namespace": "tools", "uid": "s", "resourceVersion": "1"},
    "spec": {"type": "ClusterIP", "clusterIP": "10.96.8.8", "selector": {"app": "search"}, "ports": [{"port": 8080}]},
}
"""The Service that routes lead to."""
UID: Final = "11111111-2222-3333-4444-555555555555"
MADE: Final = "2026-11-23T00:00:00Z"


def policies() -> dict[str, Object]:
    """Give the policies that are rendered: the examples, pinned by digest, and one that uses everything."""
    read = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(EXAMPLES.glob("*.yaml"))}
    named = {name: example for name, example in read.items() if example["kind"] == contract.KIND_POLICY}
    for policy in named.values():
        policy["spec"]["agent"]["image"] = specs.IMAGE
    named["everything"] = specs.Case("everything", everything()).manifest()
    return named


def everything() -> dict[str, Any]:
    """Give a spec that sets every field which this version acts on."""
    agent = specs.agent(
        command=["python3"],
        args=["-m", "researcher"],
        env=[{"name": "LANG", "value": "C.UTF-8"}],
        files=[{"configMap": "notes", "mountPath": "/etc/notes"}],
        workingDir="/srv",
        replicas=2,
        resources={"cpu": "1.5", "memory": "1Gi", "ephemeralStorage": "2Gi"},
        workspace={"size": "5Gi", "mountPath": "/home/agent", "persistent": {"storageClass": "fast"}},
        runtimeClassName="gvisor",
        hostUsers=False,
        imagePullSecrets=[{"name": "registry"}],
        nodeSelector={"example.com/pool": "agents"},
        tolerations=[{"key": "agents", "operator": "Exists", "effect": "NoSchedule"}],
        liveness={"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 5},
    )
    return agent | {
        "identity": {"token": {"audience": "https://tools.example", "lifetime": "1h"}},
        "ingress": [
            {"port": 8080, "name": "http", "from": [{"podSelector": {"matchLabels": {"app": "web"}}}]},
            {"port": 9090, "from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]},
        ],
        "lifetime": {"max": "8h"},
        "mode": "Report",
        "egress": {
            "hosts": [
                {
                    "host": "*.example.com",
                    "ports": [8443, 443],
                    "limits": {"requests": {"perMinute": 6}, "bytes": {"outPerHour": "1Mi"}},
                }
            ],
            "routes": [
                {
                    "name": "open-ai",
                    "upstream": "https://api.example.com:8443/v1/",
                    "api": "OpenAI",
                    "credential": {"secretKeyRef": {"name": "model", "key": "api-key"}},
                    "allow": [{"methods": ["POST", "GET"], "path": "/chat/*"}],
                    "models": ["small-1", "large-2"],
                    "prices": [{"model": "large-2", "input": "1.25", "output": "10"}],
                    "limits": {"tokens": {"perMinute": 1000}, "cost": {"perDay": "1.50"}},
                    "redact": {"request": {"email": "Tokenise"}, "response": {"cards": "Mask"}},
                },
                {
                    "name": "claude",
                    "upstream": "https://claude.example.com",
                    "api": "Anthropic",
                    "credential": {"secretKeyRef": {"name": "other", "key": "key"}},
                },
                {"name": "search", "serviceRef": {"name": "search", "namespace": "tools", "port": 8080}},
            ],
            "requireProof": True,
        },
        "limits": {
            "requests": {"perMinute": 6, "burst": 2},
            "connections": 64,
            "bytes": {"outPerHour": "10Mi", "inPerHour": "2Gi"},
            "tokens": {"perMinute": 5000, "perDay": 100000},
            "cost": {"perDay": "2.50"},
        },
        "runaway": {
            "cpu": {"abovePercent": 50, "for": "30s"},
            "processes": {"enabled": False},
            "denied": {"above": 3, "per": "10s"},
        },
    }


def objects(policy: Object) -> list[Object]:
    """Plan for a policy in an empty namespace and give what would be sent, in order."""
    written = {"namespace": "agents", "uid": UID, "generation": 1, "creationTimestamp": MADE}
    policy = policy | {"metadata": written | policy["metadata"]}
    empty = Snapshot(
        intent.read(policy).key,
        policy,
        (),
        None,
        None,
        None,
        None,
        (),
        GATEWAY,
        namespace=NAMESPACE,
        ceilings=(GRANT,),
        services={("tools", "search"): SEARCH},
    )
    steps = plan.of_policy(empty, policy, SITE, now=START, suffix=lambda ordinal: f"{ordinal:05x}").actions
    return [step.body for step in steps if isinstance(step, actions.Apply | actions.Create)]


def text(policy: Object) -> str:
    """Give the objects as one YAML stream."""
    return yaml.dump_all(objects(policy), Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Writes shared parts out, so that a shared dict cannot hide behind an anchor."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> int:
    """Write the golden files."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, policy in policies().items():
        (GOLDEN / f"{name}.yaml").write_text(text(policy))
    return 0


if __name__ == "__main__":
    sys.exit(main())
