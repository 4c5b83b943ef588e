"""Render the objects that every start applies: cluster DNS, and the policy engine's right to read. Pure."""

from typing import Any

from tests.cluster import addresses, configuration, pki

Document = dict[str, Any]


def cluster_role(name: str, rules: list[Document], subject: Document) -> list[Document]:
    """Return a ClusterRole and its binding."""
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [subject],
        },
    ]


def read(group: str, *resources: str) -> Document:
    """Return a rule that lets its subject follow resources."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": ["get", "list", "watch"]}


def network_policies() -> list[Document]:
    """Let the policy engine follow what it decides by."""
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": pki.NETWORK_POLICIES_USER}
    rules = [read("", "pods", "namespaces", "nodes"), read("networking.k8s.io", "networkpolicies")]
    return cluster_role("zaum-cluster:network-policies", rules, user)


def kwok() -> list[Document]:
    """Let the player of nodes and pods do what kubelets may."""
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": pki.KWOK_USER}
    rules = [
        read("", "nodes", "pods"),
        {"apiGroups": [""], "resources": ["nodes/status", "pods/status"], "verbs": ["patch", "update"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete", "patch", "update"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch", "update"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "patch", "update"]},
        read("coordination.k8s.io", "leases"),
    ]
    return cluster_role("zaum-cluster:kwok", rules, user)


def fake_nodes() -> list[Document]:
    """Return the nodes that are played."""
    return [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}
        for name in addresses.FAKE_NODES
    ]


def cluster_dns(image: str) -> list[Document]:
    """Return CoreDNS behind the Service that pods have as their name server, labelled as everywhere."""
    labels = {"k8s-app": "kube-dns"}
    account = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    rules = [read("", "services", "namespaces", "pods"), read("discovery.k8s.io", "endpointslices")]
    ports = [("dns", "UDP", 53), ("dns-tcp", "TCP", 53)]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "coredns", "namespace": "kube-system"}},
        *cluster_role("system:coredns", rules, account),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "coredns", "namespace": "kube-system"},
            "data": {"Corefile": configuration.corefile()},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": dict(labels)},
            "spec": {
                "selector": dict(labels),
                "clusterIP": addresses.CLUSTER_DNS_IPV4,
                "ports": [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in ports],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "coredns", "namespace": "kube-system", "labels": dict(labels)},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": dict(labels)},
                "template": {"metadata": {"labels": dict(labels)}, "spec": dns_pod(image)},
            },
        },
    ]


def dns_pod(image: str) -> Document:
    """Return CoreDNS's pod; it listens on 53 itself, since policies name the port that a pod really has."""
    return {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "priorityClassName": "system-cluster-critical",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "containers": [
            {
                "name": "coredns",
                "image": image,
                "imagePullPolicy": "Never",
                "args": ["-conf", "/etc/coredns/Corefile"],
                "ports": [
                    {"name": "dns", "protocol": "UDP", "containerPort": 53},
                    {"name": "dns-tcp", "protocol": "TCP", "containerPort": 53},
                ],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 10},
                "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "170Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
