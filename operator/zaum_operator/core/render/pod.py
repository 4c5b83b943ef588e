"""The agent pod: the agent's container in its cage, and the watchdog beside it as a native sidecar.

Every object passes Pod Security `restricted`. The agent has no token, no answering name server, no capability and no
writable root; both containers share the network and the process table, under two uids.
"""

from typing import Any, Final

from zaum_api import contract, quantities, reading
from zaum_api.v1alpha1 import agent as agent_api
from zaum_operator.core import kinds
from zaum_operator.core.effective import Effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import config, metadata, quota, sizes
from zaum_operator.core.snapshot import Site

GRACE_SECONDS: Final = 5
_CONFIG, _TOKEN, _WORKSPACE, _TMP = "zaum-config", "zaum-token", "workspace", "tmp"


def template(intent: Intent, agent: agent_api.Agent, effective: Effective, site: Site) -> Object:
    """Give the pod without what differs between its ordinals and with its configuration."""
    pod: Object = {
        "apiVersion": kinds.POD.api_version,
        "kind": kinds.POD.name,
        "metadata": {
            "namespace": intent.key.namespace,
            "labels": metadata.labels(intent) | {contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE},
            "ownerReferences": [metadata.owner(intent)],
        },
        "spec": _spec(intent, agent, effective, site),
    }
    return pod


def digest(pod: Object) -> str:
    """Give the digest of a template: a pod with another one is outdated."""
    return reading.digest(reading.canonical(pod))


def render(pod: Object, *, ordinal: int, suffix: str, config_digest: str, failures: int) -> Object:
    """Give one pod of a template; the template must be fresh, it is built upon."""
    annotations = {
        contract.ANNOTATION_TEMPLATE: digest(pod),
        contract.ANNOTATION_CONFIG_DIGEST: config_digest,
        contract.ANNOTATION_CONFIG_VERSION: config.NEWEST,
        contract.ANNOTATION_FAILURES: str(failures),
    }
    policy = pod["metadata"]["labels"][contract.LABEL_POLICY]
    return pod | {
        "metadata": pod["metadata"]
        | {
            "name": contract.pod_name(policy, ordinal, suffix),
            "labels": labels(pod, ordinal),
            "annotations": annotations,
        }
    }


def labels(pod: Object, ordinal: int) -> dict[str, str]:
    """Give all labels of one pod of a template."""
    return dict(pod["metadata"]["labels"]) | {contract.LABEL_ORDINAL: str(ordinal)}


def _spec(intent: Intent, agent: agent_api.Agent, effective: Effective, site: Site) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceAccountName": contract.child_name(intent.key.name),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "priorityClassName": quota.priority_class_name(intent.key),
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": contract.AGENT_UID,
            "runAsGroup": contract.AGENT_UID,
            "seccompProfile": {"type": "RuntimeDefault"},
            # No group may open ping sockets: ICMP would be a way past the proxy where a CNI lets it through.
            "sysctls": [{"name": "net.ipv4.ping_group_range", "value": "1 0"}],
        },
        "initContainers": [_watchdog(effective, site)],
        "containers": [_agent(agent, effective, site)],
        "volumes": _volumes(intent, agent, effective),
    }
    if agent.runtime_class_name is not None:
        spec["runtimeClassName"] = agent.runtime_class_name
    return spec


def _agent(agent: agent_api.Agent, effective: Effective, site: Site) -> dict[str, Any]:
    files = agent.files or ()
    container: dict[str, Any] = {
        "name": contract.CONTAINER_AGENT,
        "image": agent.image,
        "imagePullPolicy": site.image_pull_policy,
        "env": _environment(agent, effective),
        "resources": sizes.agent(effective).resources(),
        "securityContext": _security(contract.AGENT_UID),
        "livenessProbe": {
            **_get(contract.PROBE_AGENT_LIVE),
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 2,
            "terminationGracePeriodSeconds": 1,
        },
        "readinessProbe": {
            **_get(contract.PROBE_AGENT_READY),
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 2,
        },
        "volumeMounts": [
            {"name": _WORKSPACE, "mountPath": effective.workspace_path},
            {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108 - the container's, sized
            *(
                {"name": f"files-{index}", "mountPath": source.mount_path, "readOnly": True}
                for index, source in enumerate(files)
            ),
        ],
    }
    optional = {"command": agent.command, "args": agent.args, "workingDir": agent.working_dir}
    return container | {
        key: list(value) if isinstance(value, list) else value for key, value in optional.items() if value
    }


def _environment(agent: agent_api.Agent, effective: Effective) -> list[dict[str, str]]:
    ours = contract.agent_environment() | {"HOME": effective.workspace_path}
    theirs = {item.name: item.value for item in agent.env or ()}
    return [{"name": name, "value": value} for name, value in (theirs | ours).items()]


def _watchdog(effective: Effective, site: Site) -> dict[str, Any]:
    return {
        "name": contract.CONTAINER_WATCHDOG,
        "image": site.watchdog_image,
        "imagePullPolicy": site.image_pull_policy,
        "restartPolicy": "Always",
        "resources": sizes.watchdog(effective).resources(),
        "securityContext": _security(contract.WATCHDOG_UID),
        # The agent starts only after this has passed.
        "startupProbe": {
            **_get(contract.PROBE_HEALTH),
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 60,
        },
        "livenessProbe": {
            **_get(contract.PROBE_HEALTH),
            "periodSeconds": 2,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        },
        "readinessProbe": {
            **_get(contract.PROBE_HEALTH),
            "periodSeconds": 2,
            "timeoutSeconds": 3,
            "failureThreshold": 1,
        },
        "volumeMounts": [
            {"name": _CONFIG, "mountPath": contract.CONFIG_DIR, "readOnly": True},
            {"name": _TOKEN, "mountPath": contract.TOKEN_DIR, "readOnly": True},
        ],
    }


def _get(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": contract.PROBE_PORT, "scheme": "HTTP"}}


def _security(uid: int) -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _volumes(intent: Intent, agent: agent_api.Agent, effective: Effective) -> list[dict[str, Any]]:
    annotation = f"metadata.annotations['{contract.ANNOTATION_CONFIG_DIGEST}']"
    digest_file = contract.CONFIG_DIGEST_PATH.removeprefix(f"{contract.CONFIG_DIR}/")
    brought = [
        config.source(intent, config.NEWEST),
        {"downwardAPI": {"items": [{"path": digest_file, "fieldRef": {"fieldPath": annotation}}]}},
    ]
    token = {
        "audience": contract.AUDIENCE_EGRESS,
        "expirationSeconds": contract.TOKEN_SECONDS,
        "path": contract.TOKEN_PATH.removeprefix(f"{contract.TOKEN_DIR}/"),
    }
    return [
        {"name": _CONFIG, "projected": {"sources": brought}},
        {"name": _TOKEN, "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": _WORKSPACE, "emptyDir": {"sizeLimit": quantities.write_bytes(effective.sizes.workspace)}},
        {"name": _TMP, "emptyDir": {"sizeLimit": quantities.write_bytes(sizes.TMP)}},
        *(
            {"name": f"files-{index}", "configMap": {"name": source.config_map}}
            for index, source in enumerate(agent.files or ())
        ),
    ]
