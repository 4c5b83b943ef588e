"""People with a kubeconfig of their own, who use `zaum`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import kubernetes.config
import yaml

from tests.support.e2e.admission import until_allowed
from tests.support.e2e.api import Api, Object, service_account
from zaum_api import contract, incidents

GROUP: Final = "rbac.authorization.k8s.io"
RESPONDER: list[Object] = [
    {
        "apiGroups": [contract.GROUP],
        "resources": ["incidents"],
        "verbs": ["get", "list", "watch", "create", "patch", incidents.RELEASE_VERB],
    },
    {"apiGroups": [contract.GROUP], "resources": ["agentpolicies"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
]
"""The rights of somebody who may contain and release."""


class Person:
    """Somebody with a kubeconfig and the rights of one Role, who uses `zaum`."""

    def __init__(self, api: Api, namespace: str, name: str, rules: list[Object], folder: Path) -> None:
        """Make the identity, its Role and its kubeconfig."""
        self.user = service_account(namespace, name)
        self._namespace = namespace
        meta = {"name": name, "namespace": namespace}
        api.apply("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        api.apply("roles", {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": meta, "rules": rules})
        binding = {
            "apiVersion": f"{GROUP}/v1", "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }  # fmt: skip
        api.apply("rolebindings", binding)
        until_allowed(lambda: api.as_user(self.user).items("incidents", namespace))
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token = json.loads(api.send("POST", path, asked).data)["status"]["token"]
        self._kubeconfig = folder / f"{name}.conf"
        self._kubeconfig.write_text(yaml.safe_dump(_kubeconfig(token)))

    def zaum(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace."""
        command = [
            sys.executable,
            "-m",
            "zaum_cli",
            *words,
            "-n",
            self._namespace,
            "--kubeconfig",
            str(self._kubeconfig),
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _kubeconfig(token: str) -> Object:
    """Give the current context's cluster with another user."""
    _, active = kubernetes.config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
    path = Path(kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION.split(":")[0]).expanduser()
    own: dict[str, Any] = yaml.safe_load(path.read_text())
    named = next(item["cluster"] for item in own["clusters"] if item["name"] == active["context"]["cluster"])
    cluster = dict(named)
    if not Path(cluster.get("certificate-authority", "/")).is_absolute():
        cluster["certificate-authority"] = str(path.parent / cluster["certificate-authority"])
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }  # fmt: skip
