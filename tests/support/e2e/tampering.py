"""Edit what the operator made, as somebody who may write every kind of it, and time how long the edit stands."""

import copy
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos import normal
from tests.support import edits
from tests.support.e2e.api import Api, NotSeenError, Object, RefusedError, User, condition, url
from zaum_api import contract

POLICY: Final = "prey"
KEEPER: Final = "keeper"
"""A policy of its own for the claim: no storage class of that name exists, so its pod waits and the claim is free."""
IDLE: Final = ["python3", "-c", "import signal, sys; signal.signal(15, lambda *_: sys.exit()); signal.pause()"]
"""Ends when it is asked to: a container's first process that does not listen is only ended by force, seconds later."""
NOT_COMPARED: Final = ("status", "resourceVersion")
KINDS: Final = {
    "": ["pods", "configmaps", "serviceaccounts", "resourcequotas", "services", "persistentvolumeclaims"],
    "networking.k8s.io": ["networkpolicies"],
    "scheduling.k8s.io": ["priorityclasses"],
}
VERBS: Final = ["get", "list", "watch", "create", "update", "patch", "delete"]
ADMISSION_SECONDS: Final = 30.0
"""The API server's admission learns of bindings by a watch of its own."""
SETTLED_SECONDS: Final = 60.0
OURS: Final = f"{contract.LABEL_NAME}={contract.APP_NAME}"


def hand(api: Api, namespace: str) -> Api:
    """Give the API server as seen by one person who may write all children of one namespace, and nothing else."""
    name = f"tamper-{namespace}"[:60]
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [key], "resources": kinds, "verbs": VERBS} for key, kinds in KINDS.items()]
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    api.apply("clusterroles", role)
    subject = {"apiGroup": group, "kind": "User", "name": name}
    # Cluster-wide, because PriorityClasses are: nothing is written outside the test's own namespaces.
    api.apply(
        "clusterrolebindings",
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [subject],
        },
    )
    return api.as_user(User(name, ("system:authenticated",)))


def drop_hand(api: Api, namespace: str) -> None:
    """Take the rights back."""
    name = f"tamper-{namespace}"[:60]
    api.delete("clusterrolebindings", "", name)
    api.delete("clusterroles", "", name)


