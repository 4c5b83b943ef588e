"""What the ledger's environment says, read and checked once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_api import contract

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
ACCOUNT_DIR: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
CONNECTIONS: Final = 25_000
CONNECTIONS_LEAST: Final = 256
CONNECTION_BYTES: Final = 56 * 1024
"""What one takes, with its TLS."""
OWN_BYTES: Final = 192 * 1024 * 1024
"""Of the process, its accounts and what is under way."""
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBJECT: Final = re.compile(r"system:serviceaccount:[a-z0-9.-]{1,253}:[a-z0-9.-]{1,253}")


class SettingsError(ValueError):
    """A variable that the person who installs has to correct."""


@dataclass(frozen=True, slots=True)
class Books:
    """Where the books are: `file` for SQLite, or `postgres`, a file with a libpq URI or key=value string."""

    file: Path
    postgres: Path | None

    @staticmethod
    def read(environment: Mapping[str, str]) -> "Books":
        """Read the two variables."""
        postgres = environment.get("ZAUM_POSTGRES_FILE", "")
        file = Path(environment.get("ZAUM_SQLITE_FILE", "/var/lib/zaum/ledger.db"))
        if not file.is_absolute():
            raise SettingsError(f"ZAUM_SQLITE_FILE must be an absolute path, is {str(file)!r}")
        return Books(file, Path(postgres) if postgres else None)


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the service. `tls_dir` holds tls.crt and tls.key; `readers` are subjects that may read the usage.

    `operator` is the one that may give orders, empty where nobody is.
    `api_url` with the token and CA of this pod is where keys and reviews come from.
    """

    books: Books
    tls_dir: Path
    log_level: str
    host: str
    port: int
    health_host: str
    health_port: int
    readers: tuple[str, ...]
    operator: str
    api_url: str
    api_token_file: Path
    api_ca_file: Path | None
    review_seconds: int
    connections: int
    """At the same time; by default as many as the memory is for, which the pod is told, or 25,000."""

    @staticmethod
    def read(environment: Mapping[str, str]) -> "Settings":
        """Read the environment; raise SettingsError naming the variable."""
        level = environment.get("ZAUM_LOG_LEVEL", "INFO").upper()
        if level not in LEVELS:
            raise SettingsError(f"ZAUM_LOG_LEVEL must be one of {', '.join(LEVELS)}, is {level!r}")
        url = environment.get("ZAUM_API_URL", "https://kubernetes.default.svc")
        if not re.fullmatch(r"https?://[^/?#@ ]+", url):
            raise SettingsError(f"ZAUM_API_URL must be a scheme and a host, is {url!r}")
        authorities = environment.get("ZAUM_API_CA_FILE", f"{ACCOUNT_DIR}/ca.crt")
        return Settings(
            books=Books.read(environment),
            tls_dir=Path(environment.get("ZAUM_TLS_DIR", "/etc/zaum/tls")),
            log_level=level,
            host=environment.get("ZAUM_HOST", ""),
            port=_whole(environment, "ZAUM_PORT", contract.LEDGER_PORT, 0, 65535),
            health_host=environment.get("ZAUM_HEALTH_HOST", ""),
            health_port=_whole(environment, "ZAUM_HEALTH_PORT", contract.LEDGER_HEALTH_PORT, 0, 65535),
            readers=_readers(environment),
            operator=_operator(environment),
            api_url=url,
            api_token_file=Path(environment.get("ZAUM_API_TOKEN_FILE", f"{ACCOUNT_DIR}/token")),
            api_ca_file=Path(authorities) if url.startswith("https:") else None,
            review_seconds=_whole(environment, "ZAUM_REVIEW_SECONDS", 60, 1, 600),
            connections=_whole(environment, "ZAUM_CONNECTIONS", _connections(environment), 1, 1_000_000),
        )


def _connections(environment: Mapping[str, str]) -> int:
    """Give how many connections fit into ZAUM_MEMORY bytes beside everything else."""
    memory = environment.get("ZAUM_MEMORY", "")
    if not memory:
        return CONNECTIONS
    if not re.fullmatch(r"[0-9]{1,15}", memory):
        raise SettingsError(f"ZAUM_MEMORY must be a number of bytes, is {memory!r}")
    return max(CONNECTIONS_LEAST, min(CONNECTIONS, (int(memory) - OWN_BYTES) // CONNECTION_BYTES))


def _whole(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a number from {least} to {most}, is {text!r}")
    return int(text)


def _operator(environment: Mapping[str, str]) -> str:
    """Give the operator's subject from its account in the release's namespace."""
    namespace, account = (_label(environment, name) for name in ("ZAUM_NAMESPACE", "ZAUM_OPERATOR_ACCOUNT"))
    return f"system:serviceaccount:{namespace}:{account}" if namespace and account else ""


def _readers(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the operator's subject, and those that are named besides."""
    operator = _operator(environment)
    found = [operator] if operator else []
    for subject in filter(None, (part.strip() for part in environment.get("ZAUM_READERS", "").split(","))):
        if not _SUBJECT.fullmatch(subject):
            raise SettingsError(f"ZAUM_READERS must be subjects of ServiceAccounts, comma-separated, has {subject!r}")
        found.append(subject)
    return tuple(dict.fromkeys(found))


def _label(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "")
    if text and not _LABEL.fullmatch(text):
        raise SettingsError(f"{name} must be a name as Kubernetes gives them, is {text!r}")
    return text
