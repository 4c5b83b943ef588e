"""AgentPolicy: the resource that a person writes."""

import re
from typing import Any, ClassVar, Literal

import pydantic

from zaum_api import contract
from zaum_api.v1alpha1 import agent as agent_api
from zaum_api.v1alpha1 import egress as egress_api
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import model, unsupported
from zaum_api.v1alpha1 import status as status_api

_NAME = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"

NAME_RULE = model.Rule(
    cel=f"self.metadata.name.matches('{_NAME}') && size(self.metadata.name) <= {contract.POLICY_NAME_MAX}",
    message=(
        f"metadata.name must be a DNS label of at most {contract.POLICY_NAME_MAX} characters:"
        " lower case letters, digits and hyphens inside"
    ),
    holds=lambda name: bool(re.fullmatch(_NAME.strip("^$"), name)) and len(name) <= contract.POLICY_NAME_MAX,
)


class Spec(model.Model):
    """What runs, what it may reach and spend, and what counts as running wild."""

    mode: Literal["Enforce", "Report"] | None = None
    """Enforce (default). Report, which only says what it would deny, is not supported in this version."""
    desired_state: Literal["Running", "Stopped"] = "Running"
    """Running, or Stopped: no pod runs, everything else stays."""
    agent: agent_api.Agent
    identity: unsupported.Opaque | None = None
    """A token for the agent. Not supported in this version; the agent has none."""
    egress: egress_api.Egress | None = None
    ingress: unsupported.OpaqueList | None = None
    """Who can reach the agent. Default nobody; an entry is not supported in this version."""
    limits: limits_api.Limits | None = None
    lifetime: unsupported.Opaque | None = None
    """How long a pod lives. Not supported in this version."""
    runaway: limits_api.Runaway | None = None
    containment: unsupported.Opaque | None = None
    """What happens to an agent that ran wild. Not supported in this version: it is killed and started again."""

    rules: ClassVar = (
        model.Rule(
            cel="!has(self.mode) || self.mode == 'Enforce'",
            message="spec.mode: Report is not supported in this version: leave it out or say Enforce",
            holds=lambda self: self.mode in {None, "Enforce"},
        ),
        model.Rule(
            cel="!has(self.ingress) || size(self.ingress) == 0",
            message="spec.ingress is not supported in this version: remove its entries",
            holds=lambda self: not self.ingress,
        ),
        *model.unsupported("spec.", "identity", "lifetime", "containment"),
    )


class AgentPolicy(model.Model):
    """Runs one AI agent in isolated pods: it reaches only what is named here, and spends only what is allowed here."""

    api_version: Literal["zaum.dev/v1alpha1"]
    kind: Literal["AgentPolicy"]
    metadata: unsupported.Opaque
    spec: Spec
    status: status_api.Status | None = None

    @pydantic.field_validator("metadata")
    @classmethod
    def _name(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        if not NAME_RULE.holds(str(metadata.get("name", ""))):
            raise ValueError(NAME_RULE.message)
        return metadata
