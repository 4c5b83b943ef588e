"""Read what a policy's author wants, also when the CRD is newer than this operator or the object older than a rule."""

from dataclasses import dataclass
from datetime import datetime

from zaum_api.v1alpha1 import policy as policy_api
from zaum_operator.core import tolerant
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object


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
    created: int = 0
    """When the API server made it, in seconds since 1970; 0 where it does not say."""

    @property
    def unknown_note(self) -> str:
        """Say which fields are ignored; empty when none is."""
        if not self.unknown:
            return ""
        return f"Fields that this version does not know are ignored: {tolerant.listed(self.unknown)}."


def read(policy: Object) -> Intent:
    """Read a policy. The result depends on metadata and spec alone: one per uid and generation."""
    metadata = policy["metadata"]
    found = tolerant.read(policy_api.Spec, policy.get("spec"), root="spec")
    return Intent(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=int(metadata.get("generation", 0)),
        spec=found.value,
        problem=found.problem,
        unknown=found.unknown,
        created=_created(metadata.get("creationTimestamp")),
    )


def _created(text: str | None) -> int:
    return int(datetime.fromisoformat(text).timestamp()) if text else 0
