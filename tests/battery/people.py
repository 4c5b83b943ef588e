"""Group 15 played: people with all rights of a namespace, or of the cluster, and what they get."""

from collections.abc import Callable
from typing import Final

from tests.battery import deeds, yard
from tests.battery.groups import byhand, quarantine, roundabout
from tests.battery.judge import Outcome, Verdict
from tests.battery.yard import Yard
from tests.support.e2e import tampering
from tests.support.e2e.api import Api, NotSeenError

GROUP: Final = byhand.GROUP


def play(
    api: Api, image: str, say: Callable[[str], None], *, sampled: bool, only: str = ""
) -> tuple[list[Outcome], list[str]]:
    """Try all; give outcomes, and what of the policy's objects was ever not as before."""
    with yard.opened(api, image, "") as made:
        outcomes, alarms = _tried(made, say, sampled=sampled, only=only)
        if not sampled and only in roundabout.UNDONE:
            outcomes += _without_admission(made, say)
        say(f"group {GROUP}: {len(outcomes)} attempts")
    return outcomes, alarms


def _tried(made: Yard, say: Callable[[str], None], *, sampled: bool, only: str) -> tuple[list[Outcome], list[str]]:
    made.learn()
    files = quarantine.opened(made)
    requests = deeds.kept([*byhand.deeds(made), *files.deeds()], only)
    scenes = deeds.kept([*roundabout.scenes(made), *files.scenes()], only)
    if sampled:
        requests, scenes = _sample(requests), scenes[:1]
    outcomes = deeds.tried(requests)
    say(f"group {GROUP}: {len(outcomes)} requests")
    # The controls of the requests use the closed Incident, which a scene has collected.
    outcomes += deeds.played(scenes)
    alarms = [f"group {GROUP}: {line}" for line in (*files.alarms(), *made.alarms())]
    return outcomes, alarms


def _sample(requests: list[deeds.Deed]) -> list[deeds.Deed]:
    """Keep of each line one attempt of each child and person."""
    kept: dict[tuple[str, ...], deeds.Deed] = {}
    for each in requests:
        what, _, who = each.variant.rpartition(", by ")
        kept.setdefault((each.line, who, what.partition(":")[0]), each)
    return list(kept.values())


def _without_admission(made: Yard, say: Callable[[str], None]) -> list[Outcome]:
    """Let edits through; each stands alone: where one is not undone, all is made anew before the next."""
    found: list[Outcome] = []
    with tampering.without_bindings(made.api, made.prey):
        for outcome in deeds.played(roundabout.without_admission(made)):
            found.append(outcome)
            if outcome.verdict is Verdict.HELD:
                continue
            say(f"{outcome.attempt.variant}: {outcome.why}")
            try:
                made.prey.anew(tampering.SETTLED_SECONDS)
                tampering.settled(made.prey)
            except NotSeenError as error:
                say(f"nothing is tried after it, for all could not be made anew: {error}"[:600])
                break
    return found
