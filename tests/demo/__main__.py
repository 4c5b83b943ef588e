"""Run the demo on the cluster that KUBECONFIG names; exit 1 with the reason when anything does not hold."""

import sys

from tests.cluster import cluster
from tests.cluster.images import loading
from tests.demo.story import Story
from tests.demo.timeline import Timeline
from tests.support.e2e.api import Api, NotSeenError, RefusedError
from tests.support.e2e.install import InstallError
from tests.support.e2e.world import World


def main() -> int:
    """Tell the story; what goes wrong ends it with `demo: FAILED (…)`."""
    line = Timeline()
    world = None
    if cluster.current().has_world:
        cluster.assert_sealed()
        world = World(cluster.world_log())
    try:
        Story(Api(), loading.image_refs(), world, line).tell()
    except (NotSeenError, RefusedError, InstallError, AssertionError) as error:
        line.failed.append(str(error))
    return line.conclude()


if __name__ == "__main__":
    sys.exit(main())
