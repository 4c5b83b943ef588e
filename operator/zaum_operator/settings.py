"""Settings from the environment, validated once. Each default says why."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_operator.core import snapshot
from zaum_operator.core.certificates import options
from zaum_operator.core.snapshot import Site

PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123 label, as the API server asks for a namespace."""
DNS_PORT: Final = 53
DNS_MAX: Final = 4
CANARIES_MAX: Final = 16
"""Together with what is tried everywhere, no more than a document holds."""
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
    identity: str
    """Who holds the Lease, as people read it: the pod's name. Default: the host's name, which in a pod is the same."""
    watch_namespaces: tuple[str, ...]
    """Empty: the whole cluster. Else only these, and nothing cluster-scoped."""
    host_users: bool
    """Default true: a user namespace per pod is not there on every node."""
    certificates: options.Options
    """Who makes gateway's and authorizer's certificates, how long they live, where the operator sees them."""
    rollout_max: int
    """Default 10: how many policies may have a pod replaced at once for a new watchdog image."""
    cluster_domain: str
    """Default cluster.local, as clusters have it that say nothing else."""
    routes_ca_file: Path | None
    """PEM; read as the gateway's CA is. Default none: upstreams of routes show certificates of public CAs."""
    prices_file: Path | None
    """JSON, as the chart's value `prices`; read as the gateway's CA is. Default none: nothing is priced."""
    ledger: bool
    """Default false: watchdogs are not told of a ledger that nobody says is there."""
    reports_token_file: Path
    """The operator's own token for the authorizers, by which it reads what watchdogs report; read at each poll."""
    reports_port: int
    """Where authorizers give them."""
    ledger_token_file: Path
    """The operator's own token for the ledger, by which it reads what is spent; read at each poll."""
    ledger_port: int
    """Where the ledger's pods say it."""
    signed_hop: bool
    """Default false: the hop to the gateway is TLS wherever nobody says that the gateway takes signed heads."""
    cage: tuple[documents.CageTarget, ...]
    """What the cage test tries: the API server, the cluster's DNS, canaries. What is not known is not tried."""
    cage_period: int
    """Default 60 seconds: a plugin that stops enforcing is seen within a minute, by a few packets."""

    @property
    def namespaced(self) -> bool:
        """Say whether this is the namespace-scoped mode."""
        return bool(self.watch_namespaces)

    @property
    def site(self) -> Site:
        """Give the settings that shape objects."""
        return Site(
            release_namespace=self.namespace,
            watchdog_image=self.watchdog_image,
            image_pull_policy=self.image_pull_policy,
            host_users=self.host_users,
            namespaced=self.namespaced,
            cluster_domain=self.cluster_domain,
            signed_hop=self.signed_hop,
            cage=self.cage,
            cage_period=self.cage_period,
            ledger=self.ledger,
        )


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read ZAUM_* variables; raise SettingsError for the first that is missing or wrong."""
    return Settings(
        namespace=_required(environment, "ZAUM_NAMESPACE"),
        watchdog_image=_required(environment, "ZAUM_WATCHDOG_IMAGE"),
        image_pull_policy=_one_of(environment, "ZAUM_IMAGE_PULL_POLICY", PULL_POLICIES, "Always"),
        gateway_ca_file=Path(environment.get("ZAUM_GATEWAY_CA_FILE") or "/etc/zaum/certificates/zaum-ca/ca.crt"),
        workers=_whole(environment, "ZAUM_WORKERS", least=1, most=64, default=16),
        resync_seconds=_whole(environment, "ZAUM_RESYNC_SECONDS", least=5, most=3600, default=300),
        log_level=_one_of(environment, "ZAUM_LOG_LEVEL", LOG_LEVELS, "INFO"),
        identity=environment.get("ZAUM_IDENTITY") or environment.get("HOSTNAME") or contract.FIELD_MANAGER,
        watch_namespaces=namespaces(environment),
        host_users=_one_of(environment, "ZAUM_HOST_USERS", ("true", "false"), "true") == "true",
        certificates=_certificates(environment),
        rollout_max=_whole(environment, "ZAUM_ROLLOUT_MAX", least=1, most=10_000, default=10),
        cluster_domain=environment.get("ZAUM_CLUSTER_DOMAIN") or hosts.CLUSTER_DOMAIN,
        routes_ca_file=Path(environment["ZAUM_ROUTES_CA_FILE"]) if environment.get("ZAUM_ROUTES_CA_FILE") else None,
        prices_file=Path(environment["ZAUM_PRICES_FILE"]) if environment.get("ZAUM_PRICES_FILE") else None,
        ledger=_one_of(environment, "ZAUM_LEDGER", ("true", "false"), "false") == "true",
        reports_token_file=Path(environment.get("ZAUM_REPORTS_TOKEN_FILE") or "/var/run/zaum/reports/token"),
        reports_port=_whole(
            environment, "ZAUM_REPORTS_PORT", least=1, most=65535, default=contract.AUTHORIZER_REPORTS_PORT
        ),
        ledger_token_file=Path(environment.get("ZAUM_LEDGER_TOKEN_FILE") or "/var/run/zaum/ledger/token"),
        ledger_port=_whole(environment, "ZAUM_LEDGER_PORT", least=1, most=65535, default=contract.LEDGER_PORT),
        signed_hop=_one_of(environment, "ZAUM_GATEWAY_HOP", ("Signed", "TLS"), "TLS") == "Signed",
        cage=cage_targets(environment),
        cage_period=_whole(
            environment, "ZAUM_CAGE_PERIOD_SECONDS", least=5, most=3600, default=snapshot.CAGE_PERIOD_SECONDS
        ),
    )


def cage_targets(environment: Mapping[str, str]) -> tuple[documents.CageTarget, ...]:
    """Read what the cage test tries, beside what it tries everywhere."""
    tcp, dns = documents.Transport.TCP, documents.Transport.DNS
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    found: list[documents.CageTarget] = []
    # Some providers put a name there; a watchdog dials addresses alone, because its pod resolves none.
    if _is_address(host) and port.isdigit():
        found.append(documents.CageTarget("apiServer", tcp, host, int(port)))
    for address in _listed(environment, "ZAUM_CLUSTER_DNS", most=DNS_MAX):
        if not _is_address(address):
            raise SettingsError(f"ZAUM_CLUSTER_DNS must be IP addresses, separated by commas; {address!r} is none")
        found += [documents.CageTarget("dns", how, address, DNS_PORT) for how in (dns, tcp)]
    for canary in _listed(environment, "ZAUM_CANARIES", most=CANARIES_MAX):
        address, _, number = canary.rpartition(":")
        bare = address.removeprefix("[").removesuffix("]")
        if not _is_address(bare) or not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
            raise SettingsError(f"ZAUM_CANARIES must be address:port, separated by commas; {canary!r} is none")
        found.append(documents.CageTarget("canary", tcp, bare, int(number)))
    return tuple(found)


def _listed(environment: Mapping[str, str], name: str, *, most: int) -> list[str]:
    items = [item.strip() for item in environment.get(name, "").split(",") if item.strip()]
    if len(items) > most:
        raise SettingsError(f"{name} must name at most {most}, names {len(items)}")
    return items


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _certificates(environment: Mapping[str, str]) -> options.Options:
    try:
        return options.read(environment)
    except ValueError as error:
        raise SettingsError(str(error)) from error


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


def namespaces(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Read the namespaces of the namespace-scoped mode; empty means the whole cluster."""
    name = "ZAUM_WATCH_NAMESPACES"
    names = [item.strip() for item in environment.get(name, "").split(",") if item.strip()]
    wrong = [item for item in names if not _NAMESPACE.fullmatch(item)]
    if wrong:
        raise SettingsError(f"{name} must be names of namespaces, separated by commas; {wrong[0]!r} is none")
    return tuple(sorted(set(names)))
