"""Where pods may run: node labels and tolerations, as policies ask for them and ceilings grant them."""

from typing import Annotated, ClassVar, Literal

import pydantic

from zaum_api.v1alpha1 import labels, model

NodeSelector = Annotated[labels.Map, *labels.label_map("nodeSelector", most=16)]


class Toleration(model.Model):
    """A taint that is tolerated, as in a pod (core/v1 Toleration)."""

    key: labels.Key | None = None
    """The taint's key. Absent: every key, with the operator Exists."""
    operator: Literal["Equal", "Exists"] | None = None
    """Equal compares the value; Exists takes any. Default Equal."""
    value: labels.Value | None = None
    """The taint's value, for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect. Absent: every effect."""
    toleration_seconds: Annotated[int, pydantic.Field(ge=0, le=2_592_000)] | None = None
    """For NoExecute: how many seconds the pod stays after the taint came. Default for ever."""

    rules: ClassVar = (
        model.Rule(
            cel="has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            message="tolerations: without a key the operator must be Exists",
            holds=lambda self: self.key is not None or self.operator == "Exists",
        ),
        model.Rule(
            cel="!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            message="tolerations: the operator Exists takes no value",
            holds=lambda self: self.operator != "Exists" or not self.value,
        ),
        model.Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            message="tolerations: tolerationSeconds needs the effect NoExecute",
            holds=lambda self: self.toleration_seconds is None or self.effect == "NoExecute",
        ),
    )
