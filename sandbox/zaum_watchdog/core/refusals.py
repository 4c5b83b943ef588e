"""What a refusal is, whoever decides it."""

from dataclasses import dataclass

from zaum_api import contract


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is refused here: everything that the answer, the record and the counters need."""

    rule: contract.Rule
    message: str
    allowed_by: str = ""
    host: str = ""
    port: int = 0
    retry_after: int = 0
    """Nanoseconds until it may succeed; 0 where waiting does not help."""
    field: str = ""
    """The field of the body that it is about."""
    meter: str = ""
    """The limit that refuses, by the id of its meter."""
    left: int = 0
    """What could be had of it."""
    wanted: int = 0
    """What was asked of it."""
