"""Less cpu for a pod whose watchdog throttles it, in place (pods/resize), and all of it back when that ends.

Asked for by `containment.onRunaway: Throttle`. It comes on top of what the watchdog does by itself, and a cluster that
cannot resize a pod loses nothing by it: nobody waits for it, and a refusal is no trouble of the policy's.
"""

from collections.abc import Iterator, Mapping

from zaum_api import contract, documents, quantities
from zaum_operator.core import actions
from zaum_operator.core.containment.bodies import read
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import sizes
from zaum_operator.core.snapshot import Reported


def steps(
    pods: tuple[Object, ...], reports: Mapping[str, Reported], share: sizes.Share, *, on: bool
) -> Iterator[actions.Resize]:
    """Give the requests: for pods of which the watchdog says how far its ladder is, and that are not as it says.

    `share`: what the agent's container gets when nothing is wrong. A limit that is neither that nor the tenth of it
    belongs to another plan, and is left alone.
    """
    # As of its other rates, and no less than what was promised to it. The watchdog's cpu detector reckons with it.
    whole, least = share.cpu_limit, max(share.cpu_request, share.cpu_limit // documents.detectors.THROTTLED_SHARE)
    for pod in pods:
        said = reports.get(pod["metadata"].get("uid", ""))
        contained = said.report.contained if said is not None else None
        if contained is None or read(pod).cut_off or (pod.get("status") or {}).get("phase") != "Running":
            continue
        throttled = on and contained.rung is documents.Rung.THROTTLED
        wanted, other = (least, whole) if throttled else (whole, least)
        index, limit = _limit(pod)
        if limit == other and wanted != other:
            yield actions.Resize(pod["metadata"]["namespace"], pod["metadata"]["name"], _patch(index, wanted))


def _patch(index: int, millis: int) -> tuple[dict[str, object], ...]:
    place = f"/spec/containers/{index}"
    return (
        {"op": "test", "path": f"{place}/name", "value": contract.CONTAINER_AGENT},
        {"op": "add", "path": f"{place}/resources/limits/cpu", "value": quantities.write_millis(millis)},
    )


def _limit(pod: Object) -> tuple[int, int]:
    """Give where the agent's container stands, and its cpu limit in thousandths; 0 where none can be read."""
    for index, item in enumerate((pod.get("spec") or {}).get("containers") or ()):
        if item.get("name") == contract.CONTAINER_AGENT:
            text = ((item.get("resources") or {}).get("limits") or {}).get("cpu")
            try:
                return index, quantities.millis(text) if text else 0
            except quantities.QuantityError:
                return index, 0
    return 0, 0
