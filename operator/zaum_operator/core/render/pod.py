"""The agent pod: the agent's container in its cage, and the watchdog beside it as a native sidecar.

Every object passes Pod Security `restricted`. The agent has no token, no answering name server, no capability and no
writable root; both containers share the network and the process table, under two uids.
"""

from typing import Any, Final

from zaum_api import contract, reading
from zaum_api.v1alpha1 import agent as agent_api
from zaum_operator.core import kinds, tolerations
from zaum_operator.core.effective import Effective, Token
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import config, metadata, quota, sizes, volumes
from zaum_operator.core.snapshot import Site

GRACE_SECONDS: Final = 2
"""What an agent that is contained has to end by itself: the least that a kubelet gives. A deletion asks for more."""
_STARTED_WITHIN: Final = 60
"""Seconds until a watchdog that does not answer is ended."""
_PROVEN_WITHIN: Final = 86_400
"""Where a proof is required the answer is no until there is one. A pod that waits says why, one that ends does not."""


def template(intent: Intent, agent: agent_api.Agent, effective: Effective, site: Site) -> Object:
    """Give the pod without what differs between its ordinals, with its configuration, and its lifetime."""
    pod: Object = {
        "apiVersion": kinds.POD.api_version,
        "kind": kinds.POD.name,
        "metadata": {
            "namespace": intent.key.namespace,
            "labels": metadata.labels(intent)
            | {
                contract.LABEL_AGENT: contract.LABEL_AGENT_VALUE,
                contract.LABEL_TYPE: "Task" if effective.task else "Service",
            },
            "ownerReferences": [metadata.owner(intent)],
        },
        "spec": _spec(intent, agent, effective, site),
    }
    return pod


def digest(pod: Object, agent: agent_api.Agent, effective: Effective, site: Site) -> str:
    """Give the digest of the author's part of a template: a pod with another one is replaced now.

    Another spelling or order of the same has the same digest, and so has another rendering of it: a new version of the
    operator must not replace every agent at once (`installation.digest` says when a pod is to be replaced in turn).
    """
    spec = pod["spec"]
    token = effective.token if isinstance(effective.token, Token) else None
    author = {
        "image": agent.image,
        "command": agent.command or [],
        "args": agent.args or [],
        "workingDir": agent.working_dir or "",
        "env": _theirs(agent),
        "files": [[source.config_map, source.mount_path] for source in volumes.files(agent)],
        "pullSecrets": spec.get("imagePullSecrets", []),
        "runtimeClass": agent.runtime_class_name or "",
        "nodeSelector": spec.get("nodeSelector", {}),
        "tolerations": spec.get("tolerations", []),
        "hostUsers": False if effective.host_users is False and site.host_users else None,
        "sizes": [effective.sizes.cpu_millis, effective.sizes.memory, effective.sizes.ephemeral],
        "tunnels": sizes.tunnels(effective),
        "workspace": [effective.workspace_path, None if effective.persistent else effective.sizes.workspace],
        "token": [token.audience, token.seconds] if token else [],
    }
    if effective.named:
        # Absent without routes: pods that are older than routes have the digest that they had.
        author["routes"] = [sorted(_routed(agent, effective).items()), volumes.secrets(effective)]
    return reading.digest(reading.canonical(author))


def render(
    pod: Object,
    author: str,
    *,
    site: str = "",
    ordinal: int,
    suffix: str,
    config_digest: str,
    failures: int,
    lifetime: int | None = None,
) -> Object:
    """Give one pod of a template; the template must be fresh, it is built upon. `author` and `site` are digests.

    `lifetime` is in seconds.
    """
    annotations = {
        contract.ANNOTATION_TEMPLATE: author,
        contract.ANNOTATION_SITE: site,
        contract.ANNOTATION_CONFIG_DIGEST: config_digest,
        contract.ANNOTATION_CONFIG_VERSION: config.NEWEST,
        contract.ANNOTATION_FAILURES: str(failures),
    }
    policy = pod["metadata"]["labels"][contract.LABEL_POLICY]
    # The kubelet counts it from the pod's start and needs nobody for it.
    bounded = {} if lifetime is None else {"activeDeadlineSeconds": lifetime}
    return pod | {
        "metadata": pod["metadata"]
        | {
            "name": contract.pod_name(policy, ordinal, suffix),
            "labels": labels(pod, ordinal),
            "annotations": annotations,
        },
        "spec": pod["spec"] | bounded | {"volumes": volumes.claimed(pod["spec"]["volumes"], policy, ordinal)},
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
        "volumes": volumes.of_pod(intent, agent, effective, ledger=site.ledger),
    }
    if effective.persistent is not None:
        # A volume that belongs to root is no workspace; only then, because the group opens every volume that has one.
        spec["securityContext"] |= {"fsGroup": contract.AGENT_UID, "fsGroupChangePolicy": "OnRootMismatch"}
    if not site.namespaced:
        spec["priorityClassName"] = quota.priority_class_name(intent.key)
    return spec | _scheduling(agent, effective, site)


