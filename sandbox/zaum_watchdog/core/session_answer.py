"""Read the gateway's answer to the question for a session."""

from typing import Final

from zaum_api import documents, reading
from zaum_watchdog.core import gateway_answer

_OK: Final = 200


def read(data: bytes) -> documents.Session | gateway_answer.Declined | None:
    """Read what came so far from its first byte; None while it is not whole."""
    whole = gateway_answer.parts(data)
    if whole is None or isinstance(whole, gateway_answer.Declined):
        return whole
    status, body = whole
    if status != _OK:
        return gateway_answer.BROKEN
    try:
        return documents.Session.parse(body)
    except reading.DocumentError:
        return gateway_answer.BROKEN
