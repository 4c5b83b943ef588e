"""Give built images to the cluster, once each, by tag and by digest."""

from collections.abc import Iterable

from tests.cluster import backend, cluster, elsewhere, local, ownimages, progress
from tests.cluster.images import builds, recipes


def load(images: Iterable[builds.Built]) -> dict[str, str]:
    """Import what the cluster does not have yet; give name → reference for pods.

    On the local cluster a reference carries the digest; elsewhere the tag, since a node keeps no digest of an image
    that was loaded into it.
    """
    on_this_machine = cluster.current().name == backend.LOCAL
    present = ownimages.listed(local.place()) if on_this_machine else set()
    references: dict[str, str] = {}
    for built in images:
        by_digest = built.image.by_digest(built.digest)
        if by_digest not in present:
            with progress.step(f"loaded {built.image.name}"):
                cluster.import_image(built.archive)
                if on_this_machine:
                    _name_by_digest(built, by_digest)
        references[built.image.name] = by_digest if on_this_machine else built.image.reference
    return references


def image_refs() -> dict[str, str]:
    """Build and load whatever is not there yet; give name → reference for pods.

    An external cluster's nodes pull what its owner has pushed: nothing is built for it.
    """
    if cluster.current().name == backend.EXTERNAL:
        return {image.name: elsewhere.pushed(image.reference) for image in recipes.IMAGES.values()}
    return load(builds.build_images())


def _name_by_digest(built: builds.Built, by_digest: str) -> None:
    ownimages.ctr(local.place(), "images", "tag", "--force", built.image.reference, by_digest)
