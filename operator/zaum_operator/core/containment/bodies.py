"""A pod as containment looks at it: is anything of it running, is it cut off, may its object go."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zaum_api import contract, documents
from zaum_operator.core import pods
from zaum_operator.core.containment.incident import Ref
from zaum_operator.core.kinds import Object


@dataclass(frozen=True, slots=True)
class Body:
    """One pod object that the API server shows."""

    ref: Ref
    labels: Mapping[str, str]
    ended: bool
    """Its phase is Failed or Succeeded."""
    running: tuple[str, ...]
    """Containers that run, as their node says."""
    scheduled: bool
    terminating: bool
    deadline: int | None
    word: documents.LastWord | None
    """What its watchdog ended the agent for, as far as the API shows it."""
    images: tuple[str, ...]
    """The agent's image as its spec names it, and by digest where the node has said one."""

    @property
    def dead(self) -> bool:
        """Say whether every container has terminated, or none ever ran and none will."""
        return self.ended and not self.running

    @property
    def labelled(self) -> bool:
        """Say whether it carries the label by which only the guard selects it."""
        return self.labels.get(contract.LABEL_QUARANTINED) == "true"

    @property
    def cut_off(self) -> bool:
        """Say whether it is labelled, and its kubelet has been told to end it."""
        return self.labelled and self.deadline == pods.ENDING_SECONDS


def read(pod: Object) -> Body:
    """Read a pod as the API server gives it."""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    statuses = [*_statuses(status, "initContainerStatuses"), *_statuses(status, "containerStatuses")]
    return Body(
        ref=Ref(metadata["name"], metadata.get("uid", "")),
        labels=metadata.get("labels") or {},
        ended=status.get("phase") in {"Failed", "Succeeded"},
        running=tuple(str(item.get("name")) for item in statuses if "running" in (item.get("state") or {})),
        scheduled=bool(spec.get("nodeName") or statuses) or status.get("phase") not in {None, "Pending"},
        terminating=bool(metadata.get("deletionTimestamp")),
        deadline=spec.get("activeDeadlineSeconds"),
        word=pods.read(pod).last_word,
        images=_images(spec, statuses),
    )


def digest_of(image: str) -> str:
    """Give what tells an image from another: its digest where it has one, else all of its name."""
    return image.rpartition("@")[2] or image


def _statuses(status: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    return [dict(item) for item in status.get(part) or ()]


def _images(spec: Mapping[str, Any], statuses: list[dict[str, Any]]) -> tuple[str, ...]:
    named = [item.get("image") for item in spec.get("containers") or () if item.get("name") == contract.CONTAINER_AGENT]
    found = [item.get("imageID") for item in statuses if item.get("name") == contract.CONTAINER_AGENT]
    pulled = [str(image).rpartition("://")[2] for image in found if "@sha256:" in str(image)]
    return tuple(dict.fromkeys(str(image) for image in [*named, *pulled] if image))
