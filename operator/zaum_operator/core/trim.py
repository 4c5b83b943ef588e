"""Keep of an object only what decisions look at: a thousand policies are ten thousand objects in memory.

Field names are shared between objects (`Words`): a parser makes new ones for each object that it reads.
"""

from typing import Any, Final

from zaum_operator.core import kinds
from zaum_operator.core.kinds import Kind, Object

Words = dict[str, str]
"""One string for all that are equal to it."""
_WORDS_MAX: Final = 20_000
_METADATA_DROPPED: Final = frozenset({"managedFields", "selfLink", "generateName"})
_ANNOTATIONS_DROPPED: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
_POD_SPEC: Final = frozenset(
    {"activeDeadlineSeconds", "initContainers", "containers", "ephemeralContainers", "nodeName", "nodeSelector",
     "priorityClassName", "serviceAccountName", "terminationGracePeriodSeconds", "hostUsers", "runtimeClassName",
     "tolerations", "imagePullSecrets", "restartPolicy"}
)  # fmt: skip
_CONTAINER: Final = frozenset({"name", "image", "resources", "restartPolicy"})
_POD_STATUS: Final = frozenset(
    {"phase", "reason", "message", "conditions", "initContainerStatuses", "containerStatuses", "startTime"}
)
_CONDITION_DROPPED: Final = frozenset({"lastProbeTime"})
_CONTAINER_STATUS_DROPPED: Final = frozenset(
    {"containerID", "resources", "allocatedResources", "volumeMounts", "user", "allocatedResourcesStatus"}
)
_WITHOUT_STATUS: Final = frozenset({kinds.QUOTA, kinds.SERVICE, kinds.NETWORK_POLICY, kinds.CEILING})
"""Kinds whose status nobody here looks at: the quota controller writes one at each change of a pod."""


def of(kind: Kind, obj: Object, words: Words) -> Object:
    """Give a trimmed copy that shares no container with the object."""
    if len(words) > _WORDS_MAX:
        words.clear()
    kept = {key: value for key, value in obj.items() if not (key == "status" and kind in _WITHOUT_STATUS)}
    kept["metadata"] = _metadata(obj["metadata"])
    if kind is kinds.POD:
        kept["spec"] = _pod_spec(obj.get("spec") or {})
        kept["status"] = _pod_status(obj.get("status") or {})
    copied: Object = _copied(kept, words)
    return copied


def _metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key not in _METADATA_DROPPED}
    if annotations := metadata.get("annotations"):
        kept["annotations"] = {key: value for key, value in annotations.items() if key not in _ANNOTATIONS_DROPPED}
    return kept


def _pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key in _POD_SPEC}
    for part in ("initContainers", "containers", "ephemeralContainers"):
        if part in kept:
            kept[part] = [{k: v for k, v in item.items() if k in _CONTAINER} for item in kept[part] or ()]
    return kept


def _pod_status(status: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in status.items() if key in _POD_STATUS}
    if "conditions" in kept:
        kept["conditions"] = _without(kept["conditions"], _CONDITION_DROPPED)
    for part in ("initContainerStatuses", "containerStatuses"):
        if part in kept:
            kept[part] = _without(kept[part], _CONTAINER_STATUS_DROPPED)
    return kept


def _without(items: Any, dropped: frozenset[str]) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
    return [{key: value for key, value in item.items() if key not in dropped} for item in items or ()]


def _copied(value: Any, words: Words) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {words.setdefault(key, key): _copied(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, words) for item in value]
    return value
