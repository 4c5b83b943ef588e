"""The watchdog's document in the policy's ConfigMap. It holds no secret: the CA is public, the token is not in it.

The ConfigMap carries every version that is written (`contract.CONFIG_KEYS`), because pods of two releases live side by
side during an upgrade. A pod mounts one of them and says which in an annotation; the digest in its other annotation is
of that one.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final

from zaum_api import contract, documents, reading
from zaum_operator.core import kinds, metering
from zaum_operator.core.effective import Effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata
from zaum_operator.core.snapshot import Gateway, Site

Written = Mapping[str, bytes]
"""One document in its canonical form, by version."""

ALWAYS: Final = (
    documents.CageTarget("metadata", documents.Transport.TCP, "169.254.169.254", 80),
    documents.CageTarget("metadata", documents.Transport.TCP, "fd00:ec2::254", 80),
)
"""What no agent may reach in any cluster: where clouds keep a machine's credentials."""
_UNCERTAIN: Final = frozenset({"canary"})
"""An address that somebody named: whether anything listens there is not for us to say."""
CONFIG_MAP_MAX: Final = 1000 * 1024
"""Bytes of all versions: a ConfigMap holds 1 MiB with its keys."""
NEWEST: Final = documents.CONFIG_VERSION
"""What new pods mount: their watchdog is of this release."""
_UNMETERED: Final = frozenset({"v2", "v3"})
"""What cannot say all limits."""


def write(
    intent: Intent, effective: Effective, gateway: Gateway, site: Site, *, before: Object | None = None
) -> Written:
    """Write the document in every version; `before` is the ConfigMap as it stands.

    A spec that says the same in other words has another generation, and that alone is no other document.
    """
    config = _config(intent, effective, gateway, site)
    known = _known_generation(before)
    if 0 < known < intent.generation:
        same = dataclasses.replace(config, limits=dataclasses.replace(config.limits, generation=known))
        if _text(before) == same.dump().decode("ascii"):
            config = same
    older = _before_meters(config, effective.metered)
    written = {
        version: (older if version in _UNMETERED else config).dump(version) for version in documents.CONFIG_VERSIONS
    }
    return _fitting(written)


def _fitting(written: dict[str, bytes]) -> Written:
    """Leave out the oldest versions where all together are more than a ConfigMap holds.

    A pod that mounts one of those keeps the document that it has until it is replaced.
    """
    for version in documents.CONFIG_VERSIONS[:-1]:
        if sum(map(len, written.values())) <= CONFIG_MAP_MAX:
            break
        del written[version]
    return written


def _text(before: Object | None) -> str:
    return str(((before or {}).get("data") or {}).get(contract.CONFIG_KEYS[NEWEST], ""))


def _known_generation(before: Object | None) -> int:
    """Give the generation that the newest document was written for; 0 where none can be read."""
    try:
        return documents.WatchdogConfig.parse(_text(before).encode()).limits.generation
    except reading.DocumentError:
        return 0


def certain(site: Site, gateway: Gateway | None) -> frozenset[str]:
    """Name the targets of the cage test of which it is sure that somebody listens there."""
    told = {target.name for target in site.cage} - _UNCERTAIN
    return frozenset(told | {_authorizer(address).name for address in (gateway.authorizer if gateway else ())})


def digest(written: Written, version: str) -> str | None:
    """Give the digest that belongs on a pod that mounts this version.

    None: a version that this operator does not write (the pod was made by a later one), or none. Such a pod keeps the
    document that it has, and has to be replaced.
    """
    raw = written.get(version)
    return None if raw is None else reading.digest(raw)


def source(intent: Intent, version: str) -> Object:
    """Give the part of the pod's projected volume that brings the document: always under the same file name."""
    item = {"key": contract.CONFIG_KEYS[version], "path": contract.CONFIG_KEY}
    return {"configMap": {"name": contract.child_name(intent.key.name), "items": [item]}}


def render(intent: Intent, written: Written) -> Object:
    """Give the ConfigMap that carries the document in every version."""
    data = {contract.CONFIG_KEYS[version]: raw.decode("ascii") for version, raw in written.items()}
    return metadata.child(kinds.CONFIG_MAP, intent) | {"data": data}


def _config(intent: Intent, effective: Effective, gateway: Gateway, site: Site) -> documents.WatchdogConfig:
    return documents.WatchdogConfig(
        namespace=intent.key.namespace,
        policy=intent.key.name,
        gateway=documents.GatewayPeer(
            addresses=gateway.addresses,
            port=contract.GATEWAY_PORT,
            tls_name=contract.GATEWAY_TLS_NAME,
            ca_pem=gateway.ca_pem,
        ),
        hosts=effective.hosts,
        requests=effective.requests,
        connections=effective.connections,
        runaway=effective.runaway,
        liveness=effective.liveness,
        mode=effective.mode,
        signed_port=contract.GATEWAY_SIGNED_PORT if site.signed_hop else 0,
        routes=effective.routes,
        upstream_ca_pem=gateway.upstream_ca_pem,
        cage=documents.Cage(
            targets=(*ALWAYS, *site.cage, *(_authorizer(address) for address in gateway.authorizer)),
            period_seconds=site.cage_period,
            required=effective.require_proof,
        ),
        limits=documents.Limits(
            meters=effective.metered.meters,
            replicas=max(effective.replicas, 1),
            generation=intent.generation,
            created=intent.created,
        ),
        prices=effective.prices,
        ledger=documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, gateway.ca_pem)
        if site.ledger
        else None,
        containment=effective.containment,
    )


def _before_meters(config: documents.WatchdogConfig, metered: metering.Metered) -> documents.WatchdogConfig:
    """Give what a watchdog of the release before may do: nothing by a way of which it does not know the limits.

    What it does not know by default it has never known, and it goes on until its pod is replaced. What an author or a
    ceiling has stated since, it would not keep: those ways it no longer has.
    """
    stated = tuple(meter for meter in config.limits.meters if meter.id not in metered.defaults)
    scopes = {meter.scope for meter in stated}
    kinds_ = {meter.kind for meter in stated if meter.scope == documents.POLICY}
    if kinds_ & {documents.Kind.BYTES_OUT, documents.Kind.BYTES_IN}:
        return dataclasses.replace(config, hosts=(), routes=(), mode=documents.Mode.ENFORCE)
    spent = kinds_ & {documents.Kind.TOKENS, documents.Kind.COST}
    return dataclasses.replace(
        config,
        hosts=tuple(rule for rule in config.hosts if f"host/{rule.host}" not in scopes),
        routes=tuple(
            route
            for route in config.routes
            if not (f"route/{route.name}" in scopes or route.models or route.redact)
            and not (spent and route.api in documents.PRICED_APIS)
        ),
    )


def _authorizer(address: str) -> documents.CageTarget:
    return documents.CageTarget("authorizer", documents.Transport.TCP, address, contract.AUTHORIZER_PORT)
