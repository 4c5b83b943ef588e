"""The volumes of an agent pod, and where they are mounted: the watchdog's into the watchdog alone."""

from typing import Any, Final

from zaum_api import contract, quantities
from zaum_api.v1alpha1 import agent as agent_api
from zaum_operator.core.effective import Effective, Token
from zaum_operator.core.intent import Intent
from zaum_operator.core.render import config, sizes

_CONFIG, _TOKEN, _WORKSPACE, _TMP, _IDENTITY = "zaum-config", "zaum-token", "workspace", "tmp", "zaum-identity"
_CREDENTIALS: Final = "zaum-credentials"
_CLAIM: Final = "persistentVolumeClaim"


def of_pod(intent: Intent, agent: agent_api.Agent, effective: Effective, *, ledger: bool) -> list[dict[str, Any]]:
    """Give all volumes. A persistent workspace is that of ordinal 0 until `claimed` says otherwise."""
    ours = [_token(contract.AUDIENCE_EGRESS, contract.TOKEN_SECONDS)]
    if ledger:
        ours.append(_token(contract.AUDIENCE_LEDGER, contract.TOKEN_SECONDS, contract.LEDGER_TOKEN_PATH))
    return [
        {"name": _CONFIG, "projected": {"sources": [config.source(intent, config.NEWEST), _digest()]}},
        {"name": _TOKEN, "projected": {"sources": ours}},
        {"name": _WORKSPACE} | _workspace(intent, effective),
        {"name": _TMP, "emptyDir": {"sizeLimit": quantities.write_bytes(sizes.TMP)}},
        *_identity(effective),
        *_credentials(effective),
        *(
            {"name": f"files-{index}", "configMap": {"name": source.config_map}}
            for index, source in enumerate(files(agent))
        ),
    ]


def claimed(volumes: list[dict[str, Any]], policy: str, ordinal: int) -> list[dict[str, Any]]:
    """Give the volumes of one ordinal: each has a claim of its own."""
    claim = {"claimName": contract.claim_name(policy, ordinal)}
    return [volume | {_CLAIM: dict(claim)} if _CLAIM in volume else volume for volume in volumes]


def of_agent(agent: agent_api.Agent, effective: Effective) -> list[dict[str, Any]]:
    """Give what the agent's container mounts."""
    identity = {"name": _IDENTITY, "mountPath": contract.IDENTITY_TOKEN_DIR, "readOnly": True}
    return [
        {"name": _WORKSPACE, "mountPath": effective.workspace_path},
        {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108 - the container's, sized
        *([identity] if isinstance(effective.token, Token) else []),
        *(
            {"name": f"files-{index}", "mountPath": source.mount_path, "readOnly": True}
            for index, source in enumerate(files(agent))
        ),
    ]


def of_watchdog(effective: Effective) -> list[dict[str, Any]]:
    """Give what the watchdog's container mounts; the credentials of routes nobody else does."""
    credentials = {"name": _CREDENTIALS, "mountPath": contract.CREDENTIALS_DIR, "readOnly": True}
    return [
        *([credentials] if secrets(effective) else []),
        {"name": _CONFIG, "mountPath": contract.CONFIG_DIR, "readOnly": True},
        {"name": _TOKEN, "mountPath": contract.TOKEN_DIR, "readOnly": True},
    ]


def files(agent: agent_api.Agent) -> list[agent_api.FileSource]:
    """Give the files in one order, whatever the order in the spec: it means nothing there."""
    return sorted(agent.files or (), key=lambda source: source.mount_path)


def secrets(effective: Effective) -> list[tuple[str, str, str]]:
    """Give the route, Secret and key of each credential, in one order."""
    return sorted((route.name, route.secret, route.key) for route in effective.named if route.secret)


def _credentials(effective: Effective) -> list[dict[str, Any]]:
    """Give the volume of credentials. One that is not there keeps no pod waiting: its route says so, alone."""
    sources = [
        {
            "secret": {
                "name": secret,
                "items": [{"key": key, "path": f"{route}/{contract.credential_file(secret, key)}"}],
                "optional": True,
            }
        }
        for route, secret, key in secrets(effective)
    ]
    return [{"name": _CREDENTIALS, "projected": {"sources": sources}}] if sources else []


def _digest() -> dict[str, Any]:
    field = {"fieldPath": f"metadata.annotations['{contract.ANNOTATION_CONFIG_DIGEST}']"}
    path = contract.CONFIG_DIGEST_PATH.removeprefix(f"{contract.CONFIG_DIR}/")
    return {"downwardAPI": {"items": [{"path": path, "fieldRef": field}]}}


def _token(audience: str, seconds: int, place: str = contract.TOKEN_PATH) -> dict[str, Any]:
    """Give the source of a token bound to the pod; the agent's own lies in a file of the same name as ours."""
    path = place.removeprefix(f"{contract.TOKEN_DIR}/")
    return {"serviceAccountToken": {"audience": audience, "expirationSeconds": seconds, "path": path}}


def _workspace(intent: Intent, effective: Effective) -> dict[str, Any]:
    if effective.persistent is not None:
        return {_CLAIM: {"claimName": contract.claim_name(intent.key.name, 0)}}
    return {"emptyDir": {"sizeLimit": quantities.write_bytes(effective.sizes.workspace)}}


def _identity(effective: Effective) -> list[dict[str, Any]]:
    token = effective.token
    if not isinstance(token, Token):
        return []
    return [{"name": _IDENTITY, "projected": {"sources": [_token(token.audience, token.seconds)]}}]
