"""The watchdog's document in the policy's ConfigMap. It holds no secret: the CA is public, the token is not in it."""

from zaum_api import contract, documents
from zaum_operator.core import kinds
from zaum_operator.core.effective import Effective
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata
from zaum_operator.core.snapshot import Gateway


def document(intent: Intent, effective: Effective, gateway: Gateway) -> bytes:
    """Give the document in its canonical form."""
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
    ).dump()


def render(intent: Intent, raw: bytes) -> Object:
    """Give the ConfigMap that carries the document."""
    return metadata.child(kinds.CONFIG_MAP, intent) | {"data": {contract.CONFIG_KEY: raw.decode("ascii")}}
