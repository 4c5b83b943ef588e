"""The wire contract: every name, number and path on which two parts must agree.

Standard library only. A part that spells one of these itself is wrong even while the spelling matches.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

GROUP: Final = "zaum.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND_POLICY: Final = "AgentPolicy"
PLURAL_POLICY: Final = "agentpolicies"
KIND_CEILING: Final = "AgentCeiling"
PLURAL_CEILING: Final = "agentceilings"
KIND_INCIDENT: Final = "Incident"
PLURAL_INCIDENT: Final = "incidents"

PREFIX: Final = "zaum.dev/"
"""Reserved: nobody but the operator puts a label or annotation with this prefix on a pod."""
LABEL_POLICY: Final = "zaum.dev/policy"
LABEL_AGENT: Final = "zaum.dev/agent"
LABEL_AGENT_VALUE: Final = "true"
LABEL_ORDINAL: Final = "zaum.dev/ordinal"
LABEL_QUARANTINED: Final = "zaum.dev/quarantined"
LABEL_GUARD: Final = "zaum.dev/guard"
LABEL_NAMESPACE: Final = "zaum.dev/policy-namespace"
"""On cluster-scoped children only: which namespace the policy lives in."""
LABEL_TYPE: Final = "zaum.dev/type"
"""On pods: Service or Task."""
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_NAME: Final = "app.kubernetes.io/name"
APP_NAME: Final = "zaum"
COMPONENT_GATEWAY: Final = "gateway"
COMPONENT_AUTHORIZER: Final = "authorizer"
COMPONENT_OPERATOR: Final = "operator"
COMPONENT_LEDGER: Final = "ledger"

ANNOTATION_CONFIG_DIGEST: Final = "zaum.dev/config-digest"
ANNOTATION_TEMPLATE: Final = "zaum.dev/template-digest"
ANNOTATION_SITE: Final = "zaum.dev/site-digest"
"""Digest of what the installation, not the policy's author, put into a pod (the watchdog's image): such a change is
paced over all policies."""
ANNOTATION_CONFIG_VERSION: Final = "zaum.dev/config-version"
"""Which version of the document a pod's watchdog reads. Absent: nobody knows, and the pod is replaced."""
ANNOTATION_CERTIFICATES: Final = "zaum.dev/certificates"
"""On our own pods; its change makes the kubelet bring changed Secrets at once."""
ANNOTATION_ACCESS: Final = "zaum.dev/access"
"""On a namespace's guard: the ways into agent pods that its ceilings grant, as `Access` values, comma-separated."""
LABEL_ACCESS: Final = "zaum.dev/access"
LABEL_ACCESS_VALUE: Final = "Ceilings"
"""On a Namespace, by the cluster's owner: here ceilings may open ways into agent pods. Elsewhere all are closed."""
ANNOTATION_BREACH: Final = "zaum.dev/breach"
"""On a pod that we ended: for which `Breach` that its own watchdog could not see, or for which reason of its Incident;
`Breach.ORDERED` where that is about another pod."""
ANNOTATION_FAILURES: Final = "zaum.dev/failures"
"""How often in a row this ordinal's pods have failed before this one; the backoff is computed from it."""

NAME_PREFIX: Final = "zaum-"
"""Reserved for our objects in namespaces with agents."""
GUARD_NAME: Final = "zaum--guard"
"""The namespace's guard NetworkPolicy. No policy can make this name: a DNS label cannot start with '-'."""
NAMESPACE_QUOTA_NAME: Final = "zaum--quota"
"""The one ResourceQuota of a namespace where PriorityClasses are out of reach (namespace-scoped mode)."""
POLICY_NAME_MAX: Final = 48
FIELD_MANAGER: Final = "zaum-operator"
LEASE_NAME: Final = "zaum-operator"

AGENT_UID: Final = 10001
WATCHDOG_UID: Final = 10002
COMPONENT_UID: Final = 10010
"""Operator, gateway, authorizer and ledger."""

CONTAINER_AGENT: Final = "agent"
CONTAINER_WATCHDOG: Final = "watchdog"

