"""Read an object of the API with a model that may be older than the object: unknown fields are dropped and named.

Anything else that is wrong makes the object unusable; then there is a problem and no model.
"""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import pydantic

from zaum_api.v1alpha1 import model

_ROUNDS: Final = 8
"""How deep unknown fields may hide behind each other; deeper ones make the object invalid, which is the safe side."""
SAID: Final = 5
"""How many fields or problems are named."""
_Model = TypeVar("_Model", bound=model.Model)


@dataclass(frozen=True, slots=True)
class Read(Generic[_Model]):
    """What came of reading: `value` None means that it cannot be acted on, `problem` says why."""

    value: _Model | None
    unknown: tuple[str, ...]
    problem: str = ""


def read(kind: type[_Model], raw: Any, *, root: str) -> Read[_Model]:  # noqa: ANN401 - whatever stands there
    """Read `raw`; `root` is how places begin, such as `spec`."""
    unknown: list[str] = []
    problem = ""
    for _ in range(_ROUNDS):
        try:
            return Read(kind.model_validate(raw), tuple(unknown))
        except pydantic.ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
        extra = [item["loc"] for item in found if item["type"] == "extra_forbidden"]
        problem = "; ".join(f"{_dotted(root, item['loc'])}: {item['msg']}" for item in found[:SAID])
        if not extra:
            break
        for place in extra:
            raw = _without(raw, place)
            unknown.append(_dotted(root, place))
    return Read(None, tuple(unknown), problem)


def listed(names: tuple[str, ...]) -> str:
    """Name the first few and count the rest."""
    more = f" and {len(names) - SAID} more" if len(names) > SAID else ""
    return ", ".join(names[:SAID]) + more


def _dotted(root: str, place: tuple[int | str, ...]) -> str:
    return ".".join((root, *(str(part) for part in place)))


def _without(value: Any, place: tuple[int | str, ...]) -> Any:  # noqa: ANN401 - JSON
    """Give a copy without the field at `place`."""
    head, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_without(item, rest) if index == head else item for index, item in enumerate(value)]
    if not rest:
        return {key: item for key, item in value.items() if key != head}
    return {key: _without(item, rest) if key == head else item for key, item in value.items()}
