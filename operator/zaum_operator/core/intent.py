"""Read what a policy's author wants, also when the CRD is newer than this operator or the object older than a rule."""

from dataclasses import dataclass
from typing import Any, Final

import pydantic

from zaum_api.v1alpha1 import policy as policy_api
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object

_ROUNDS: Final = 8
"""How deep unknown fields may hide behind each other; deeper ones make the spec invalid, which is the safe side."""
_SAID: Final = 5


@dataclass(frozen=True, slots=True)
class Intent:
    """A policy as read. `spec` None: it cannot be acted on, `problem` says why."""

    key: Key
    uid: str
    generation: int
    spec: policy_api.Spec | None
    problem: str = ""
    unknown: tuple[str, ...] = ()
    """Fields that this version does not know and does not act on."""

    @property
    def unknown_note(self) -> str:
        """Say which fields are ignored; empty when none is."""
        if not self.unknown:
            return ""
        more = f" and {len(self.unknown) - _SAID} more" if len(self.unknown) > _SAID else ""
        return f"Fields that this version does not know are ignored: {', '.join(self.unknown[:_SAID])}{more}."


def read(policy: Object) -> Intent:
    """Read a policy. Unknown fields are dropped and named, anything else that is wrong makes the spec unusable."""
    metadata = policy["metadata"]
    spec, unknown, problem = _spec(policy.get("spec"))
    return Intent(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=int(metadata.get("generation", 0)),
        spec=spec,
        problem=problem,
        unknown=unknown,
    )


def _spec(raw: Any) -> tuple[policy_api.Spec | None, tuple[str, ...], str]:  # noqa: ANN401 - whatever stands there
    unknown: list[str] = []
    problem = ""
    for _ in range(_ROUNDS):
        try:
            return policy_api.Spec.model_validate(raw), tuple(unknown), ""
        except pydantic.ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
        extra = [item["loc"] for item in found if item["type"] == "extra_forbidden"]
        problem = "; ".join(f"{_dotted(item['loc'])}: {item['msg']}" for item in found[:_SAID])
        if not extra:
            break
        for place in extra:
            raw = _without(raw, place)
            unknown.append(_dotted(place))
    return None, tuple(unknown), problem


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(("spec", *(str(part) for part in place)))


def _without(value: Any, place: tuple[int | str, ...]) -> Any:  # noqa: ANN401 - JSON
    """Give a copy without the field at `place`."""
    head, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_without(item, rest) if index == head else item for index, item in enumerate(value)]
    if not rest:
        return {key: item for key, item in value.items() if key != head}
    return {key: _without(item, rest) if key == head else item for key, item in value.items()}