PROXY_PORT: Final = 15001
ROUTES_PORT: Final = 15002
PROBE_PORT: Final = 15020
GATEWAY_SIGNED_PORT: Final = 15442
"""Envoy's listener for signed CONNECT heads: no TLS of its own, because what a tunnel carries is TLS end to end."""
GATEWAY_PORT: Final = 15443
LEDGER_PORT: Final = 15444
AUTHORIZER_PORT: Final = 15445
AUTHORIZER_REPORTS_PORT: Final = 15446
"""HTTPS for the operator alone: what watchdogs have reported, and who spoke to the gateway without being one."""
LEDGER_HEALTH_PORT: Final = 15447
"""The ledger's /healthz, /readyz and /metrics, in the plain."""
OPERATOR_METRICS_PORT: Final = 15450
OPERATOR_HEALTH_PORT: Final = 15451
AUTHORIZER_HEALTH_PORT: Final = 15452
GATEWAY_READY_PORT: Final = 15453
"""Envoy's /ready by a listener of its own, so that the admin interface stays on a unix socket."""

DNS_PORTS: Final = (53, 853)
OWN_PORTS: Final = (GATEWAY_SIGNED_PORT, GATEWAY_READY_PORT)
"""First and last of a range."""
GATEWAY_ONLY_PORTS: Final = frozenset({*DNS_PORTS, *range(OWN_PORTS[0], OWN_PORTS[1] + 1)})
"""Where the gateway itself reaches parts of the cluster, or is reached: no name outside is asked for at these, wherever
it leads."""

CONFIG_DIR: Final = "/etc/zaum"
CONFIG_PATH: Final = "/etc/zaum/config.json"
CONFIG_DIGEST_PATH: Final = "/etc/zaum/digest"
"""The pod annotation by the downward API, in the same projected volume as the document: both change at once."""
TOKEN_DIR: Final = "/var/run/zaum"  # noqa: S105 - a path
TOKEN_PATH: Final = "/var/run/zaum/token"  # noqa: S105 - a path
LEDGER_TOKEN_PATH: Final = "/var/run/zaum/ledger-token"  # noqa: S105 - a path
"""In the watchdog alone, in the same projected volume: its token of AUDIENCE_LEDGER."""
CREDENTIALS_DIR: Final = "/var/run/zaum-credentials"
"""In the watchdog alone: <route>/<credential_file> holds a route's key; absent while the Secret or its key is."""
CREDENTIAL_FILE: Final = "credential"
ENV_NODE_ADDRESSES: Final = "ZAUM_NODE_ADDRESSES"
"""In the watchdog alone: its node's addresses, comma-separated (downward API, status.hostIPs), for the cage test."""
ENV_ORDINAL: Final = "ZAUM_ORDINAL"
"""In the watchdog alone: LABEL_ORDINAL of its pod (downward API)."""
TERMINATION_LOG: Final = "/dev/termination-log"
"""Where the kubelet reads a container's last word (terminationMessagePath's default). The watchdog leaves the `Breach`
there when it latches; the operator finds it as the container's `terminated.message`."""
WORKSPACE: Final = "/workspace"
IDENTITY_TOKEN_DIR: Final = "/var/run/secrets/zaum.dev"  # noqa: S105 - a path
IDENTITY_TOKEN_PATH: Final = "/var/run/secrets/zaum.dev/token"  # noqa: S105 - a path
"""The agent's own token, when `identity.token` asks for one."""
ENV_IDENTITY_TOKEN_FILE: Final = "ZAUM_IDENTITY_TOKEN_FILE"  # noqa: S105 - a variable's name
CONFIG_KEY: Final = "config.json"
CONFIG_KEYS: Final[dict[str, str]] = {
    "v2": "config.v2.json",
    "v3": "config.v3.json",
    "v4": "config.v4.json",
    "v5": "config.v5.json",
}
"""Where each version of the watchdog's config stands in the policy's ConfigMap. A pod mounts one of them, always as
CONFIG_PATH; its annotation ANNOTATION_CONFIG_VERSION says which."""

AUDIENCE_EGRESS: Final = "zaum-egress"
AUDIENCE_LEDGER: Final = "zaum-ledger"
AUDIENCE_LEDGER_READ: Final = "zaum-ledger-read"
"""Of the operator's own token, by which it reads the usage."""
AUDIENCE_AUTHORIZER: Final = "zaum-authorizer"
"""Of the operator's own token, by which it reads the reports."""
AUDIENCE_PREFIX: Final = "zaum"
TOKEN_SECONDS: Final = 600
"""The shortest life that the API server grants (TokenRequest, expirationSeconds)."""

