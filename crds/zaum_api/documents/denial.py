"""What an answer says that refuses."""

from dataclasses import dataclass

from zaum_api import reading


@dataclass(frozen=True, slots=True)
class Denial:
    """The body of every answer that refuses: which rule, why in words, and what would have allowed it."""

    rule: str
    message: str
    allowed_by: str
    policy: str

    def dump(self) -> bytes:
        """Write the JSON body."""
        return reading.canonical(
            {"rule": self.rule, "message": self.message, "allowedBy": self.allowed_by, "policy": self.policy}
        )
