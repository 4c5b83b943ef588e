"""One case of the table, and the short ways to write its spec."""

import copy
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from zaum_api import contract

IMAGE: Final = "registry.example/agent@sha256:" + "0" * 64


class Refusal(Enum):
    """Which layer of the API server refuses first. pydantic refuses both kinds."""

    SCHEMA = "structural schema or unknown field"
    RULE = "CEL rule"


@dataclass(frozen=True, slots=True)
class Case:
    """`refused` None is a good object; `says` must stand in the message of a rule."""

    title: str
    spec: dict[str, Any]
    refused: Refusal | None = None
    says: str = ""
    name: str = "researcher"
    kind: str = contract.KIND_POLICY

    def manifest(self, namespace: str = "agents") -> dict[str, Any]:
        """Give the whole object, fresh."""
        place = {} if self.kind == contract.KIND_CEILING else {"namespace": namespace}
        return {
            "apiVersion": contract.API_VERSION,
            "kind": self.kind,
            "metadata": {"name": self.name, **place},
            "spec": copy.deepcopy(self.spec),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A stored object and what it is changed to. Only the API server sees both."""

    title: str
    before: dict[str, Any]
    after: dict[str, Any]
    says: str = ""
    """Stands in the message of the rule that refuses; empty: the change is fine."""
    kind: str = contract.KIND_POLICY
    closed: bool = False
    """An Incident that the operator has closed before the change."""


def agent(**fields: Any) -> dict[str, Any]:
    """Give a spec whose agent has these fields beside its image."""
    return {"agent": {"image": IMAGE, **fields}}


def task(**fields: Any) -> dict[str, Any]:
    """Give a spec whose agent is a Task with these fields."""
    return agent(type="Task", **fields)


def spec(**fields: Any) -> dict[str, Any]:
    """Give a spec with these fields beside the smallest agent."""
    return {**agent(), **fields}


def hosts(*names: str) -> dict[str, Any]:
    """Give a spec that names these hosts."""
    return spec(egress={"hosts": [{"host": name} for name in names]})


def ports(*numbers: int) -> dict[str, Any]:
    """Give a spec with one host at these ports."""
    return spec(egress={"hosts": [{"host": "docs.example.com", "ports": list(numbers)}]})


def limits(**fields: Any) -> dict[str, Any]:
    """Give a spec with these limits."""
    return spec(limits=fields)


def runaway(**fields: Any) -> dict[str, Any]:
    """Give a spec with these detectors."""
    return spec(runaway=fields)


def resources(**fields: Any) -> dict[str, Any]:
    """Give a spec with these resources."""
    return agent(resources=fields)


def liveness(**fields: Any) -> dict[str, Any]:
    """Give a spec whose agent has this health check."""
    return agent(liveness=fields)


def token(**fields: Any) -> dict[str, Any]:
    """Give a spec whose agent holds this token."""
    return spec(identity={"token": fields})


def ingress(*entries: dict[str, Any]) -> dict[str, Any]:
    """Give a spec with these entries of ingress."""
    return spec(ingress=list(entries))


def entry(port: int, *peers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Give one entry of ingress."""
    return {"port": port, "from": list(peers), **fields}


def pods(**labels: str) -> dict[str, Any]:
    """Give a peer by its pods' labels."""
    return {"podSelector": {"matchLabels": labels}}


def lifetime(**fields: Any) -> dict[str, Any]:
    """Give a spec with this lifetime."""
    return spec(lifetime=fields)


def containment(**fields: Any) -> dict[str, Any]:
    """Give a spec with this containment."""
    return spec(containment=fields)
