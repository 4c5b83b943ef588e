"""Who spoke to the gateway from an agent pod without that pod's credential.

Agent and watchdog share one address, and only the watchdog has something to show. So whoever speaks from there without
it is the agent, or somebody in its place, and has got around the watchdog: the pod is latched. What an honest watchdog
may come to present by itself (its own token or session, too old or under a key that is not here yet) is refused and no
contact: a rotation that goes wrong must not end every agent of a cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from zaum_api import contract
from zaum_gateway.core import credentials, records

Rule = contract.Rule


@dataclass(frozen=True, slots=True)
class Contact:
    """The first contact from one pod; `at` in seconds since the epoch."""

    uid: str
    namespace: str
    pod: str
    rule: contract.Rule
    at: int


def guilty(
    source: str, credential: credentials.Credential, snapshot: records.Snapshot
) -> tuple[tuple[records.Pod, ...], contract.Rule]:
    """Give the pods from whose address somebody spoke who has no right to it, and by which rule; mostly none."""
    pods = snapshot.speaking(source)
    if isinstance(credential, credentials.Identity):
        owner, rule = credential.uid, Rule.SOURCE_ADDRESS
        theirs = snapshot.pods.get(owner)
        if theirs is None or not theirs.addresses:
            # A new pod whose address we have not heard of may have that of a pod that is gone, which we have not heard.
            return (), rule
    elif isinstance(credential, credentials.Invalid):
        owner, rule = credential.owner, credential.rule
    else:
        owner, rule = "", Rule.TOKEN_MISSING
    return (() if any(pod.uid == owner for pod in pods) else pods), rule


class Latches:
    """The contacts by pod uid. A pod stays in here until it is gone; a restart of this process forgets all."""

    def __init__(self) -> None:
        self._contacts: dict[str, Contact] = {}

    def take(self, pod: records.Pod, rule: contract.Rule, now: float) -> Contact | None:
        """Latch a pod; None if it is latched already, and the first contact stays."""
        if pod.uid in self._contacts:
            return None
        self._contacts[pod.uid] = Contact(pod.uid, pod.namespace, pod.name, rule, int(now))
        return self._contacts[pod.uid]

    def caught(self, source: str, credential: credentials.Credential, snapshot: records.Snapshot) -> records.Pod | None:
        """Give the latched pod that speaks: the one that is proven, else the one at the address."""
        if not self._contacts:
            return None
        if isinstance(credential, credentials.Identity):
            pod = snapshot.pods.get(credential.uid)
            return pod if pod is not None and pod.uid in self._contacts else None
        return next((pod for pod in snapshot.speaking(source) if pod.uid in self._contacts), None)

    def has(self, uid: str) -> bool:
        """Say whether a pod is latched."""
        return uid in self._contacts

    def prune(self, pods: Mapping[str, records.Pod]) -> None:
        """Forget the pods that are gone."""
        for uid in [uid for uid in self._contacts if uid not in pods]:
            del self._contacts[uid]

    def all(self) -> tuple[Contact, ...]:
        """Give all, by uid."""
        return tuple(self._contacts[uid] for uid in sorted(self._contacts))

    def __len__(self) -> int:
        """Give how many pods are latched."""
        return len(self._contacts)