def policies(namespace: str, image: str) -> list[Object]:
    """Give policies that between them have every child."""
    peer = {"podSelector": {"matchLabels": {"app": "caller"}}}
    prey = {
        "agent": {"image": image, "command": IDLE},
        "ingress": [{"port": 8080, "from": [peer]}],
        "egress": {"hosts": [{"host": "docs.example.com"}]},
    }
    keeper = copy.deepcopy(prey)
    keeper["agent"]["workspace"] = {"persistent": {"storageClass": "nowhere"}}  # type: ignore[index]
    return [
        {
            "apiVersion": "zaum.dev/v1alpha1",
            "kind": "AgentPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        for name, spec in ((POLICY, prey), (KEEPER, keeper))
    ]


@dataclass
class Prey:
    """One namespace with its policies; `api` reads, `thief` edits."""

    api: Api
    thief: Api
    namespace: str
    image: str

    def make(self) -> None:
        """Make the policies."""
        for policy in policies(self.namespace, self.image):
            self.api.apply("agentpolicies", policy)

    def anew(self, seconds: float) -> None:
        """Make everything anew after an edit that was not undone: the next ones are judged by themselves."""
        for policy in (POLICY, KEEPER):
            self.api.delete("agentpolicies", self.namespace, policy)
        for pod in self.api.items("pods", self.namespace):
            self.api.delete("pods", self.namespace, pod["metadata"]["name"])
            self.api.until_gone("pods", self.namespace, pod["metadata"]["name"], seconds=seconds)
        self.make()

    def policy_of(self, edit: edits.Edit) -> str:
        """Name the policy whose child an edit is of."""
        return KEEPER if edit.child == "claim" else POLICY

    def strike(self, edit: edits.Edit) -> None:
        """Make the edit; RefusedError when it is refused."""
        resource, where, name = edits.place(edit.child, self.namespace, self.policy_of(edit))
        name = name or self.pods()[0]["metadata"]["name"]
        self.api.get(resource, where, name)
        if edit.patch is None:
            self.thief.send("DELETE", url(resource, where, name))
        else:
            self.thief.merge(resource, where, name, edit.patch)

    def pods(self) -> list[Object]:
        """Give the pods of the policy that live on, by what nobody can edit."""
        account = f"zaum-{POLICY}"
        return [
            pod
            for pod in self.api.items("pods", self.namespace)
            if pod["spec"].get("serviceAccountName") == account
            and not pod["metadata"].get("deletionTimestamp")
            and pod.get("status", {}).get("phase") not in {"Failed", "Succeeded"}
        ]

    def state(self, edit: edits.Edit) -> Any:
        """Give what an edit of this child could change, without what is new each time; None where it is gone."""
        resource, where, name = edits.place(edit.child, self.namespace, self.policy_of(edit))
        if not name:
            return [_compared(pod) for pod in self.pods()]
        found = self.api.find(resource, where, name)
        return None if found is None or found["metadata"].get("deletionTimestamp") else _compared(found)

    def restored(self, edit: edits.Edit, *, within: float) -> float:
        """Make the edit and give the seconds until everything is as it was; NotSeenError when that takes too long."""
        before = self.state(edit)
        if not before:
            raise NotSeenError(f"{edit.id}: there was nothing to edit")
        began = time.monotonic()
        self.strike(edit)
        struck = time.monotonic()
        seen = self.state(edit)
        while seen != before:
            if time.monotonic() - struck > within:
                lines = normal.differences(seen, before, edit.child) if seen else [f"{edit.child} is not back"]
                raise NotSeenError(f"{edit.id}: not undone within {within} s: {json.dumps(lines)[:1500]}")
            # A poll, not a watch: what comes back may be another object under another name.
            time.sleep(0.05)
            seen = self.state(edit)
        return time.monotonic() - began

    def would_refuse(self, edit: edits.Edit) -> bool:
        """Tell whether a merge patch would be refused, and change nothing."""
        resource, where, name = edits.place(edit.child, self.namespace, self.policy_of(edit))
        target = url(resource, where, name or self.pods()[0]["metadata"]["name"])
        try:
            self.thief.send(
                "PATCH", target, edit.patch, query={"dryRun": "All"}, content="application/merge-patch+json"
            )
        except RefusedError:
            return True
        return False

    def refusal(self, edit: edits.Edit) -> RefusedError | None:
        """Make the edit and give the refusal; None when it went through."""
        try:
            self.strike(edit)
        except RefusedError as error:
            return error
        return None


def _compared(obj: Object) -> Any:
    return normal.value({key: value for key, value in obj.items() if key not in NOT_COMPARED})


def settled(prey: Prey) -> None:
    """Wait until the policy and its pod are ready and the claim of the other one is there."""
    prey.api.until(
        "agentpolicies", prey.namespace, POLICY,
        lambda seen: condition(seen, "Ready").get("status") == "True",
        seconds=SETTLED_SECONDS, what="the policy is ready",
    )  # fmt: skip
    # The policy's word may be of a moment ago, when the pod of the edit before had not gone yet.
    prey.api.until_any(
        "pods", prey.namespace, "",
        lambda _: [condition(pod, "Ready").get("status") for pod in prey.pods()] == ["True"],
        seconds=SETTLED_SECONDS, what="the policy's pod is ready",
    )  # fmt: skip
    resource, where, name = edits.place("claim", prey.namespace, KEEPER)
    prey.api.until(resource, where, name, lambda _: True, seconds=SETTLED_SECONDS, what="the claim is there")


@contextmanager
def without_bindings(api: Api, probe: Prey) -> Iterator[None]:
    """Have no admission binding of ours for the time of the block; they are put back whatever happens."""
    kept = [bare(binding) for binding in api.items("validatingadmissionpolicybindings", labels=OURS)]
    assert kept, "the control: there are bindings to remove"
    try:
        for binding in kept:
            api.delete("validatingadmissionpolicybindings", "", binding["metadata"]["name"])
        until_admission(probe, refuses=False)
        yield
    finally:
        for binding in kept:
            api.apply("validatingadmissionpolicybindings", binding)
        until_admission(probe, refuses=True)


def bare(binding: Object) -> Object:
    """Give an object as it was made, so that it can be made again."""
    meta = binding["metadata"]
    kept = {key: meta[key] for key in ("name", "labels", "annotations") if key in meta}
    # An item of a list does not say its own kind.
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding"}
    return kind | {"metadata": kept, "spec": binding["spec"]}


def until_admission(probe: Prey, *, refuses: bool) -> None:
    """Wait until a harmless edit of each kind is refused, or is not."""
    deadline = time.monotonic() + ADMISSION_SECONDS
    pending = [edits.Edit("probe", child, {"metadata": {"labels": {"probe": "x"}}}) for child in edits.RESOURCES]
    while pending:
        if time.monotonic() > deadline:
            raise NotSeenError(f"admission: {[edit.child for edit in pending]} still not {refuses=}")
        pending = [edit for edit in pending if probe.would_refuse(edit) is not refuses]
        time.sleep(0.1)
