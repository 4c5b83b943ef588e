"""Authorizers that see all at once, and one look of containment by what core decides alone."""

from collections.abc import Iterable
from datetime import datetime

from tests.support.apiserver import ApiServer
from zaum_api import documents, incidents
from zaum_operator.cluster import act
from zaum_operator.core import actions, kinds
from zaum_operator.core.containment import course, record, view
from zaum_operator.core.containment.scene import Replica, Sight
from zaum_operator.core.containment.view import View
from zaum_operator.core.kinds import Object

LONG = 1_000_000.0


def seen(objects: Iterable[Object], *, pods: tuple[documents.SeenPod, ...] = ()) -> documents.Seen:
    """Give what a replica says that has read these Incidents, and that knows of no pod beside these."""
    found = tuple(
        documents.SeenIncident(
            namespace=item["metadata"]["namespace"],
            name=item["metadata"]["name"],
            uid=item["metadata"]["uid"],
            version=item["metadata"]["resourceVersion"],
            in_force=incidents.is_open(item),
        )
        for item in objects
    )
    return documents.Seen(ready=True, listed=0, incidents=found, pods=pods)


def sight(objects: Iterable[Object], *, gone: Iterable[str] = ()) -> Sight:
    """Give what one such replica proves; `gone`: uids of pods that went long ago."""
    return Sight((Replica("192.0.2.1", seen(objects)),), dict.fromkeys(gone, LONG))


async def contain(api: ApiServer, found: View, *, now: datetime) -> None:
    """Make, send and write what is due, as the operator does; every request must succeed."""
    steps = [actions.Create(kinds.INCIDENT, body) for body in view.made(found, now=now)]
    failure = await act.carry_out(api, (*steps, *(step for _, step in view.steps(found))))  # type: ignore[arg-type]
    assert failure is None, failure
    _, gone = view.pods_of(found)
    proven = sight(api.all(kinds.INCIDENT), gone=[ref.uid for ref in gone])
    for scene in view.scenes(found, proven):
        read = course.wants_logs(scene.incident, found.bodies)
        logs = None if read is None else {"agent": "", "pod": read.ref.name}
        status = record.status(scene, now=now, logs=logs)
        if record.changed(scene.incident, status):
            key = scene.incident.key
            metadata = {"name": scene.incident.name, "namespace": key.namespace, "uid": scene.incident.uid}
            await api.apply_status(kinds.INCIDENT, {"metadata": metadata, "status": status})