CA_SECRET: Final = "zaum-ca"  # noqa: S105 - a name
GATEWAY_TLS_SECRET: Final = "zaum-gateway-tls"  # noqa: S105 - a name
AUTHORIZER_TLS_SECRET: Final = "zaum-authorizer-tls"  # noqa: S105 - a name
LEDGER_TLS_SECRET: Final = "zaum-ledger-tls"  # noqa: S105 - a name
SESSION_SECRET: Final = "zaum-session-keys"  # noqa: S105 - a name
"""The master keys from which session keys are derived; only the authorizers mount it, the operator rotates it."""
GATEWAY_SERVICE: Final = "zaum-gateway"
AUTHORIZER_SERVICE: Final = "zaum-authorizer"
LEDGER_SERVICE: Final = "zaum-ledger"
GATEWAY_TLS_NAME: Final = "gateway.zaum.dev"
AUTHORIZER_TLS_NAME: Final = "authorizer.zaum.dev"
LEDGER_TLS_NAME: Final = "ledger.zaum.dev"
GATEWAY_CLIENT_TLS_NAME: Final = "gateway-client.zaum.dev"
"""The name in the certificate that Envoy shows to the authorizer."""
SERVICES_POLICY: Final = "zaum-services"
"""The NetworkPolicy beside the gateway that opens its way to the Services that routes lead to."""
CAGE_HOST: Final = "cage.invalid"
PATH_SESSION: Final = "/v1/session"
"""At the gateway, over TLS, with the pod's token: gives a session key for signed CONNECT heads."""
LISTENER_EXTENSION: Final = "listener"
"""By this context extension Envoy tells the authorizer which `Listener` a request came by."""
PATH_REPORT: Final = "/v1/report"
"""At the gateway, over TLS, with the pod's token: takes a `documents.Report`."""
PATH_REPORTS: Final = "/v1/reports"
"""At the authorizer's AUTHORIZER_REPORTS_PORT, with the operator's token."""
PATH_SEEN: Final = "/v1/seen"
"""At the same port, with the same token: `documents.SeenAsked` as the query gives a `documents.Seen`."""
PATH_LEDGER_SYNC: Final = "/v1/sync"
"""At the ledger, over TLS, with a pod's token: takes a `documents.Sync`, answers with a `documents.Synced`."""
PATH_LEDGER_ORDERS: Final = "/v1/orders"
"""At the ledger. GET with a pod's token: `?session=...&after=N` waits for `documents.Orders`. POST with the operator's
token takes a `documents.Posted`, and answers with the `documents.Orders` that stand for its pods."""
PATH_LEDGER_USAGE: Final = "/v1/usage"
"""At the ledger, with the operator's token: `?after=namespace/policy` gives a `documents.UsagePage`, with `version=v2`
one that says more."""

HEADER_RULE: Final = "x-zaum-rule"
"""On every answer that Zaum itself gives: the rule that decided."""

PROBE_HEALTH: Final = "/healthz"
"""The watchdog's own startup and liveness."""
PROBE_AGENT_LIVE: Final = "/agent/live"
"""The agent container's liveness: a latched verdict answers with its own status."""
PROBE_AGENT_READY: Final = "/agent/ready"
PROBE_METRICS: Final = "/metrics"

METRIC_PREFIX: Final = "zaum_"


class Listener(StrEnum):
    """A listener of the gateway, and with it what proves who speaks: a token over TLS, a signed head in the plain."""

    TLS = "tls"
    SIGNED = "signed"


