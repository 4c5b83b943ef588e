"""Ask the gateway for a session."""

from collections.abc import Callable

from zaum_api import contract, documents
from zaum_watchdog.core import gateway_answer, session_answer
from zaum_watchdog.shell import one_shot

Outcome = documents.Session | gateway_answer.Declined | None
"""None: nobody answered."""


class SessionCall(one_shot.OneShot[documents.Session | gateway_answer.Declined]):
    """One question for a session."""

    def __init__(self, token: bytes, done: Callable[[Outcome], None]) -> None:
        """Take the token's whole header line."""
        name = contract.GATEWAY_TLS_NAME.encode("ascii")
        path = contract.PATH_SESSION.encode("ascii")
        request = b"GET " + path + b" HTTP/1.1\r\nHost: " + name + b"\r\n" + token + b"\r\n"
        super().__init__(request, session_answer.read, done)
