"""What the ledger answers instead of what was asked for."""

from zaum_api.documents import Refusal


class Denied(Exception):  # noqa: N818 - says what the request is
    """Nothing was granted or charged. `message` is for people and holds no token."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
