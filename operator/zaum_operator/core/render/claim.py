"""The claim of one ordinal's persistent workspace: it outlives pods and scale-down, and goes with the policy."""

from dataclasses import dataclass
from typing import Any, Final

from zaum_api import contract, quantities
from zaum_operator.core import drift, kinds
from zaum_operator.core.effective import Persistent
from zaum_operator.core.intent import Intent
from zaum_operator.core.kinds import Object
from zaum_operator.core.render import metadata

ACCESS_MODE: Final = "ReadWriteOnce"


@dataclass(frozen=True, slots=True)
class Stuck:
    """What the spec asks of a claim and no claim can do once it is made."""

    name: str
    problem: str


def render(intent: Intent, ordinal: int, *, persistent: Persistent, size: int, live: Object | None) -> Object:
    """Give the claim. What cannot change on a live one (class, modes, a smaller size) stays as it is there."""
    spec: dict[str, Any] = {
        "accessModes": [ACCESS_MODE],
        "resources": {"requests": {"storage": quantities.write_bytes(size)}},
    }
    if persistent.storage_class:
        spec["storageClassName"] = persistent.storage_class
    if live is not None:
        spec |= _fixed(live)
        spec["resources"]["requests"]["storage"] = quantities.write_bytes(max(size, _size(live)))
    name = contract.claim_name(intent.key.name, ordinal)
    child = metadata.child(kinds.CLAIM, intent)
    return child | {"metadata": child["metadata"] | {"name": name}, "spec": spec}


def stands(desired: Object, live: Object) -> bool:
    """Say whether a live claim needs nothing; most of its spec is the cluster's."""
    return drift.metadata_holds(desired, live) and _size(live) >= _size(desired)


def stuck(live: Object, *, persistent: Persistent, size: int) -> Stuck | None:
    """Say what is asked of a live claim and cannot be had without deleting it."""
    name, have = live["metadata"]["name"], _fixed(live).get("storageClassName", "")
    if persistent.storage_class and have and persistent.storage_class != have:
        return Stuck(name, f"its StorageClass is {have} and cannot become {persistent.storage_class}")
    if size < _size(live):
        smaller, larger = quantities.write_bytes(size), quantities.write_bytes(_size(live))
        return Stuck(name, f"its size is {larger} and cannot shrink to {smaller}")
    return None


def _fixed(live: Object) -> dict[str, Any]:
    spec = live.get("spec") or {}
    return {key: spec[key] for key in ("accessModes", "storageClassName") if spec.get(key)}


def _size(live: Object) -> int:
    requests = ((live.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return quantities.whole(requests.get("storage", 0))
