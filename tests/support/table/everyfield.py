"""For every field that an object can hold: what becomes of it as null, misspelt, and of another type.

Made from one full object of each kind, which holds every field that this version acts on.
"""

import copy
from collections.abc import Iterator
from typing import Any, Final

from tests.support.table.case import IMAGE, Case, Refusal
from zaum_api import contract

Path = tuple[str | int, ...]

_CLASSES: Final = {
    "cards": "Mask",
    "iban": "Mask",
    "email": "Tokenise",
    "phone": "Off",
    "cloudKeys": "Deny",
    "tokens": "Deny",
}
_LIMITS: Final = {
    "requests": {"perMinute": 60, "burst": 10},
    "connections": 32,
    "bytes": {"outPerHour": "50Mi", "inPerHour": "1Gi"},
    "tokens": {"perMinute": 100000, "perDay": 2000000},
    "cost": {"perDay": "10.00"},
}
POLICY: Final[dict[str, Any]] = {
    "mode": "Enforce",
    "desiredState": "Running",
    "agent": {
        "type": "Service",
        "image": IMAGE,
        "imagePullSecrets": [{"name": "registry"}],
        "command": ["agent"],
        "args": ["--verbose"],
        "workingDir": "/srv",
        "env": [{"name": "A", "value": "b"}],
        "files": [{"configMap": "ca", "mountPath": "/etc/ssl/world"}],
        "replicas": 2,
        "resources": {"cpu": "500m", "memory": "512Mi", "ephemeralStorage": 1073741824},
        "workspace": {"size": "1Gi", "mountPath": "/workspace", "persistent": {"storageClass": "fast"}},
        "liveness": {
            "httpGet": {"path": "/healthz", "port": 8080},
            "initialDelaySeconds": 5,
            "periodSeconds": 10,
            "timeoutSeconds": 1,
            "failureThreshold": 3,
        },
        "runtimeClassName": "gvisor",
        "hostUsers": False,
        "nodeSelector": {"example.com/pool": "agents"},
        "tolerations": [
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 30}
        ],
    },
    "identity": {"token": {"audience": "https://tools.example", "lifetime": "10m"}},
    "egress": {
        "hosts": [
            {
                "host": "docs.example.com",
                "ports": [443],
                "limits": {
                    "requests": {"perMinute": 6, "burst": 2},
                    "bytes": {"outPerHour": "1Mi", "inPerHour": "1Gi"},
                },
            }
        ],
        "routes": [
            {
                "name": "model",
                "upstream": "https://api.example.com/v1",
                "api": "OpenAI",
                "credential": {
                    "secretKeyRef": {"name": "model", "key": "api-key"},
                    "header": "Authorization",
                    "prefix": "Bearer ",
                },
                "allow": [{"methods": ["POST"], "path": "/chat/*"}],
                "models": ["large-1"],
                "prices": [
                    {"model": "large-1", "input": "1.25", "cachedInput": "0.125", "cacheWrite": "2.5", "output": "10"}
                ],
                "limits": {
                    "requests": {"perMinute": 6, "burst": 2},
                    "tokens": {"perMinute": 1000, "perDay": 100000},
                    "cost": {"perDay": "1.00"},
                },
                "redact": {"request": _CLASSES, "response": _CLASSES, "restore": True},
            },
            {"name": "search", "serviceRef": {"name": "search", "namespace": "tools", "port": 8080}},
        ],
        "requireProof": True,
    },
    "ingress": [
        {
            "port": 8080,
            "name": "http",
            "from": [
                {"namespaceSelector": {"matchLabels": {"team": "a"}}, "podSelector": {"matchLabels": {"app": "web"}}}
            ],
        }
    ],
    "limits": _LIMITS,
    "lifetime": {"max": "8h", "idle": "30m"},
    "runaway": {
        "cpu": {"enabled": True, "abovePercent": 90, "for": "2m"},
        "processes": {"enabled": True, "above": 128, "for": "5s"},
        "denied": {"enabled": True, "above": 20, "per": "1m"},
        "memory": {"enabled": True, "growthPerMinute": "32Mi", "for": "5m"},
        "forks": {"enabled": True, "above": 20000, "per": "1m"},
        "files": {"enabled": True, "above": 8192, "for": "30s"},
        "repeated": {"enabled": True, "same": 30, "per": "1m"},
        "errors": {"enabled": True, "abovePercent": 90, "ofAtLeast": 30, "per": "2m"},
        "noProgress": {"enabled": True, "tokens": 200000, "for": "10m"},
        "egressBytes": {"enabled": True, "above": "1Gi", "per": "10m"},
        "starved": {"enabled": True, "lateBy": "5s", "for": "1m"},
    },
    "containment": {
        "onRunaway": "Kill",
        "killsBeforeQuarantine": 3,
        "onBudget": "Throttle",
        "onTampering": "Quarantine",
        "onCrashLoop": "Kill",
        "onWidenedEgress": "Kill",
    },
}
CEILING: Final[dict[str, Any]] = {
    "namespaceSelector": {
        "matchLabels": {"team": "a"},
        "matchExpressions": [{"key": "stage", "operator": "In", "values": ["test"]}],
    },
    "hosts": {"allowed": ["*.example.com"]},
    "limits": _LIMITS,
    "resources": {"cpu": 1, "memory": "1Gi", "ephemeralStorage": "1Gi", "workspace": "1Gi"},
    "replicas": 3,
    "images": {"registries": ["registry.example/"], "requireDigest": True},
    "runtimeClasses": ["gvisor"],
    "lifetime": {"max": "8h"},
    "ingress": "Denied",
    "scheduling": {
        "nodeSelector": [{"key": "example.com/pool", "values": ["agents"]}],
        "tolerations": [
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 30}
        ],
    },
    "access": ["Exec"],
    "services": [{"namespace": "tools", "name": "search"}],
    "requireProof": True,
    "modes": ["Enforce"],
    "identity": {"audiences": ["https://tools.example"]},
    "incidents": {"blockImages": True},
}
INCIDENT: Final[dict[str, Any]] = {
    "policyRef": {"name": "researcher"},
    "reason": "Manual",
    "action": "Kill",
    "reporter": "Human",
    "pod": {"name": "zaum-researcher-0-abcde", "uid": "6b0d2d5e-0000-4000-8000-000000000001"},
    "observedAt": "2026-11-23T05:00:00.123456Z",
    "evidence": {
        "summary": "It asked for what it must not have.",
        "facts": [{"name": "denied", "value": "21 in 60 s"}],
        "images": [IMAGE],
    },
    "requestedBy": "jane@example.com",
    "release": {"by": "jane@example.com", "reason": "The prompt was mended."},
}
_FULL: Final = {
    contract.KIND_POLICY: POLICY,
    contract.KIND_CEILING: CEILING,
    contract.KIND_INCIDENT: INCIDENT,
}
_MAPS: Final = {"nodeSelector", "matchLabels"}
"""Fields whose keys are the author's words."""
_REQUIRED: Final = {
    ".agent",
    ".agent.image",
    ".agent.imagePullSecrets[].name",
    ".agent.env[].name",
    ".agent.env[].value",
    ".agent.files[].configMap",
    ".agent.files[].mountPath",
    ".agent.liveness.httpGet.port",
    ".identity.token.audience",
    ".egress.hosts[].host",
    ".egress.routes[].name",
    ".egress.routes[].credential.secretKeyRef",
    ".egress.routes[].credential.secretKeyRef.name",
    ".egress.routes[].credential.secretKeyRef.key",
    ".egress.routes[].allow[].methods",
    ".egress.routes[].allow[].path",
    ".egress.hosts[].limits.requests.perMinute",
    ".egress.routes[].limits.requests.perMinute",
    ".egress.routes[].limits.cost.perDay",
    ".egress.routes[].prices[].model",
    ".egress.routes[].prices[].input",
    ".egress.routes[].prices[].output",
    ".limits.cost.perDay of a ceiling",
    ".egress.routes[].serviceRef.name",
    ".egress.routes[].serviceRef.namespace",
    ".egress.routes[].serviceRef.port",
    ".services[].namespace",
    ".ingress[].port",
    ".ingress[].from",
    ".ingress[].from[].namespaceSelector.matchLabels",
    ".ingress[].from[].podSelector.matchLabels",
    ".namespaceSelector",
    ".namespaceSelector.matchExpressions[].key",
    ".namespaceSelector.matchExpressions[].operator",
    ".hosts.allowed",
    ".lifetime.max of a ceiling",
    ".scheduling.nodeSelector[].key",
    ".scheduling.nodeSelector[].values",
    ".identity.audiences",
    ".incidents.blockImages",
    ".policyRef",
    ".policyRef.name",
    ".reason",
    ".action",
    ".reporter",
    ".pod.name",
    ".evidence.summary",
    ".evidence.facts[].name",
    ".evidence.facts[].value",
    ".release.by",
    ".release.reason",
}
_RULED: Final = {
    ".agent.liveness.httpGet": "either httpGet or tcpSocket",
    ".egress.routes[].upstream": "either upstream or serviceRef",
    ".egress.routes[].serviceRef": "either upstream or serviceRef",
    ".egress.routes[].api": "are for the apis OpenAI and Anthropic",
    ".agent.tolerations[].key": "without a key",
    ".agent.tolerations[].effect": "tolerationSeconds needs",
    ".namespaceSelector.matchExpressions[].values": "In and NotIn need values",
    ".scheduling.tolerations[].key": "without a key",
    ".scheduling.tolerations[].effect": "tolerationSeconds needs",
    ".pod": "a Kill is about one pod",
    ".requestedBy": "a person's Incident says who asks",
}
"""Fields that a rule asks for, beside what the full object says."""


