"""Names of hosts, as policies and ceilings write them: the grammar, and the rules that a pattern cannot say.

The one parser (zaum_egress.hosts) refuses more (A-labels that are none); the operator says so in a condition.
"""

from typing import Final

LABEL: Final = "[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
LAST_LABEL: Final = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
NAME: Final = f"({LABEL}[.])+{LAST_LABEL}"
NAME_MAX: Final = 253
NUMBER_CEL: Final = "([0-9]+|0x[0-9a-f]*)"
"""A last label that makes some parser read the name as an IPv4 address."""
INSIDE_CEL: Final = "(svc|localhost|cluster[.]local|invalid)"
"""Names that are no egress: the cluster's, this machine's, and the one that the cage test must never reach."""


def labels(host: str) -> list[str]:
    """Give the labels of a host, or of what follows its star."""
    return host.removeprefix("*.").split(".")


def is_address(host: str) -> bool:
    """Say whether some parser might read it as an address."""
    last = labels(host.removesuffix("."))[-1]
    number = last.isdigit() or (last.startswith("0x") and all(c in "0123456789abcdef" for c in last[2:]))
    return number or bool(set(host) & set(":["))


def is_inside(host: str) -> bool:
    """Say whether it is a name of the cluster or of this machine."""
    parts = labels(host)
    return parts[-1] in {"svc", "localhost", "invalid"} or parts[-2:] == ["cluster", "local"]
