"""The watchdog's document in the policy's ConfigMap. It holds no secret: the CA is public, the token is not in it.

The ConfigMap carries every version that is written (`contract.CONFIG_KEYS`), because pods of two releases live side by
side during an upgrade. A pod mounts one of them and says which in an annotation; the digest in its other annotation is
of that one.
"""

from collections.abc import Mapping
from typing import Final

from zaum_api import contract, documents, reading
from zaum_operator.core import kinds
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
NEWEST: Final = documents.CONFIG_VERSION
"""What new pods mount: their watchdog is of this release."""


def write(intent: Intent, effective: Effective, gateway: Gateway, site: Site) -> Written:
    """Write the document in every version."""
    config = _config(intent, effective, gateway, site)
    return {version: config.dump(version) for version in documents.CONFIG_VERSIONS}


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
    )


def _authorizer(address: str) -> documents.CageTarget:
    return documents.CageTarget("authorizer", documents.Transport.TCP, address, contract.AUTHORIZER_PORT)
