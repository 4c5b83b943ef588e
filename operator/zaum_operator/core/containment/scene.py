"""What was seen about one open Incident, gathered once: everything that confirms a step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from zaum_api import contract, documents
from zaum_operator.core.containment import bodies
from zaum_operator.core.containment.bodies import Body
from zaum_operator.core.containment.incident import Incident, Ref
from zaum_operator.core.kinds import Object


@dataclass(frozen=True, slots=True)
class Replica:
    """One authorizer whose process may run, and what it said; `seen` None: it has not answered lately."""

    address: str
    seen: documents.Seen | None = None
    age: float = 0.0
    """Seconds since it was asked."""

    def dead(self, uid: str, *, gone_for: float) -> bool:
        """Say whether it proves a pod's identity dead: what it said counts from when it was asked."""
        return self.seen is not None and self.seen.dead(uid, gone_for=gone_for - self.age)


@dataclass(frozen=True, slots=True)
class Sight:
    """What all authorizers see. `gone_for`: for how many seconds the uid of a pod has not been in the API."""

    replicas: tuple[Replica, ...] = ()
    gone_for: Mapping[str, float] = field(default_factory=dict)

    def cut(self, polled: Mapping[str, documents.Contained] = MappingProxyType({})) -> dict[str, int]:
        """Give the pods whose watchdogs say that they have cut, each with the moment that it says (see `SeenPod`).

        Each replica, and whoever `polled` them before, has heard a pod's last word or an older one: the newest counts,
        by the pod's own clock, because a cut may be taken back. From Killed there is no way back, whatever clocks say.
        """
        words: list[tuple[str, documents.SeenPod | documents.Contained]] = list(polled.items())
        pods = (pod for item in self.replicas if item.seen is not None for pod in item.seen.pods)
        words += [(pod.uid, pod) for pod in pods if pod.rung is not None]
        newest: dict[str, tuple[bool, int, bool]] = {}
        for uid, word in words:
            said = (word.rung is documents.Rung.KILLED, word.since, not word.cut)
            newest[uid] = max(said, newest.get(uid, said))
        return {uid: since for uid, (_, since, open_) in newest.items() if not open_}


@dataclass(frozen=True, slots=True)
class Scene:
    """One open Incident, its pods that are there, those that are gone, and everybody's word."""

    incident: Incident
    bodies: tuple[Body, ...] = ()
    gone: tuple[Ref, ...] = ()
    """Pods that were named or seen under it, and are no longer there."""
    sight: Sight = Sight()
    network_policies: tuple[Object, ...] = ()
    """All of the namespace that may select its pods."""
    policy_exists: bool = True
    blocking: tuple[str, ...] = ()
    """Images that are blocked under other names too, because a ceiling says so."""
    duplicate_of: str = ""
    """The older Incident that holds the same."""
    escalated: bool = False
    """It asks for a Kill, and there have been too many for another one."""
    refused: str = ""
    """The API server's words about a step that it refused last."""
    cut: Mapping[str, int] = field(default_factory=dict)
    """Uids of pods whose watchdogs say that they have cut, with when: milliseconds since the epoch, 0 unsaid."""
    unsure: str = ""
    """Why nobody can say that a pod is gone."""

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Give all its pods, there or gone."""
        return tuple(sorted({*(body.ref for body in self.bodies), *self.gone}))

    @property
    def alive(self) -> tuple[Body, ...]:
        """Give the pods of which something may run."""
        return tuple(body for body in self.bodies if not body.dead)

    @property
    def own(self) -> Object | None:
        """Give the policy's own NetworkPolicy."""
        name = contract.child_name(self.incident.key.name)
        return next((item for item in self.network_policies if item["metadata"]["name"] == name), None)


def gather(
    incident: Incident,
    there: Iterable[Object],
    *,
    sight: Sight = Sight(),
    network_policies: tuple[Object, ...] = (),
    policy_exists: bool = True,
    blocking: tuple[str, ...] = (),
    duplicate_of: str = "",
    escalated: bool = False,
    refused: str = "",
    cut: Mapping[str, int] = MappingProxyType({}),
    unsure: str = "",
) -> Scene:
    """Sort the pods of an Incident's policy: those that it contains, and those that it contained and are gone.

    A pod that was named without a uid is gone when nothing has its name.
    """
    mine = tuple(body for body in map(bodies.read, there) if incident.covers(body.ref) or escalated)
    known = {*incident.pods, *([incident.pod] if incident.pod is not None else [])}
    uids, names = {body.ref.uid for body in mine}, {body.ref.name for body in mine}
    exact = {ref.name for ref in known if ref.uid}
    gone = [ref for ref in known if (ref.uid not in uids if ref.uid else ref.name not in names | exact)]
    return Scene(
        incident=incident,
        bodies=tuple(sorted(mine, key=lambda body: body.ref)),
        gone=tuple(sorted(gone)),
        sight=sight,
        network_policies=network_policies,
        policy_exists=policy_exists,
        blocking=blocking,
        duplicate_of=duplicate_of,
        escalated=escalated,
        refused=refused,
        cut=cut,
        unsure=unsure,
    )
