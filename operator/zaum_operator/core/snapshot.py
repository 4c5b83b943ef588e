"""What the operator saw of one policy or one namespace, gathered once. Everything that decides takes this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from zaum_api import documents
from zaum_egress import hosts
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object
from zaum_operator.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Gateway:
    """How watchdogs reach the gateway: the Service's addresses and the CA that signs its name (PEM)."""

    addresses: tuple[str, ...]
    ca_pem: str
    upstream_ca_pem: str = ""
    """CAs that routes' upstreams are trusted by beside those of the watchdog's image (PEM); may be empty."""
    authorizer: tuple[str, ...] = ()
    """Addresses of the authorizer's Service, which no agent may reach: the cage test tries them."""
    prices: tuple[documents.PriceTable, ...] = ()
    """What models cost, as the installation says."""


CAGE_PERIOD_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Site:
    """What this installation is: settings that shape objects."""

    release_namespace: str
    watchdog_image: str
    image_pull_policy: str
    host_users: bool = True
    """Whether agent pods share the node's user namespace where their policy does not say."""
    namespaced: bool = False
    """Namespace-scoped mode: nothing cluster-scoped is read or written (no PriorityClass, no ceilings)."""
    api_audiences: tuple[str, ...] = ()
    """The API server's own token audiences: no agent's token may carry one."""
    cluster_domain: str = hosts.CLUSTER_DOMAIN
    signed_hop: bool = False
    """Whether watchdogs may speak to the gateway by signed heads on a plain connection."""
    cage: tuple[documents.CageTarget, ...] = ()
    """What the cage test tries beside what it always does."""
    cage_period: int = CAGE_PERIOD_SECONDS
    ledger: bool = False
    """Whether there is a ledger, by which pods share what they may spend."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What the watchdog of one pod said last."""

    report: documents.Report


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody in a pod spoke to the gateway without the watchdog's credential: by which rule it was refused, when."""

    rule: str
    at: int
    """Seconds since the epoch, by the authorizer's clock."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One policy and everything around it. None: not there."""

    key: Key
    policy: Object | None
    network_policies: tuple[Object, ...]
    """All of the namespace: ours, the guard, and foreign ones."""
    account: Object | None
    config: Object | None
    quota: Object | None
    priority_class: Object | None
    pods: tuple[Object, ...]
    """Pods with this policy's label."""
    gateway: Gateway | None
    service: Object | None = None
    claims: tuple[Object, ...] = ()
    """PersistentVolumeClaims with this policy's label."""
    namespace: Object | None = None
    """The Namespace object; None also where it may not be read."""
    ceilings: tuple[Object, ...] = ()
    """All AgentCeilings of the cluster."""
    neighbours: tuple[Object, ...] = ()
    """All policies of the namespace, this one among them; only in namespace-scoped mode."""
    namespace_quota: Object | None = None
    """The namespace-wide quota; only in namespace-scoped mode."""
    missing_files: tuple[str, ...] = ()
    """ConfigMaps that the policy's `files` name and that do not exist."""
    services: Mapping[tuple[str, str], Object] = field(default_factory=dict)
    """The Services that the policy's routes name and that exist, by namespace and name."""
    reports: Mapping[str, Reported] = field(default_factory=dict)
    """What watchdogs of this policy's pods have said lately, by the pod's uid. Absent: nothing is known of a pod."""
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    """Which of this policy's pods have spoken past their watchdog, by the pod's uid."""
    usage: Usage | None = None
    """What the policy's pods have counted, in steps. None: nothing was heard of any."""
    books: documents.PolicyUsage | None = None
    """What the ledger says that the policy has spent, in steps. None: it has said nothing lately."""
    forgiven: frozenset[str] = frozenset()
    """The released Incidents of which the ledger had heard when it said so: no kill before them is in `books`."""
    incidents: tuple[Object, ...] = ()
    """All Incidents of this policy's name, open and closed."""
    elsewhere: tuple[Object, ...] = ()
    """All Incidents of the namespace; only where a ceiling blocks images by them."""
    strays: tuple[Object, ...] = ()
    """Pods that open Incidents name, and that nothing but their names says to be this policy's."""
    silent: frozenset[str] = frozenset()
    """Uids of this policy's pods whose watchdogs have fallen silent."""
    unsure: str = ""
    """Why such pods could not be looked for: then nobody can say that one is gone."""
    books_awaited: bool = False
    """Nobody has asked it for long enough to say that it is silent."""
    books_missing: bool = False
    """It is silent, and no pod of it runs."""

    def network_policy(self, name: str) -> Object | None:
        """Give one NetworkPolicy by name."""
        for policy in self.network_policies:
            if policy["metadata"]["name"] == name:
                return policy
        return None


@dataclass(frozen=True, slots=True)
class NamespaceSnapshot:
    """One namespace as far as its guard is concerned."""

    namespace: str
    policies: tuple[Object, ...]
    pods: tuple[Object, ...]
    """All pods, so that one whose labels were taken off is found by its owner."""
    guard: Object | None
    namespace_object: Object | None = None
    ceilings: tuple[Object, ...] = ()
    quota: Object | None = None
    """The namespace-wide quota of namespace-scoped mode."""
