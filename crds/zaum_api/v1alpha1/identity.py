"""`spec.identity`: the one token that an agent may hold."""

import re
from typing import Annotated, Final

from zaum_api.v1alpha1 import model, scalars

_ZAUM: Final = "zaum"
_API_SERVER: Final = (
    r"^((https?://)?kubernetes([.]default([.]svc([.][a-z0-9.-]*)?)?)?([:/].*)?"
    r"|https://container[.]googleapis[.]com/.*|api|k3s|rke2)$"
)
"""What API servers of common distributions take as their own audience. The operator knows the one at hand exactly, and
refuses that too."""

AUDIENCE: Final = (
    scalars.text(most=512, pattern="^[!-~]+$"),
    *scalars.ruled(
        model.Rule(
            cel=f"!self.lowerAscii().startsWith('{_ZAUM}')",
            message="audience: one that starts with zaum belongs to Zaum: name the service that the token is for",
            holds=lambda audience: not audience.lower().startswith(_ZAUM),
        ),
        model.Rule(
            cel=f"!self.lowerAscii().matches('{_API_SERVER}')",
            message="audience: the API server's own would be a way into the cluster: name the service that it is for",
            holds=lambda audience: not re.search(_API_SERVER, audience.lower()),
        ),
    ),
)


class Token(model.Model):
    """A token that the kubelet mints for the agent's pod and renews, for one audience."""

    audience: Annotated[str, *AUDIENCE]
    """Whom the token is for. Those of Zaum and of the API server are refused."""
    lifetime: Annotated[str, *scalars.duration("identity.token.lifetime", least="10m", most="24h")] | None = None
    """How long one token is good. Default 10m, the least that an API server grants."""


class Identity(model.Model):
    """Who the agent is to others. Absent or empty: nobody, it holds no token."""

    token: Token | None = None
