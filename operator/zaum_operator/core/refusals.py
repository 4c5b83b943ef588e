"""What a spec asks that ceilings do not allow and that cannot be lowered to fit: then no pod of the policy runs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from zaum_api.v1alpha1 import agent as agent_api
from zaum_egress import hosts
from zaum_operator.core import tolerations
from zaum_operator.core.ceilings import Ceilings, Stated

_DIGEST: Final = re.compile(r".+@sha256:[0-9a-f]{64}")
_REGISTRY: Final = re.compile(r"(localhost|.*[.:].*)")
"""What makes the first part of an image's name a registry; without one the container runtime puts in its own."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that keeps a policy's pods from running. Without `ceiling`: a grant that no ceiling gives."""

    field: str
    ceiling: str
    text: str


def of_agent(agent: agent_api.Agent, ceilings: Ceilings) -> tuple[Refusal, ...]:
    """Give everything about an agent that is refused, the image first."""
    return (*_image(agent.image, ceilings), *_runtime(agent.runtime_class_name, ceilings),
            *_nodes(agent, ceilings), *_tolerations(agent, ceilings))  # fmt: skip


def allows_host(allowed: tuple[hosts.Pattern, ...], asked: hosts.Pattern) -> bool:
    """Say whether every name that `asked` names is named by one of `allowed`."""
    return any(_inside(pattern, asked) for pattern in allowed)


def _inside(allowed: hosts.Pattern, asked: hosts.Pattern) -> bool:
    if allowed == asked:
        return True
    return allowed.wildcard and not asked.wildcard and asked.host.name.partition(".")[2] == allowed.host.name


def _image(image: str, ceilings: Ceilings) -> Iterator[Refusal]:
    first = image.partition("/")[0]
    named = "/" in image and _REGISTRY.fullmatch(first) is not None
    for stated in ceilings.registries:
        if not (named and image.startswith(stated.value)):
            text = f"allows images from {_listed(stated)}; use one of these, or ask its owner"
            yield Refusal("spec.agent.image", stated.ceiling, text)
    for ceiling in ceilings.digest:
        if not _DIGEST.fullmatch(image):
            yield Refusal("spec.agent.image", ceiling, "wants images by digest: write …@sha256:<64 hex digits>")


def _runtime(name: str | None, ceilings: Ceilings) -> Iterator[Refusal]:
    for stated in ceilings.runtime_classes:
        if name not in stated.value:
            yield Refusal("spec.agent.runtimeClassName", stated.ceiling, f"wants one of {_listed(stated)}")


def _nodes(agent: agent_api.Agent, ceilings: Ceilings) -> Iterator[Refusal]:
    for key, value in sorted((agent.node_selector or {}).items()):
        asked = f"{key}={value}"
        if not ceilings.nodes:
            yield _ungranted("spec.agent.nodeSelector", asked)
        for stated in ceilings.nodes:
            if value not in dict(stated.value).get(key, ()):
                yield Refusal("spec.agent.nodeSelector", stated.ceiling, f"does not grant {asked}")


def _tolerations(agent: agent_api.Agent, ceilings: Ceilings) -> Iterator[Refusal]:
    for raw in agent.tolerations or ():
        asked = tolerations.read(raw.model_dump(by_alias=True))
        if not ceilings.tolerations:
            yield _ungranted("spec.agent.tolerations", asked.text)
        for stated in ceilings.tolerations:
            if not any(tolerations.covers(granted, asked) for granted in stated.value):
                yield Refusal("spec.agent.tolerations", stated.ceiling, f"does not grant {asked.text}")


def _ungranted(field: str, asked: str) -> Refusal:
    return Refusal(field, "", f"{asked} is granted by no AgentCeiling of this namespace: remove it, or have it granted")


def _listed(stated: Stated[tuple[str, ...]]) -> str:
    return ", ".join(stated.value[:5]) + (" and others" if len(stated.value) > 5 else "") or "nowhere"
