"""`spec.egress`: what the agent can reach."""

from typing import Annotated, ClassVar

from zaum_api import contract
from zaum_api.v1alpha1 import lists, model, scalars
from zaum_api.v1alpha1 import routes as routes_api

_LABEL = "[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
HOST_PATTERN = rf"^([*][.])?({_LABEL}[.])+[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


def _labels(host: str) -> list[str]:
    return host.removeprefix("*.").split(".")


def _is_number(label: str) -> bool:
    return label.isdigit() or (label.startswith("0x") and all(c in "0123456789abcdef" for c in label[2:]))


_HOST_RULES = (
    model.Rule(
        cel="self == self.lowerAscii() && !self.endsWith('.')",
        message="host must be in canonical form: write it in lower case, without a dot at the end",
        holds=lambda host: host == host.lower() and not host.endswith("."),
    ),
    model.Rule(
        cel="!self.matches('^([*][.])?[^.]*[.]?$')",
        message="host must have at least two labels (beside a leading '*.'): write the full name",
        holds=lambda host: len(_labels(host.removesuffix("."))) > 1,
    ),
    model.Rule(
        cel="!self.matches('(^|[.])([0-9]+|0x[0-9a-f]*)[.]?$') && !self.contains(':') && !self.contains('[')",
        message="host must not be an IP address: egress is decided by name",
        holds=lambda host: not _is_number(_labels(host.removesuffix("."))[-1]) and not set(host) & set(":["),
    ),
    model.Rule(
        cel="!self.matches('(^|[.])(svc|localhost|cluster[.]local|invalid)[.]?$')",
        message="host must lie outside the cluster: names under svc, cluster.local, localhost and invalid are refused",
        holds=lambda host: (
            _labels(host)[-1] not in {"svc", "localhost", "invalid"} and _labels(host)[-2:] != ["cluster", "local"]
        ),
    ),
    model.Rule(
        cel="!self.matches('^.+[*]') && !self.matches('^[*]([^.]|$)')",
        message="host may have one star only, as the whole first label: write *.example.com",
        holds=lambda host: "*" not in host.removeprefix("*."),
    ),
    model.Rule(
        cel="!self.matches('[^.]{64}')",
        message="host: a label of a DNS name has at most 63 characters",
        holds=lambda host: all(len(label) <= 63 for label in _labels(host)),
    ),
)
Pattern = Annotated[str, scalars.text(most=253, pattern=HOST_PATTERN), *scalars.ruled(*_HOST_RULES)]
"""One host's name, or all names of one more label by a leading `*.`."""


class Host(model.Model):
    """One named host, reached through an opaque TLS tunnel whose SNI must be the same name."""

    host: Pattern
    """DNS name in lower case; an international one as its A-label (xn--…). A leading "*." stands for one label."""
    ports: Annotated[list[scalars.Port], *lists.unique("ports", least=1, most=16)] | None = None
    """TCP ports. Default [443]."""


class Egress(model.Model):
    """What the agent can reach. Absent or empty: nothing."""

    hosts: Annotated[list[Host], lists.bounded(most=256)] | None = None
    """Hosts by name. Default none."""
    routes: Annotated[list[routes_api.Route], *lists.keyed("routes", "name", most=32)] | None = None
    """HTTP APIs that the watchdog terminates. Not supported in this version."""

    rules: ClassVar = model.unsupported("spec.egress.", "routes")


assert contract.CAGE_HOST.endswith(".invalid"), "the cage's canary must be a name that no policy can hold"
