"""Images of quarantined policies, which start under no other name of the namespace where a ceiling says so.

Images are compared by digest where both have one. A policy's own quarantine is no matter of images.
"""

from collections.abc import Iterable

from zaum_operator.core.containment import bodies, incident
from zaum_operator.core.containment.incident import Incident
from zaum_operator.core.keys import Key
from zaum_operator.core.kinds import Object


def by(elsewhere: Iterable[Object], key: Key, image: str) -> Incident | None:
    """Give the oldest open Quarantine of another policy whose agent had this image."""
    if not image:
        return None
    wanted = bodies.digest_of(image)
    return next((item for item in incident.read_all(elsewhere) if item.key != key and _blocks(item, wanted)), None)


def _blocks(item: Incident, wanted: str) -> bool:
    holds = item.hold is not None and item.hold.whole
    return holds and wanted in {bodies.digest_of(image) for image in item.images}
