"""Settings from the environment, validated once. Each default says why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_operator.core.snapshot import Site

PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(ValueError):
    """A setting that is missing or wrong; the message names the variable and what it may be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator is told at its start."""

    namespace: str
    """Where Zaum is installed."""
    watchdog_image: str
    image_pull_policy: str
    """Default Always: with digests it costs one question to the registry, with tags it is the only honest choice."""
    gateway_ca_file: Path
    """PEM; read at each reconcile, because the kubelet may renew it."""
    workers: int
    """Default 16: reconciles wait for the API server most of their time, and one process holds one core."""
    resync_seconds: int
    """Default 300: events repair drift at once, this is for events that never came."""
    log_level: str

    @property
    def site(self) -> Site:
        """Give the settings that shape objects."""
        return Site(self.namespace, self.watchdog_image, self.image_pull_policy)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read ZAUM_* variables; raise SettingsError for the first that is missing or wrong."""
    return Settings(
        namespace=_required(environment, "ZAUM_NAMESPACE"),
        watchdog_image=_required(environment, "ZAUM_WATCHDOG_IMAGE"),
        image_pull_policy=_one_of(environment, "ZAUM_IMAGE_PULL_POLICY", PULL_POLICIES, "Always"),
        gateway_ca_file=Path(environment.get("ZAUM_GATEWAY_CA_FILE") or "/etc/zaum/ca/ca.crt"),
        workers=_whole(environment, "ZAUM_WORKERS", least=1, most=64, default=16),
        resync_seconds=_whole(environment, "ZAUM_RESYNC_SECONDS", least=5, most=3600, default=300),
        log_level=_one_of(environment, "ZAUM_LOG_LEVEL", LOG_LEVELS, "INFO"),
    )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} must be set")
    return value


def _one_of(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = environment.get(name) or default
    if value not in allowed:
        raise SettingsError(f"{name} must be one of {', '.join(allowed)}, is {value!r}")
    return value


def _whole(environment: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, is {text!r}")
    return int(text)
