"""What can go wrong with a request to the API server, sorted by who must act. The adapter translates into these."""

from enum import Enum


class Who(Enum):
    """Who can make the request succeed."""

    NOBODY = "it passes by itself: try again"
    AUTHOR = "whoever wrote the policy"
    ADMINISTRATOR = "the cluster's administrator"
    US = "Zaum's authors: a request that should never be sent"


class RequestError(Exception):
    """A request that failed. `status` is the HTTP status, 0 when there was no answer."""

    who = Who.NOBODY

    def __init__(self, request: str, status: int, message: str) -> None:
        super().__init__(f"{request}: {status or 'no answer'}: {message}")
        self.request = request
        self.status = status
        self.message = message


class UnavailableError(RequestError):
    """No answer, or one that says later: 429, 5xx, a timeout, a broken connection."""


class ConflictError(RequestError):
    """The object is not what it was when it was read: 409. The next reconcile reads again."""


class NotFoundError(RequestError):
    """The object or its namespace is gone: 404."""


class TerminatingError(RequestError):
    """The namespace is being deleted; nothing can be created in it any more."""


class QuotaError(RequestError):
    """A quota refuses the object."""

    who = Who.ADMINISTRATOR


class ForbiddenError(RequestError):
    """RBAC or admission refuses: 401, 403."""

    who = Who.ADMINISTRATOR


class InvalidError(RequestError):
    """The API server's validation refuses the object: 400, 422. The spec let something through."""

    who = Who.AUTHOR


class NotInTableError(RequestError):
    """A request that is not in the table of access; it was not sent."""

    who = Who.US


def of_status(request: str, status: int, reason: str, message: str, causes: tuple[str, ...] = ()) -> RequestError:
    """Translate an answer of the API server (its Status object: reason, message, causes)."""
    if status in {401, 403}:
        if "NamespaceTerminating" in causes:
            return TerminatingError(request, status, message)
        if "exceeded quota" in message:
            return QuotaError(request, status, message)
        return ForbiddenError(request, status, message)
    if status == 404:
        return NotFoundError(request, status, message)
    if status == 409:
        return ConflictError(request, status, message or reason)
    if status in {400, 405, 406, 413, 415, 422}:
        return InvalidError(request, status, message)
    return UnavailableError(request, status, message or reason)
