"""`spec.agent`: what runs."""

from typing import Annotated, ClassVar, Literal, TypeVar

import pydantic

from zaum_api import contract
from zaum_api.v1alpha1 import model, scalars, unsupported

_OURS = sorted(contract.agent_environment())
_OURS_CEL = ", ".join(f"'{name}'" for name in _OURS)


class EnvVar(model.Model):
    """One environment variable with a plain value."""

    name: Annotated[str, scalars.text(most=128, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
    """Name of the variable. The names that Zaum sets itself (HOME and the proxy's) and the prefix ZAUM_ are refused."""
    value: Annotated[str, scalars.text(least=0, most=8192)]
    """The value, not a secret: whoever may read the policy or the pod reads it."""

    rules: ClassVar = (
        model.Rule(
            cel=f"!self.name.startsWith('ZAUM_') && !(self.name in [{_OURS_CEL}])",
            message=f"env: the prefix ZAUM_ and {', '.join(_OURS)} are set by Zaum: remove the entry",
            holds=lambda self: not self.name.startswith("ZAUM_") and self.name not in _OURS,
        ),
    )


class FileSource(model.Model):
    """Files from one ConfigMap of the policy's namespace."""

    config_map: scalars.ObjectName
    """Name of the ConfigMap; each of its keys becomes a file."""
    mount_path: Annotated[str, *scalars.mount_path("files: mountPath")]
    """Directory at which the files appear, read-only."""

    rules: ClassVar = (
        model.Rule(
            cel="!self.configMap.startsWith('zaum-')",
            message="files: a configMap that starts with zaum- belongs to Zaum: use one of your own",
            holds=lambda self: not self.config_map.startswith(contract.NAME_PREFIX),
        ),
    )


class Resources(model.Model):
    """How much of the node one agent may use. Zero is refused: to Kubernetes it would mean no limit."""

    cpu: Annotated[int | str, *scalars.quantity("resources.cpu", least="10m", most="256")] | None = None
    """Limit in cores. Default 500m."""
    memory: Annotated[int | str, *scalars.quantity("resources.memory", least="16Mi", most="4Ti")] | None = None
    """Limit and request in bytes; a container above it is killed by the kernel. Default 512Mi."""
    ephemeral_storage: (
        Annotated[int | str, *scalars.quantity("resources.ephemeralStorage", least="16Mi", most="4Ti")] | None
    ) = None
    """Limit and request in bytes for the container's logs and what it writes beside its workspace. Default 1Gi."""


class Workspace(model.Model):
    """A directory that the agent can write to, empty at each start. It is the agent's HOME."""

    size: Annotated[int | str, *scalars.quantity("workspace.size", least="1Mi", most="4Ti")] | None = None
    """Size in bytes; the kubelet evicts a pod that exceeds it. Default 1Gi."""
    mount_path: Annotated[str, *scalars.mount_path("workspace.mountPath")] | None = None
    """Where it appears. Default /workspace."""
    persistent: unsupported.Opaque | None = None
    """A workspace that survives a kill. Not supported in this version."""

    rules: ClassVar = model.unsupported("spec.agent.workspace.", "persistent")


def _files_beside_workspace(agent: "Agent") -> bool:
    workspace = agent.workspace.mount_path if agent.workspace else None
    return all(source.mount_path != (workspace or contract.WORKSPACE) for source in agent.files or ())


_WORKSPACE_CEL = (
    f"(has(self.workspace) && has(self.workspace.mountPath) ? self.workspace.mountPath : '{contract.WORKSPACE}')"
)
_Item = TypeVar("_Item", bound=model.Model)
_Argument = Annotated[str, scalars.text(least=0, most=4096)]


class Agent(model.Model):
    """The agent's container. It runs as uid 10001 without a capability, with a read-only root and no token."""

    type: Literal["Service", "Task"] | None = None
    """Service: kept running (default). Task, which runs once, is not supported in this version."""
    image: Annotated[str, scalars.text(most=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
    """Image to run, best by digest. The only field that must be there."""
    command: Annotated[list[_Argument], pydantic.Field(max_length=64)] | None = None
    """Replaces the image's entry point."""
    args: Annotated[list[_Argument], pydantic.Field(max_length=256)] | None = None
    """Arguments for the entry point."""
    working_dir: Annotated[str, scalars.text(most=256, pattern=scalars.PATH_PATTERN)] | None = None
    """Working directory; default the image's own."""
    env: (
        Annotated[
            list[EnvVar],
            pydantic.Field(
                max_length=128,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            ),
            pydantic.AfterValidator(lambda items: _distinct(items, "env", "name")),
        ]
        | None
    ) = None
    """Environment with plain values, beside what Zaum sets."""
    files: (
        Annotated[
            list[FileSource],
            pydantic.Field(
                max_length=16,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["mountPath"]},
            ),
            pydantic.AfterValidator(lambda items: _distinct(items, "files", "mount_path")),
        ]
        | None
    ) = None
    """Read-only files from ConfigMaps."""
    replicas: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    """How many pods, at most 100. Default 1; 0 runs none."""
    resources: Resources | None = None
    workspace: Workspace | None = None
    runtime_class_name: scalars.ObjectName | None = None
    """RuntimeClass for the pods, such as gvisor; default the cluster's."""
    image_pull_secrets: unsupported.OpaqueList | None = None
    """Secrets to pull the image with. Not supported in this version."""
    node_selector: unsupported.Opaque | None = None
    """Labels of the nodes that may run the agent. Not supported in this version."""
    tolerations: unsupported.OpaqueList | None = None
    """Taints that the agent tolerates. Not supported in this version."""
    liveness: unsupported.Opaque | None = None
    """The agent's own health check. Not supported in this version."""

    rules: ClassVar = (
        model.Rule(
            cel="!has(self.type) || self.type == 'Service'",
            message="spec.agent.type: Task is not supported in this version: leave it out or say Service",
            holds=lambda self: self.type in {None, "Service"},
        ),
        model.Rule(
            cel=f"!has(self.files) || self.files.all(f, f.mountPath != {_WORKSPACE_CEL})",
            message="files: mountPath must not be the workspace's mountPath: choose another directory",
            holds=_files_beside_workspace,
        ),
        *model.unsupported("spec.agent.", "imagePullSecrets", "nodeSelector", "tolerations", "liveness"),
    )


def _distinct(items: list[_Item], field: str, key: str) -> list[_Item]:
    values = [getattr(item, key) for item in items]
    if len(set(values)) < len(values):
        raise ValueError(f"{field}: two entries have the same {key}: keep one")
    return items
