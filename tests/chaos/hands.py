"""Writes to the cluster as people make them, each remembered by its revision: what it weakens is not the operator's."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.chaos import fleet, isolation, patience
from tests.chaos.history import Object, Place
from tests.support import edits
from tests.support.e2e.api import Api, RefusedError

FOREIGN: Final = "anyone"


@dataclass
class Hands:
    """An administrator's hands. `specs` is what each policy of the fleet should be at the moment."""

    api: Api
    specs: list[Object]
    revisions: set[int] = field(default_factory=set)
    removals: list[tuple[Place, float]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def insist(self, call: Callable[[], Any]) -> Any:
        """Do it, again and again while the API server is away; a refusal is final."""
        return self._note(patience.insist(call))

    def attempt(self, call: Callable[[], Any]) -> Object | None:
        """Do it; None when it is refused (the object or its namespace or its kind is not there, or must not be)."""
        try:
            return self.insist(call) or {}
        except RefusedError as error:
            self.refused.append(str(error)[:300])
            return None

    def _note(self, answer: Any) -> Any:
        version = (answer or {}).get("metadata", {}).get("resourceVersion") if isinstance(answer, dict) else None
        if version:
            self.revisions.add(int(version))
        return answer

    def remove(self, resource: str, namespace: str, name: str) -> None:
        """Remove one object."""
        self.removals.append(((resource, namespace, name), time.monotonic()))
        self.attempt(lambda: self.api.delete(resource, namespace, name))

    # Policies

    def say(self, index: int, spec: Object | None = None) -> Object | None:
        """Apply a policy of the fleet, with its spec of the moment unless another is given."""
        if spec is not None:
            self.specs[index] = spec
        return self.attempt(lambda: self.api.apply("agentpolicies", fleet.policy(index, self.specs[index])))

    def turn(self, index: int, state: str) -> None:
        """Set desiredState."""
        self.merge_policy(index, {"spec": {"desiredState": state}})
        self.specs[index] = self.specs[index] | {"desiredState": state}

    def merge_policy(self, index: int, patch: Object) -> Object | None:
        """Merge-patch one policy of the fleet."""
        namespace, name = fleet.FLEET[index]
        return self.attempt(lambda: self.api.merge("agentpolicies", namespace, name, patch))

    def forget(self, index: int) -> None:
        """Delete one policy of the fleet."""
        self.remove("agentpolicies", *fleet.FLEET[index])

    def settle(self, name: str) -> None:
        """Have a namespace and the policies of the fleet in it."""
        self.insist(lambda: self.api.apply("namespaces", fleet.namespace(name)))
        for index, (namespace, _) in enumerate(fleet.FLEET):
            if namespace == name and self.say(index) is None:
                self._anew(index)

    def _anew(self, index: int) -> None:
        """Make a policy anew: what is there may not become what it should be (a Service no Task)."""
        self.forget(index)
        self.insist(lambda: self.api.until_gone("agentpolicies", *fleet.FLEET[index], seconds=patience.SECONDS))
        self.say(index)

    # Children

    def edit(self, index: int, edit: edits.Edit) -> bool:
        """Make one edit by hand; say whether there was something to edit."""
        namespace, policy = fleet.FLEET[index]
        resource, where, name = edits.place(edit.child, namespace, policy)
        name = name or self.pod(index)
        if not name or self.insist(lambda: self.api.find(resource, where, name)) is None:
            return False
        if edit.patch is None:
            self.remove(resource, where, name)
            return True
        if "'nobody'" in repr(edit.patch):
            # The garbage collector takes it away, and by our hand.
            self.removals.append(((resource, where, name), time.monotonic()))
        return self.attempt(lambda: self.api.merge(resource, where, name, edit.patch or {})) is not None

    def pod(self, index: int) -> str:
        """Name a live pod of a policy of the fleet; empty where there is none."""
        namespace, policy = fleet.FLEET[index]
        for pod in self.insist(lambda: {"items": self.api.items("pods", namespace)})["items"]:
            live = isolation.is_agent(pod) and not pod["metadata"].get("deletionTimestamp")
            if live and isolation.policy_of(pod) == policy:
                return str(pod["metadata"]["name"])
        return ""

    def open_beside(self, namespace: str) -> bool:
        """Make a NetworkPolicy of somebody else's that opens everything; say whether it was made."""
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": FOREIGN, "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
        }
        return self.attempt(lambda: self.api.apply("networkpolicies", body)) is not None