def _scheduling(agent: agent_api.Agent, effective: Effective, site: Site) -> dict[str, Any]:
    """Give what the spec says about nodes, runtime and registry; what it does not say is absent."""
    # A policy may only tighten: where the installation gives user namespaces, every agent gets one.
    host_users = site.host_users and effective.host_users is not False
    secrets = sorted(secret.name for secret in agent.image_pull_secrets or ())
    tolerated = [
        tolerations.write(tolerations.read(item.model_dump(by_alias=True))) for item in agent.tolerations or ()
    ]
    optional: dict[str, Any] = {
        "hostUsers": None if host_users else False,
        "runtimeClassName": agent.runtime_class_name,
        "nodeSelector": dict(agent.node_selector or {}) or None,
        "tolerations": sorted(tolerated, key=reading.canonical) or None,
        "imagePullSecrets": [{"name": name} for name in secrets] or None,
    }
    return {key: value for key, value in optional.items() if value is not None}


def _agent(agent: agent_api.Agent, effective: Effective, site: Site) -> dict[str, Any]:
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
        "volumeMounts": volumes.of_agent(agent, effective),
    }
    optional = {"command": agent.command, "args": agent.args, "workingDir": agent.working_dir}
    return container | {
        key: list(value) if isinstance(value, list) else value for key, value in optional.items() if value
    }


def _environment(agent: agent_api.Agent, effective: Effective) -> list[dict[str, str]]:
    ours = _routed(agent, effective) | contract.agent_environment() | {"HOME": effective.workspace_path}
    if isinstance(effective.token, Token):
        ours |= {contract.ENV_IDENTITY_TOKEN_FILE: contract.IDENTITY_TOKEN_PATH}
    return [{"name": name, "value": value} for name, value in (dict(_theirs(agent)) | ours).items()]


def _routed(agent: agent_api.Agent, effective: Effective) -> dict[str, str]:
    """Give the variables of routes. What clients of a provider read is the author's to set; a base URL is not."""
    said = {item.name for item in agent.env or ()}
    ours, theirs = contract.route_environment((route.name, route.api) for route in effective.named)
    return {name: value for name, value in theirs.items() if name not in said} | ours


def _theirs(agent: agent_api.Agent) -> list[tuple[str, str]]:
    """Give the author's variables by name: their order means something only where one refers to another."""
    theirs = [(item.name, item.value) for item in agent.env or ()]
    return theirs if any("$(" in value for _, value in theirs) else sorted(theirs)


def _watchdog(effective: Effective, site: Site) -> dict[str, Any]:
    return {
        "name": contract.CONTAINER_WATCHDOG,
        "image": site.watchdog_image,
        "imagePullPolicy": site.image_pull_policy,
        "restartPolicy": "Always",
        "env": [
            _downward(contract.ENV_NODE_ADDRESSES, "status.hostIPs"),
            _downward(contract.ENV_ORDINAL, f"metadata.labels['{contract.LABEL_ORDINAL}']"),
        ],
        "resources": sizes.watchdog(effective).resources(),
        "securityContext": _security(contract.WATCHDOG_UID),
        # The agent starts only after this has passed.
        "startupProbe": {
            **_get(contract.PROBE_HEALTH),
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": _PROVEN_WITHIN if effective.require_proof else _STARTED_WITHIN,
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
        "volumeMounts": volumes.of_watchdog(effective),
    }


def _downward(variable: str, path: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"fieldRef": {"fieldPath": path}}}


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
