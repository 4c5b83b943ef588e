"""AgentPolicy: the resource that a person writes."""

import re
from typing import Any, ClassVar, Literal

import pydantic

from zaum_api import contract
from zaum_api.v1alpha1 import agent as agent_api
from zaum_api.v1alpha1 import containment as containment_api
from zaum_api.v1alpha1 import egress as egress_api
from zaum_api.v1alpha1 import identity as identity_api
from zaum_api.v1alpha1 import ingress as ingress_api
from zaum_api.v1alpha1 import lifetime as lifetime_api
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import model, scalars
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
_SERVICE_CEL = "!has(self.agent.type) || self.agent.type == 'Service'"


def _no_route_is_overridden(spec: "Spec") -> bool:
    routes = (spec.egress.routes if spec.egress else None) or ()
    theirs = {item.name for item in spec.agent.env or ()}
    return theirs.isdisjoint(contract.route_variable(route.name) for route in routes)


class Spec(model.Model):
    """What runs, what it may reach and spend, and what counts as running wild."""

    mode: Literal["Enforce", "Report"] = "Enforce"
    """Enforce, or Report: hosts and limits only log what they would deny, all else stays enforced. A ceiling must grant
    Report; without it the policy is enforced."""
    desired_state: Literal["Running", "Stopped"] = "Running"
    """Running, or Stopped: no pod runs, everything else stays. A Task that is stopped has ended."""
    agent: agent_api.Agent
    identity: identity_api.Identity | None = None
    egress: egress_api.Egress | None = None
    ingress: ingress_api.Entries | None = None
    """Who can reach the agent. Default nobody."""
    limits: limits_api.Limits | None = None
    lifetime: lifetime_api.Lifetime | None = None
    runaway: limits_api.Runaway | None = None
    containment: containment_api.Containment | None = None

    rules: ClassVar = (
        model.Rule(
            cel=(
                "!has(self.agent.env) || !has(self.egress) || !has(self.egress.routes) || !self.agent.env.exists(e,"
                " e.name.endsWith('_BASE_URL') && self.egress.routes.exists(r,"
                " r.name.upperAscii().replace('-', '_') + '_BASE_URL' == e.name))"
            ),
            message="env: <NAME>_BASE_URL of a route is set by Zaum: remove the entry, or name the route otherwise",
            holds=_no_route_is_overridden,
        ),
    )
    transitions: ClassVar = (
        model.Transition(
            cel=(
                f"{_SERVICE_CEL} || (has(self.identity) == has(oldSelf.identity)"
                " && (!has(self.identity) || self.identity == oldSelf.identity))"
            ),
            message="spec.identity of a Task cannot be changed, for it runs once: make another policy",
        ),
        model.Transition(
            cel=(
                f"{_SERVICE_CEL} || !has(oldSelf.lifetime) || !has(oldSelf.lifetime.max)"
                " || (has(self.lifetime) && has(self.lifetime.max)"
                " && duration(self.lifetime.max) <= duration(oldSelf.lifetime.max))"
            ),
            message="spec.lifetime.max of a Task cannot be raised or removed, for its pod has it: make another policy",
        ),
    )


class AgentPolicy(model.Model):
    """Runs one AI agent in isolated pods: it reaches only what is named here, and spends only what is allowed here."""

    api_version: Literal["zaum.dev/v1alpha1"]
    kind: Literal["AgentPolicy"]
    metadata: scalars.Metadata
    spec: Spec
    status: status_api.Status | None = None

    @pydantic.field_validator("metadata")
    @classmethod
    def _name(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        if not NAME_RULE.holds(str(metadata.get("name", ""))):
            raise ValueError(NAME_RULE.message)
        return metadata
