"""Bring what a run leaves into a form in which two runs can be compared: nothing that is new each time stays. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.chaos.history import Object, Place

RESOURCES: Final = (
    "agentpolicies",
    "networkpolicies",
    "serviceaccounts",
    "configmaps",
    "resourcequotas",
    "services",
    "persistentvolumeclaims",
    "pods",
    "priorityclasses",
)
DROPPED: Final = frozenset(
    {
        "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "observedGeneration",
        "lastTransitionTime", "lastProbeTime", "startTime", "startedAt", "podIP", "podIPs", "hostIP", "hostIPs",
        "nodeName", "clusterIP", "clusterIPs", "imageID", "containerID",
        "created",
    }
)  # fmt: skip
"""Fields that the API server, the scheduler and the node make anew each time, and what documents say of them."""
DIGESTS: Final = frozenset({"zaum.dev/template-digest", "zaum.dev/site-digest", "zaum.dev/config-digest"})
"""Digests over an object that names its owner's uid, or that says when a policy was made and how often it changed."""
_DOCUMENT: Final = re.compile(r"^config\.v\d+\.json$")
_POD: Final = re.compile(r"^(zaum-.+-\d+)-[0-9a-f]{5}$")


def state(objects: Mapping[Place, Object]) -> dict[str, Any]:
    """Give all objects that count, by a key that is the same in each run."""
    found: dict[str, Any] = {}
    for (resource, namespace, name), obj in sorted(objects.items()):
        if resource not in RESOURCES or _not_ours(resource, name):
            continue
        key = f"{resource} {namespace}/{_stable(name)}"
        while key in found:
            key += "+"
        found[key] = value(obj)
    return found


def _not_ours(resource: str, name: str) -> bool:
    return resource != "agentpolicies" and not name.startswith("zaum-")


def value(item: Any) -> Any:
    """Normalise one value."""
    if isinstance(item, dict):
        return {
            key: "*" if key in DIGESTS else value(_document(part) if _DOCUMENT.match(key) else part)
            for key, part in sorted(item.items())
            if key not in DROPPED and part not in (None, {}, [])
        }
    if isinstance(item, list):
        return [value(part) for part in item]
    return _stable(item) if isinstance(item, str) else item


def _document(text: str) -> Any:
    """Read a watchdog's document; one that is none stays the text that it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _stable(text: str) -> str:
    """Take the random end off a pod's name."""
    return _POD.sub(r"\1-*", text)


def uncounted(quotas: Iterable[Object], pods: Iterable[Object]) -> list[str]:
    """Name policies' quotas that count more or fewer pods than there are of their PriorityClass."""
    classes = [pod["spec"].get("priorityClassName") for pod in pods if not _over(pod)]
    found = []
    for quota in quotas:
        used = ((quota.get("status") or {}).get("used") or {}).get("pods")
        terms = (quota["spec"].get("scopeSelector") or {}).get("matchExpressions") or []
        mine = {name for term in terms for name in term.get("values") or []}
        if quota["metadata"]["name"].startswith("zaum-") and used != str(sum(name in mine for name in classes)):
            found.append(quota["metadata"]["name"])
    return found


def _over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}


def differences(left: Any, right: Any, path: str = "") -> list[str]:
    """Say where two states differ, one line for each place."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys: Iterable[str] = sorted({*left, *right})
        return [line for key in keys for line in _difference(key, left, right, path)]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{path}[{index}]")]
    return [] if left == right else [f"{path}: {left!r} != {right!r}"]


def _difference(key: str, left: dict[str, Any], right: dict[str, Any], path: str) -> list[str]:
    if key not in left:
        return [f"{path}.{key}: only after the calm run"]
    if key not in right:
        return [f"{path}.{key}: only after the storm"]
    return differences(left[key], right[key], f"{path}.{key}")