class Rule(StrEnum):
    """Which rule decided a request. Stable: audit, metrics, headers and status carry these."""

    ALLOWED = "egress.allowed"
    HOST_NOT_NAMED = "egress.hosts"
    PORT_NOT_NAMED = "egress.ports"
    HOST_MALFORMED = "egress.hostSyntax"
    HOST_IS_ADDRESS = "egress.addressAsHost"
    PLAIN_HTTP = "egress.plainHTTP"
    UPSTREAM_ADDRESS = "egress.upstreamAddress"
    """The name resolved to an address that no allowed name may lead to: private, special, or of the cluster."""
    SNI_MISSING = "egress.sniMissing"
    SNI_MISMATCH = "egress.sniMismatch"
    SNI_MALFORMED = "egress.clientHello"
    REQUEST_MALFORMED = "request.malformed"
    REQUESTS_PER_MINUTE = "limits.requests.perMinute"
    CONNECTIONS = "limits.connections"
    TOKEN_MISSING = "identity.tokenMissing"  # noqa: S105 - a rule's name
    TOKEN_INVALID = "identity.tokenInvalid"  # noqa: S105 - a rule's name
    POD_UNKNOWN = "identity.podUnknown"
    SOURCE_ADDRESS = "identity.sourceAddress"
    POLICY_GONE = "policy.gone"
    POLICY_NOT_READY = "policy.notReady"
    QUARANTINED = "containment.quarantined"
    LATCHED = "containment.latched"
    GATEWAY_UNAVAILABLE = "gateway.unavailable"
    UPSTREAM_UNAVAILABLE = "gateway.upstreamUnavailable"
    CONFIG_REMOVED = "config.removed"
    EXPIRED = "egress.deadline"
    """A tunnel reached its absolute deadline, or nothing moved in it for too long."""
    SIGNATURE_INVALID = "identity.signatureInvalid"
    REPLAYED = "identity.replayed"
    NO_PROOF = "enforcement.notProven"
    """`requireProof`, and the cage test does not pass."""
    REQUEST_TOO_LARGE = "request.tooLarge"
    HEAD_TOO_LARGE = "request.headTooLarge"
    REQUEST_TIMEOUT = "request.timeout"
    """A head or body did not come to its end in time."""
    ROUTE_UNKNOWN = "routes.name"
    ROUTE_NOT_ALLOWED = "routes.allow"
    """No entry of the route's `allow` names this method and path."""
    ROUTE_HEADER = "routes.headers"
    ROUTE_CREDENTIAL = "routes.credential"
    """The credential's Secret or key is not there, or cannot be used."""
    ROUTE_ECHO = "routes.credentialEchoed"
    """The upstream sent the injected credential back: the answer was cut."""
    ROUTE_SERVICE = "routes.serviceRef"
    UPSTREAM_TLS = "routes.upstreamTLS"
    UPSTREAM_MALFORMED = "routes.upstreamMalformed"
    MODEL_NOT_ALLOWED = "routes.models"
    UNPRICED = "limits.unpriced"
    """Tokens or cost are limited, and what this would use cannot be told before it leaves."""
    PRICE_MISSING = "limits.priceMissing"
    """Cost is limited, and the model has no price."""
    TOKENS_PER_MINUTE = "limits.tokens.perMinute"
    TOKENS_PER_DAY = "limits.tokens.perDay"
    COST_PER_DAY = "limits.cost.perDay"
    BYTES_OUT_PER_HOUR = "limits.bytes.outPerHour"
    BYTES_IN_PER_HOUR = "limits.bytes.inPerHour"
    LEDGER_UNAVAILABLE = "limits.ledgerUnavailable"
    """Nothing is leased of a budget, and the ledger does not answer."""
    REQUEST_TYPE = "request.contentType"
    """The body has to be read, and is of a type or coding that is not."""
    BODIES = "limits.bodies"
    """Bodies have to be held to be read, and as many are held as there is memory for."""
    REDACTED = "routes.redact"
    """The body holds what the route denies."""


class Breach(StrEnum):
    """Why a watchdog's verdict is latched. Also the reason on events and on Incidents."""

    RUNAWAY_CPU = "RunawayCPU"
    RUNAWAY_PROCESSES = "RunawayProcesses"
    RUNAWAY_DENIED = "RunawayDenied"
    RUNAWAY_MEMORY = "RunawayMemory"
    RUNAWAY_FORKS = "RunawayForks"
    RUNAWAY_FILES = "RunawayFiles"
    RUNAWAY_REPEATED = "RunawayRepeated"
    RUNAWAY_ERRORS = "RunawayErrors"
    RUNAWAY_NO_PROGRESS = "RunawayNoProgress"
    RUNAWAY_EGRESS = "RunawayEgress"
    IDLE = "Idle"
    """`spec.lifetime.idle` is over."""
    STARVED = "WatchdogStarved"
    """The watchdog got so little of the processor that it does not see what happens."""
    ORDERED = "Ordered"
    """The ledger ordered the end: there is an Incident already, whose reason may be another pod's doing."""
    GATEWAY_CONTACT = "GatewayContact"
    """Somebody in the pod spoke to the gateway without the watchdog's credential. The authorizer sees it, not the
    watchdog; the operator ends the pod."""


