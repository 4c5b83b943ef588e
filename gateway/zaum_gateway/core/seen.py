"""Answer what is asked about Incidents and pods from what was last read: never more than that."""

from collections.abc import Callable, Collection, Mapping

from zaum_api import documents
from zaum_api.documents import Life, SeenAsked, SeenIncident, SeenPod
from zaum_gateway.core import incidents, records


def answer(
    asked: SeenAsked,
    *,
    snapshot: records.Snapshot,
    standing: Mapping[incidents.Key, incidents.Incident],
    gone: Collection[str],
    latched: Callable[[str], bool],
    said: Callable[[str], documents.Contained | None],
    listed: float,
    listed_at: float,
    missing: str,
    degraded: str,
) -> documents.Seen:
    """Give the answer. `gone`: uids of pods that were there; `said`: how far a pod's watchdog says that it has gone.

    `listed`: seconds since the whole list of pods, `listed_at`: when that was. `missing`: what has not been read at
    all. Seconds are rounded up: an older list proves less.
    """
    if missing:
        return documents.Seen(ready=False, listed=0, degraded=f"waiting for {missing}"[:512]).marked(0)
    found = (standing.get(key) for key in asked.incidents)
    pods = [_pod(uid, snapshot, gone, latched=latched(uid), said=said(uid)) for uid in asked.pods]
    return documents.Seen(
        ready=True,
        listed=min(documents.seen.AGE_MAX, -int(-listed // 1)),
        incidents=tuple(_incident(one) for one in found if one is not None),
        pods=tuple(pod for pod in pods if pod is not None),
        degraded=degraded[:512],
    ).marked(int(listed_at * 1000) if None in pods else 0)


def _incident(one: incidents.Incident) -> SeenIncident:
    return SeenIncident(
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        version=one.version,
        in_force=one.hold is not None,
        problem=one.problem,
    )


def _pod(
    uid: str,
    snapshot: records.Snapshot,
    gone: Collection[str],
    *,
    latched: bool,
    said: documents.Contained | None,
) -> SeenPod | None:
    pod = snapshot.pods.get(uid)
    if pod is None:
        return SeenPod(uid, Life.GONE, refused=True) if uid in gone else None
    policy = snapshot.policies.get((pod.namespace, pod.policy))
    barred = policy is None or policy.deleting or policy.quarantined
    refused = latched or pod.quarantined or barred or snapshot.held(pod) is not None
    rung, since = (None, 0) if said is None else (said.rung, said.since)
    return SeenPod(uid, Life.LIVE if pod.live else Life.ENDED, refused=refused, rung=rung, since=since)
