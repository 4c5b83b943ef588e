"""What the authorizer's environment says, read and checked once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_api import contract
from zaum_egress import hosts

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class SettingsError(ValueError):
    """A variable that the person who installs has to correct."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`tls_dir` holds tls.crt, tls.key and ca.crt; `sessions_dir` the master keys.

    Hosts and ports are where the servers listen. `namespaces` are those that may have agents; none means all of the
    cluster. `namespace` is the release's own; `operator` the subject of the operator's token, empty where nobody is.
    """

    tls_dir: Path
    sessions_dir: Path
    log_level: str
    cluster_domain: str
    grpc_address: str
    health_host: str
    health_port: int
    reports_host: str
    reports_port: int
    namespace: str
    operator: str
    namespaces: tuple[str, ...]

    @staticmethod
    def read(environment: Mapping[str, str]) -> "Settings":
        """Read the environment; raise SettingsError naming the variable."""
        level = environment.get("ZAUM_LOG_LEVEL", "INFO").upper()
        if level not in LEVELS:
            raise SettingsError(f"ZAUM_LOG_LEVEL must be one of {', '.join(LEVELS)}, is {level!r}")
        namespace = _label(environment, "ZAUM_NAMESPACE")
        account = _label(environment, "ZAUM_OPERATOR_ACCOUNT")
        return Settings(
            tls_dir=Path(environment.get("ZAUM_TLS_DIR", "/etc/zaum/tls")),
            sessions_dir=Path(environment.get("ZAUM_SESSIONS_DIR", "/etc/zaum/sessions")),
            log_level=level,
            cluster_domain=environment.get("ZAUM_CLUSTER_DOMAIN", hosts.CLUSTER_DOMAIN),
            # `[::]` takes both families where the pod has both, and IPv4 where that is all there is.
            grpc_address=environment.get("ZAUM_GRPC_ADDRESS", f"[::]:{contract.AUTHORIZER_PORT}"),
            health_host=environment.get("ZAUM_HEALTH_HOST", ""),
            health_port=_port(environment, "ZAUM_HEALTH_PORT", contract.AUTHORIZER_HEALTH_PORT),
            reports_host=environment.get("ZAUM_REPORTS_HOST", ""),
            reports_port=_port(environment, "ZAUM_REPORTS_PORT", contract.AUTHORIZER_REPORTS_PORT),
            namespace=namespace,
            operator=f"system:serviceaccount:{namespace}:{account}" if namespace and account else "",
            namespaces=_namespaces(environment, "ZAUM_WATCH_NAMESPACES"),
        )


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise SettingsError(f"{name} must be a port from 0 to 65535, is {text!r}")
    return int(text)


def _label(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if text and not _LABEL.fullmatch(text):
        raise SettingsError(f"{name} must be a name as Kubernetes gives them, is {text!r}")
    return text


def _namespaces(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Read a comma-separated list; an empty element is refused, because nothing named must never mean everything."""
    text = environment.get(name, "")
    names = tuple(part.strip() for part in text.split(",")) if text else ()
    for part in names:
        if not _LABEL.fullmatch(part):
            raise SettingsError(f"{name} must be names of namespaces, comma-separated, is {text!r}")
    return tuple(dict.fromkeys(names))