BLAMELESS: Final = frozenset({Breach.IDLE, Breach.STARVED, Breach.ORDERED})
"""What ends a pod, and makes no Incident and counts as no kill: the agent may have done nothing, or it is known."""

BREACH_STATUS: Final[dict[Breach, int]] = {
    Breach.RUNAWAY_NO_PROGRESS: 580,
    Breach.RUNAWAY_EGRESS: 581,
    Breach.IDLE: 582,
    Breach.STARVED: 583,
    Breach.ORDERED: 584,
    Breach.RUNAWAY_CPU: 590,
    Breach.RUNAWAY_PROCESSES: 591,
    Breach.RUNAWAY_DENIED: 592,
    Breach.GATEWAY_CONTACT: 594,
    Breach.RUNAWAY_MEMORY: 595,
    Breach.RUNAWAY_FORKS: 596,
    Breach.RUNAWAY_FILES: 597,
    Breach.RUNAWAY_REPEATED: 598,
    Breach.RUNAWAY_ERRORS: 599,
}
"""What the agent's liveness probe answers per reason, so that the kubelet's event says why."""


UNHEALTHY_STATUS: Final = 593
"""What the agent's liveness probe answers while the agent's own health check, relayed by the watchdog, fails."""
UNHEALTHY: Final = "AgentUnhealthy"
"""The watchdog's last word for it."""


class Access(StrEnum):
    """A way into an agent pod: closed by admission unless all ceilings of the namespace that speak of it grant it."""

    EXEC = "Exec"
    ATTACH = "Attach"
    PORT_FORWARD = "PortForward"
    EPHEMERAL_CONTAINERS = "EphemeralContainers"


def child_name(policy: str) -> str:
    """Name a policy's namespaced children (ServiceAccount, ResourceQuota, NetworkPolicy, ConfigMap)."""
    return f"{NAME_PREFIX}{policy}"


def claim_name(policy: str, ordinal: int) -> str:
    """Name the PersistentVolumeClaim of one ordinal: it outlives the pods of its ordinal."""
    return f"{NAME_PREFIX}{policy}-{ordinal}"


def pod_name(policy: str, ordinal: int, suffix: str) -> str:
    """Name one agent pod; `suffix` is five lower-case hex digits, new for each pod."""
    return f"{NAME_PREFIX}{policy}-{ordinal}-{suffix}"


def cluster_name(namespace: str, policy: str) -> str:
    """Name a policy's cluster-scoped children: no two namespaced names share one (128 bits of SHA-256)."""
    return NAME_PREFIX + hashlib.sha256(f"{namespace}/{policy}".encode()).hexdigest()[:32]


def agent_environment() -> dict[str, str]:
    """Give the environment of every agent container: the proxy in both cases, and a home it can write to."""
    proxy = f"http://127.0.0.1:{PROXY_PORT}"
    bypass = "127.0.0.1,localhost"
    return {
        "HOME": WORKSPACE,
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        "NO_PROXY": bypass,
        "no_proxy": bypass,
        "NODE_USE_ENV_PROXY": "1",
    }


def credential_file(secret: str, key: str) -> str:
    """Name the file of a Secret's key in its route's folder: another one for each.

    A pod keeps what it has mounted until it is replaced, and must not send it where another Secret's key belongs.
    """
    return hashlib.sha256(f"{secret}/{key}".encode("ascii")).hexdigest()[:16]


PLACEHOLDER_KEY: Final = "zaum-placeholder"
"""What stands in a provider's variable for a key: clients ask for one, and the watchdog drops it."""


def route_variable(route: str) -> str:
    """Name the agent's variable that holds a route's base URL."""
    return f"{route.upper().replace('-', '_')}_BASE_URL"


def route_url(route: str) -> str:
    """Give a route's base URL."""
    return f"http://127.0.0.1:{ROUTES_PORT}/{route}"


def route_environment(routes: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Give what routes put into the agent's environment, from (name, api): what is set, and what the author may set.

    The second part is what the clients of known providers read; the first route of a provider counts.
    """
    ours: dict[str, str] = {}
    theirs: dict[str, str] = {}
    for name, api in routes:
        ours[route_variable(name)] = route_url(name)
        if api != "HTTP":
            theirs.setdefault(f"{api.upper()}_BASE_URL", route_url(name))
            theirs.setdefault(f"{api.upper()}_API_KEY", PLACEHOLDER_KEY)
    return ours, theirs
