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


class OverloadedError(UnavailableError):
    """The API server has too much to do (429) and said when to come back; `after` in seconds."""

    def __init__(self, request: str, status: int, message: str, after: float) -> None:
        super().__init__(request, status, message)
        self.after = after


class ExpiredError(UnavailableError):
    """A list was continued too late: 410. Begin it again."""


class UnauthenticatedError(UnavailableError):
    """The API server does not know the token any more: 401. The kubelet brings the next one, which is read again."""


class NotLeaderError(UnavailableError):
    """Another replica leads, or may lead by the time of an answer; it was not sent."""


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
    """RBAC or admission refuses: 403."""

    who = Who.ADMINISTRATOR


class InvalidError(RequestError):
    """The API server's validation refuses the object: 400, 422. The spec let something through."""

    who = Who.AUTHOR


class NotInTableError(RequestError):
    """A request that is not in the table of access; it was not sent."""

    who = Who.US


def of_status(request: str, status: int, reason: str, message: str, causes: tuple[str, ...] = ()) -> RequestError:
    """Translate an answer of the API server (its Status object: reason, message, causes)."""
    if status == 401:
        return UnauthenticatedError(request, status, message or reason)
    if status == 403:
        if "NamespaceTerminating" in causes:
            return TerminatingError(request, status, message)
        if "exceeded quota" in message:
            return QuotaError(request, status, message)
        return ForbiddenError(request, status, message)
    if status == 404:
        return NotFoundError(request, status, message)
    if status == 409:
        return ConflictError(request, status, message or reason)
    if status == 410:
        return ExpiredError(request, status, message or reason)
    if status in {400, 405, 406, 413, 415, 422}:
        return InvalidError(request, status, message)
    return UnavailableError(request, status, message or reason)
