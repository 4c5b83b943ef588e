"""The policy's ServiceAccount: an identity for the gateway, with no rights and no token mounted by itself."""

from zaum_operator.core import kinds
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata


def render(intent: Intent) -> Object:
    """Give the ServiceAccount."""
    return metadata.child(kinds.SERVICE_ACCOUNT, intent) | {"automountServiceAccountToken": False}
