"""`spec.egress.routes.redact`: what of personal data and secrets may pass a route."""

from typing import ClassVar, Literal

from zaum_api import documents
from zaum_api.v1alpha1 import model

_Action = Literal["Mask", "Tokenise", "Deny", "Off"]


class Classes(model.Model):
    """What becomes of each class of values that is found in bodies.

    Mask writes asterisks in their place; Tokenise a name that stands for the value within the pod; Deny lets the whole
    message go no further; Off lets them pass.
    """

    cards: _Action | None = None
    """Numbers of payment cards, by their checksum. Default Off."""
    iban: _Action | None = None
    """International bank account numbers, by their checksum. Default Off."""
    email: _Action | None = None
    """E-mail addresses. Default Off."""
    phone: _Action | None = None
    """Telephone numbers, international or in a common national form. Default Off."""
    cloud_keys: _Action | None = None
    """Access keys of cloud providers. Default Off."""
    tokens: _Action | None = None
    """Tokens and keys of services (JWT, source forges, chat, model providers), and private keys. Default Off."""


class Redact(model.Model):
    """What of personal data and secrets may pass this route. What is found is DETECTED: no pattern finds everything."""

    request: Classes | None = None
    """What the agent sends. Names that stand for values are turned back in the answer, for the agent alone."""
    response: Classes | None = None
    """What the upstream answers."""
    restore: bool | None = None
    """true: the route is cleared, and names that stand for values are turned back in what the agent sends by it.
    Default false."""

    rules: ClassVar = (model.some("redact", "request", "response", "restore"),)


def redaction(asked: Redact | None) -> documents.Redaction | None:
    """Give what the watchdog does; None where there is nothing to do."""
    if asked is None:
        return None
    found = documents.Redaction(_classes(asked.request), _classes(asked.response), bool(asked.restore))
    return found if found.active else None


def _classes(asked: Classes | None) -> documents.Classes:
    said = {} if asked is None else asked.model_dump(exclude_none=True)
    return documents.Classes(**{name: documents.Redact(action) for name, action in said.items()})
