"""`spec.agent`: what runs."""

from typing import Annotated, ClassVar, Literal

import pydantic

from zaum_api import contract
from zaum_api.v1alpha1 import lists, model, scalars, scheduling
from zaum_api.v1alpha1 import liveness as liveness_api

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
    """Files from one ConfigMap of the policy's namespace, which the policy's author must be allowed to read."""

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


class PullSecret(model.Model):
    """One Secret that the kubelet pulls the image with; the agent never sees it."""

    name: scalars.ObjectName
    """Name of a Secret of the policy's namespace, which the policy's author must be allowed to read."""

    rules: ClassVar = (
        model.Rule(
            cel="!self.name.startsWith('zaum-')",
            message="imagePullSecrets: a Secret that starts with zaum- belongs to Zaum: use one of your own",
            holds=lambda self: not self.name.startswith(contract.NAME_PREFIX),
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


class Persistent(model.Model):
    """Keeps the workspace in a PersistentVolumeClaim per replica, which goes only with the policy."""

    storage_class: scalars.ObjectName | None = None
    """StorageClass of the claim. Default the cluster's. The claim keeps the one that it was made with."""


class Workspace(model.Model):
    """A directory that the agent can write to, empty at each start unless it is persistent. It is the agent's HOME."""

    size: Annotated[int | str, *scalars.quantity("workspace.size", least="1Mi", most="4Ti")] | None = None
    """Size in bytes; the kubelet evicts a pod that exceeds it, or it is the claim's size. Default 1Gi."""
    mount_path: Annotated[str, *scalars.mount_path("workspace.mountPath")] | None = None
    """Where it appears. Default /workspace."""
    persistent: Persistent | None = None
    """Makes the workspace survive a kill and a new pod; {} takes the cluster's StorageClass. Default none."""


def _files_beside_workspace(agent: "Agent") -> bool:
    workspace = agent.workspace.mount_path if agent.workspace else None
    return all(source.mount_path != (workspace or contract.WORKSPACE) for source in agent.files or ())


_WORKSPACE_CEL = (
    f"(has(self.workspace) && has(self.workspace.mountPath) ? self.workspace.mountPath : '{contract.WORKSPACE}')"
)
_IS_TASK_CEL = "has(self.type) && self.type == 'Task'"
_Argument = Annotated[str, scalars.text(least=0, most=4096)]


class Agent(model.Model):
    """The agent's container. It runs as uid 10001 without a capability, with a read-only root and no token."""

    type: Literal["Service", "Task"] | None = None
    """Service: kept running. Task: runs once in one pod that is never restarted or replaced; its outcome is the
    condition Succeeded. The type of a policy cannot be changed, nor the agent of a Task. Default Service."""
    image: Annotated[str, scalars.text(most=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
    """Image to run, best by digest. The only field that must be there."""
    image_pull_secrets: Annotated[list[PullSecret], *lists.keyed("imagePullSecrets", "name", most=8)] | None = None
    """Secrets that the kubelet may pull the image with. Default none."""
    command: Annotated[list[_Argument], lists.bounded(most=64)] | None = None
    """Replaces the image's entry point. Default the image's own."""
    args: Annotated[list[_Argument], lists.bounded(most=256)] | None = None
    """Arguments for the entry point. Default the image's own."""
    working_dir: Annotated[str, scalars.text(most=256, pattern=scalars.PATH_PATTERN)] | None = None
    """Working directory. Default the image's own."""
    env: Annotated[list[EnvVar], *lists.keyed("env", "name", most=128)] | None = None
    """Environment with plain values, beside what Zaum sets. Default none."""
    files: Annotated[list[FileSource], *lists.keyed("files", "mountPath", most=16)] | None = None
    """Read-only files from ConfigMaps. Default none."""
    replicas: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    """How many pods, at most 100. Default 1; 0 runs none. A Task has one."""
    resources: Resources | None = None
    workspace: Workspace | None = None
    liveness: liveness_api.Liveness | None = None
    runtime_class_name: scalars.ObjectName | None = None
    """RuntimeClass for the pods, such as gvisor. Default the cluster's."""
    host_users: bool | None = None
    """false runs the pods in a user namespace of their own, where node and runtime can. Default the installation's,
    which true does not loosen."""
    node_selector: scheduling.NodeSelector | None = None
    """Labels of the nodes that may run the agent. Default any node. A ceiling must grant each label."""
    tolerations: Annotated[list[scheduling.Toleration], lists.bounded(most=16)] | None = None
    """Taints that the agent tolerates. Default none. A ceiling must grant each."""

    rules: ClassVar = (
        model.Rule(
            cel=f"!({_IS_TASK_CEL}) || !has(self.replicas) || self.replicas == 1",
            message="spec.agent.replicas of a Task must be absent or 1: it runs once, in one pod",
            holds=lambda self: self.type != "Task" or self.replicas in {None, 1},
        ),
        model.Rule(
            cel=f"!has(self.files) || self.files.all(f, f.mountPath != {_WORKSPACE_CEL})",
            message="files: mountPath must not be the workspace's mountPath: choose another directory",
            holds=_files_beside_workspace,
        ),
    )
    transitions: ClassVar = (
        model.Transition(
            cel=f"({_IS_TASK_CEL}) == (has(oldSelf.type) && oldSelf.type == 'Task')",
            message="spec.agent.type cannot be changed: delete the policy and make another",
        ),
        model.Transition(
            cel=f"!({_IS_TASK_CEL}) || self == oldSelf",
            message="spec.agent of a Task cannot be changed, for it runs once: make another policy",
        ),
    )
