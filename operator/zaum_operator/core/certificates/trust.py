"""Which agents' watchdogs have not been told of an authority: seen on their pods, not guessed from time."""

import json
from collections.abc import Iterable
from typing import Final

from zaum_api import contract, reading
from zaum_operator.core.kinds import Object

NAMED: Final = 3
"""Pods that are named in the answer; the others are counted."""


def behind(authority: str, config_maps: Iterable[Object], pods: Iterable[Object]) -> str:
    """Say whose watchdog has no document with this authority (PEM); empty when all have.

    A watchdog takes the document whose digest its pod's annotation names, so that annotation tells what it has been
    told. That the kubelet has brought it too is a matter of time.
    """
    telling = {
        (_policy(config), reading.digest(text.encode()))
        for config in config_maps
        for text in (config.get("data") or {}).values()
        if authority.strip() in _trusted(text)
    }
    late = sorted(
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods
        if _lives(pod) and (_policy(pod), _digest(pod)) not in telling
    )
    if not late:
        return ""
    more = f" and {len(late) - NAMED} more" if len(late) > NAMED else ""
    return f"not yet told: {', '.join(late[:NAMED])}{more}"


def _trusted(text: str) -> str:
    """Give the authorities that a document names; empty for what is no document of ours."""
    try:
        found = json.loads(text)["gateway"]["caPEM"]
    except (ValueError, TypeError, KeyError):
        return ""
    return found if isinstance(found, str) else ""


def _policy(obj: Object) -> tuple[str, str]:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), (metadata.get("labels") or {}).get(contract.LABEL_POLICY, "")


def _digest(pod: Object) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(contract.ANNOTATION_CONFIG_DIGEST, ""))


def _lives(pod: Object) -> bool:
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and not pod["metadata"].get("deletionTimestamp")
