"""Groups 12 to 14: red agents that run wild, and a harmless one beside them that must not feel it."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.battery import standing, wild
from tests.battery.groups import bombs, guard, loops
from tests.battery.judge import Outcome
from tests.battery.pods import Pods
from tests.battery.wild import Scene
from tests.support.e2e import seasons

SCENES: Final = {12: bombs.scenes, 13: loops.scenes, 14: guard.scenes}
TOGETHER: Final = 4
"""At the same time, each with its control: two cores carry no more without timeouts of their own."""
METERED: Final = frozenset({13})
"""Groups of agents that spend tokens."""
Step = Callable[[], list[Outcome]]


def play(pods: Pods, say: Callable[[str], None], *, groups: Collection[int], sampled: bool) -> list[Outcome]:
    """Try all lines of these groups, or one of each line's most telling."""
    if METERED & set(groups):
        # Whoever killed the ledger before leaves new policies with a spent minute: no call would pass.
        seasons.wait(pods.api)
    ground, found = wild.Ground(pods), list[Outcome]()
    chosen = [scene for group in sorted(groups) for scene in SCENES[group]() if scene.sampled or not sampled]
    steps = [_step(ground, scene, say) for scene in chosen]
    if 14 in groups:
        steps = [*standing.steps(ground, sampled=sampled), *steps]
    named = " ".join(map(str, sorted(groups)))
    with standing.others(ground, found, named), ThreadPoolExecutor(TOGETHER) as threads:
        found += [outcome for part in threads.map(lambda step: step(), steps) for outcome in part]
    say(f"groups {', '.join(map(str, sorted(groups)))}: {len(found)} attempts")
    return found


def _step(ground: wild.Ground, scene: Scene, say: Callable[[str], None]) -> Step:
    def played() -> list[Outcome]:
        outcome = ground.play(scene)
        say(f"   {scene.name}: {outcome.verdict} ({outcome.why})")
        return [outcome]

    return played
