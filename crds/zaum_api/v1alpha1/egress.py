"""`spec.egress`: what the agent can reach."""

from typing import Annotated

from zaum_api import contract, documents
from zaum_api.v1alpha1 import limits as limits_api
from zaum_api.v1alpha1 import lists, model, names, scalars
from zaum_api.v1alpha1 import routes as routes_api

HOST_PATTERN = rf"^([*][.])?{names.NAME}$"

_HOST_RULES = (
    model.Rule(
        cel="self == self.lowerAscii() && !self.endsWith('.')",
        message="host must be in canonical form: write it in lower case, without a dot at the end",
        holds=lambda host: host == host.lower() and not host.endswith("."),
    ),
    model.Rule(
        cel="!self.matches('^([*][.])?[^.]*[.]?$')",
        message="host must have at least two labels (beside a leading '*.'): write the full name",
        holds=lambda host: len(names.labels(host.removesuffix("."))) > 1,
    ),
    model.Rule(
        cel=f"!self.matches('(^|[.]){names.NUMBER_CEL}[.]?$') && !self.contains(':') && !self.contains('[')",
        message="host must not be an IP address: egress is decided by name",
        holds=lambda host: not names.is_address(host),
    ),
    model.Rule(
        cel=f"!self.matches('(^|[.]){names.INSIDE_CEL}[.]?$')",
        message="host must lie outside the cluster: names under svc, cluster.local, localhost and invalid are refused",
        holds=lambda host: not names.is_inside(host),
    ),
    model.Rule(
        cel="!self.matches('^.+[*]') && !self.matches('^[*]([^.]|$)')",
        message="host may have one star only, as the whole first label: write *.example.com",
        holds=lambda host: "*" not in host.removeprefix("*."),
    ),
    model.Rule(
        cel="!self.matches('[^.]{64}')",
        message="host: a label of a DNS name has at most 63 characters",
        holds=lambda host: all(len(label) <= 63 for label in names.labels(host)),
    ),
)
Pattern = Annotated[str, scalars.text(most=names.NAME_MAX, pattern=HOST_PATTERN), *scalars.ruled(*_HOST_RULES)]
"""One host's name, or all names of one more label by a leading `*.`."""


class Host(model.Model):
    """One named host, reached through an opaque TLS tunnel whose SNI must be the same name."""

    host: Pattern
    """DNS name in lower case; an international one as its A-label (xn--…). A leading "*." stands for one label."""
    ports: Annotated[list[scalars.OutsidePort], *lists.unique("ports", least=1, most=16)] | None = None
    """TCP ports, but for those of DNS and of the gateway itself. Default [443]."""
    limits: limits_api.HostLimits | None = None


class Egress(model.Model):
    """What the agent can reach. Absent or empty: nothing."""

    hosts: Annotated[list[Host], lists.bounded(most=256)] | None = None
    """Hosts by name. Default none."""
    routes: Annotated[list[routes_api.Route], *lists.keyed("routes", "name", most=documents.ROUTES_MAX)] | None = None
    """HTTP APIs that the watchdog terminates. Default none."""
    require_proof: bool | None = None
    """true: the agent starts only after the watchdog has seen that its pod reaches nothing beside the gateway, and a
    later test that fails cuts it off. Default false."""


assert contract.CAGE_HOST.endswith(".invalid"), "the cage's canary must be a name that no policy can hold"
