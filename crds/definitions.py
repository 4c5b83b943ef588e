"""The CustomResourceDefinitions as the models give them."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract, structural
from zaum_api.v1alpha1 import ceiling, incident, model, policy

_READY: Final = '.status.conditions[?(@.type=="Ready")]'
_SUCCEEDED: Final = '.status.conditions[?(@.type=="Succeeded")]'
_AGE: Final = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind of ours: the model that it comes from, its names and its columns."""

    source: type[model.Model]
    kind: str
    plural: str
    short: str
    namespaced: bool
    columns: tuple[dict[str, Any], ...]
    rules: tuple[model.Rule | model.Transition, ...] = ()

    @property
    def name(self) -> str:
        """Name the CRD."""
        return f"{self.plural}.{contract.GROUP}"

    @property
    def file(self) -> str:
        """Name the file that the CRD is written to."""
        return f"{contract.GROUP}_{self.plural}.yaml"

    @property
    def has_status(self) -> bool:
        """Say whether the operator writes to it."""
        return "status" in self.source.model_fields

    def schema(self) -> dict[str, Any]:
        """Give the structural schema of the whole object, with the rules on its name."""
        exported = structural.export(self.source.model_json_schema())
        exported["properties"] |= {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
        }
        exported["required"] = ["spec"]
        if self.rules:
            exported["x-kubernetes-validations"] = [rule.schema() for rule in self.rules]
        return exported

    def crd(self) -> dict[str, Any]:
        """Give the CustomResourceDefinition."""
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name, "labels": {contract.LABEL_NAME: contract.APP_NAME}},
            "spec": {
                "group": contract.GROUP,
                "scope": "Namespaced" if self.namespaced else "Cluster",
                "names": {
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                    "plural": self.plural,
                    "singular": self.kind.lower(),
                    "shortNames": [self.short],
                    "categories": ["zaum"],
                },
                "versions": [
                    {
                        "name": contract.VERSION,
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": self.schema()},
                        **({"subresources": {"status": {}}} if self.has_status else {}),
                        "additionalPrinterColumns": list(self.columns),
                    }
                ],
            },
        }


POLICY: Final = Definition(
    source=policy.AgentPolicy,
    kind=contract.KIND_POLICY,
    plural=contract.PLURAL_POLICY,
    short="ap",
    namespaced=True,
    columns=(
        {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
        {"name": "State", "type": "string", "jsonPath": ".spec.desiredState"},
        {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".status.replicas"},
        {"name": "Cost", "type": "string", "jsonPath": ".status.usage.cost"},
        _AGE,
        {"name": "Outcome", "type": "string", "jsonPath": f"{_SUCCEEDED}.reason", "priority": 1},
        {"name": "Image", "type": "string", "jsonPath": ".spec.agent.image", "priority": 1},
    ),
    rules=(policy.NAME_RULE,),
)
CEILING: Final = Definition(
    source=ceiling.AgentCeiling,
    kind=contract.KIND_CEILING,
    plural=contract.PLURAL_CEILING,
    short="ceiling",
    namespaced=False,
    columns=(
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
        {"name": "Ingress", "type": "string", "jsonPath": ".spec.ingress"},
        {"name": "Lifetime", "type": "string", "jsonPath": ".spec.lifetime.max"},
        _AGE,
    ),
)
INCIDENT: Final = Definition(
    source=incident.Incident,
    kind=contract.KIND_INCIDENT,
    plural=contract.PLURAL_INCIDENT,
    short="inc",
    namespaced=True,
    columns=(
        {"name": "Policy", "type": "string", "jsonPath": ".spec.policyRef.name"},
        {"name": "Reason", "type": "string", "jsonPath": ".spec.reason"},
        {"name": "Action", "type": "string", "jsonPath": ".spec.action"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        _AGE,
        {"name": "Pod", "type": "string", "jsonPath": ".spec.pod.name", "priority": 1},
        {"name": "Reporter", "type": "string", "jsonPath": ".spec.reporter", "priority": 1},
        {"name": "Raised", "type": "string", "jsonPath": ".status.action", "priority": 1},
        {"name": "Cut", "type": "string", "jsonPath": ".status.durations.cut", "priority": 1},
        {"name": "Dead", "type": "string", "jsonPath": ".status.durations.dead", "priority": 1},
        {"name": "Quarantined", "type": "string", "jsonPath": ".status.durations.quarantined", "priority": 1},
        {"name": "Identity", "type": "string", "jsonPath": ".status.durations.identity", "priority": 1},
        {"name": "Proof", "type": "string", "jsonPath": ".status.durations.proof", "priority": 1},
    ),
    rules=(incident.CLOSED_RULE,),
)
ALL: Final = (POLICY, CEILING, INCIDENT)
