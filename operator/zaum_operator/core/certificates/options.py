"""What an installation says of its certificates, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from zaum_operator.core.certificates import view

DIRECTORY: Final = "/etc/zaum/certificates"


class Maker(Enum):
    """Who makes the certificates."""

    OPERATOR = "Operator"
    EXTERNAL = "External"
    """cert-manager or a person: the operator only hands on the authorities that the gateway's Secret shows."""


@dataclass(frozen=True, slots=True)
class Options:
    """Who makes certificates, how long they live, and where the operator sees the Secrets."""

    maker: Maker
    lives: view.Lives
    directory: str


def read(environment: Mapping[str, str]) -> Options:
    """Read ZAUM_CERTIFICATES and the like; raise ValueError naming the variable."""
    maker = environment.get("ZAUM_CERTIFICATES") or Maker.OPERATOR.value
    known = {each.value: each for each in Maker}
    if maker not in known:
        raise ValueError(f"ZAUM_CERTIFICATES must be one of {', '.join(known)}, is {maker!r}")
    lives = view.Lives(
        # A year and a quarter: each rotation happens several times before anybody has forgotten that it does.
        authority=_seconds(environment, "ZAUM_CA_SECONDS", default=365 * 86400),
        leaf=_seconds(environment, "ZAUM_LEAF_SECONDS", default=90 * 86400),
        # Kubelets bring a changed Secret in about 90 s by themselves.
        settle=_seconds(environment, "ZAUM_SETTLE_SECONDS", default=300),
    )
    if lives.problem():
        raise ValueError(f"ZAUM_CA_SECONDS, ZAUM_LEAF_SECONDS, ZAUM_SETTLE_SECONDS: {lives.problem()}")
    return Options(known[maker], lives, environment.get("ZAUM_CERTIFICATES_DIR") or DIRECTORY)


def _seconds(environment: Mapping[str, str], name: str, *, default: int) -> timedelta:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise ValueError(f"{name} must be whole seconds above 0 of at most nine digits, is {text!r}")
    return timedelta(seconds=int(text))