def cases(kind: str) -> tuple[Case, ...]:
    """Give three cases for each field of the full object of a kind."""
    full = _FULL[kind]
    whole = Case("every field at once", full, kind=kind)
    return (whole, *(case for path in _paths(full, ()) for case in _of_field(kind, full, path)))


def _paths(value: Any, path: Path) -> Iterator[Path]:
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, item in children:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _of_field(kind: str, full: dict[str, Any], path: Path) -> Iterator[Case]:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    yield Case(f"{place} of another type", _with(full, path, _other(_at(full, path))), Refusal.SCHEMA, kind=kind)
    if isinstance(path[-1], int):
        yield Case(f"{place} as null", _with(full, path, None), Refusal.SCHEMA, kind=kind)
    elif len(path) < 2 or path[-2] not in _MAPS:
        yield Case(f"{place} misspelt", _renamed(full, path), Refusal.SCHEMA, kind=kind)
        yield Case(f"{place} as null", _with(full, path, None), *_absent(kind, path), kind=kind)


def _absent(kind: str, path: Path) -> tuple[Refusal | None, str]:
    field = "".join("[]" if isinstance(part, int) else f".{part}" for part in path)
    if field in _RULED:
        return Refusal.RULE, _RULED[field]
    of_ceiling = f"{field} of a ceiling" if kind == contract.KIND_CEILING else ""
    return (Refusal.SCHEMA, "") if {field, of_ceiling} & _REQUIRED else (None, "")


def _other(value: object) -> object:
    return "x" if isinstance(value, (dict, list)) else {}


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _with(full: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(full)
    _at(changed, path[:-1])[path[-1]] = value
    return changed


def _renamed(full: dict[str, Any], path: Path) -> dict[str, Any]:
    changed = copy.deepcopy(full)
    parent = _at(changed, path[:-1])
    parent[f"{path[-1]}s"] = parent.pop(path[-1])
    return changed
