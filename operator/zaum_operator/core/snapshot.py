"""What the operator saw of one policy or one namespace, gathered once. Everything that decides takes this."""

from dataclasses import dataclass

from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object


@dataclass(frozen=True, slots=True)
class Gateway:
    """How watchdogs reach the gateway: the Service's addresses and the CA that signs its name (PEM)."""

    addresses: tuple[str, ...]
    ca_pem: str


@dataclass(frozen=True, slots=True)
class Site:
    """What this installation is: settings that shape objects."""

    release_namespace: str
    watchdog_image: str
    image_pull_policy: str


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
    missing_files: tuple[str, ...] = ()
    """ConfigMaps that the policy's `files` name and that do not exist."""

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
