"""`spec.containment`: what happens to an agent that ran wild. Typed, and refused until a version acts on it."""

from typing import Annotated, Literal

import pydantic

from zaum_api.v1alpha1 import model

_Step = Literal["Throttle", "Cut", "Kill", "Quarantine"]


class Containment(model.Model):
    """What happens to an agent that ran wild. Not supported in this version: it is killed and started again."""

    on_runaway: _Step | None = None
    """The first answer to a detector that tripped."""
    kills_before_quarantine: Annotated[int, pydantic.Field(ge=0, le=100)] | None = None
    """After how many kills the policy is quarantined."""
    on_budget: _Step | None = None
    """The answer to a budget that is spent."""
