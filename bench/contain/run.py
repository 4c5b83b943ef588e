"""Contain so many agents on the cluster of the environment, where the chart is installed, and judge the times.

Usage: python -m bench.contain.run BREACHES FOLDER. What is meant by each figure: `bench.contain`.
"""

import contextlib
import datetime
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.contain import report, stage, times
from bench.contain.times import How, Part
from tests.cluster import cluster
from tests.cluster.images import loading
from tests.support.e2e import install, seasons
from tests.support.e2e.api import Api

TOGETHER: Final = 6
"""So many agents are there at a time; one of them is contained. Beside them there is one that is throttled."""
KILL_EACH: Final = 5
"""One breach of so many is a kill alone."""
HAND_EACH: Final = 5
"""One containment by hand comes to so many breaches."""


def plan(breaches: int, by_hand: int) -> list[Part]:
    """Give who is contained, in the order: by breaches, and those by hand evenly between them. Every other is deaf."""
    every = [How.KILL if number % KILL_EACH == KILL_EACH // 2 else How.QUARANTINE for number in range(breaches)]
    for number in range(by_hand, 0, -1):
        every.insert(number * breaches // by_hand, How.HAND)
    seen: Counter[How] = Counter()
    found = []
    for how in every:
        seen[how] += 1
        found.append(Part(how, deaf=seen[how] % 2 == 0))
    return found


def rounds(every: Sequence[Part]) -> list[Sequence[Part]]:
    """Give who is there together."""
    return [every[at : at + TOGETHER] for at in range(0, len(every), TOGETHER)]


def measure(api: Api, every: Sequence[Part], *, image: str) -> tuple[report.Result, list[dict[str, object]]]:
    """Contain them all; give what was measured, and the raw records."""
    result, raw = report.Result(), []
    before: stage.Stage | None = None
    with tempfile.TemporaryDirectory(prefix="zaum-bench-") as folder, contextlib.ExitStack() as stack:
        for parts in rounds(every):
            here = stage.Stage(api, Path(folder), image=image)
            stack.callback(here.close)
            eager = here.eager()
            subjects = here.raise_(parts)
            if before is not None:
                before.until_gone()
            _throttle(here, eager, result)
            for subject in subjects:
                raw.append(_contain(here, subject, result))
            here.close()
            before = here
    return result, raw


def _throttle(here: stage.Stage, eager: stage.Subject, result: report.Result) -> None:
    told = here.throttle(eager)
    result.faults += [f"{told.name}: {fault}" for fault in told.wrong]
    result.throttled += [told.seconds] if told.seconds is not None else []


def _contain(here: stage.Stage, subject: stage.Subject, result: report.Result) -> dict[str, object]:
    seen, waits = here.contain(subject)
    result.seen.append(seen)
    result.waits += waits
    wrong, found = times.wrong(seen), times.figures(seen)
    result.faults += [f"{seen.name}: {fault}" for fault in wrong]
    shown = " ".join(f"{name} {seconds:.2f}" for name, seconds in found.items())
    who = f"  {seen.how:10} {'deaf' if seen.part.deaf else '':4} {seen.name}:"
    print(who, shown, *(f"\n    WRONG: {fault}" for fault in wrong), flush=True)
    return stage.plain(seen, waits)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, keep; 1 when an aim is missed or a claim was wrong."""
    breaches, folder = int(arguments[0]), Path(arguments[1])
    cluster.assert_sealed()
    api = Api()
    images = loading.image_refs()
    install.install(api, images)
    seasons.wait(api)
    busy = os.getloadavg()[0]
    result, raw = measure(api, plan(breaches, breaches // HAND_EACH), image=images["demo-agent"])
    place = folder / datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
    place.mkdir(parents=True)
    document = {"load": busy, "throttled": result.throttled, "faults": result.faults, "incidents": raw}
    (place / "raw.json").write_text(json.dumps(document, indent=1) + "\n")
    judged = report.aims(result)
    print(*report.table(result), *report.waits(result), *judged, sep="\n")
    print(*(f"wrong   {fault}" for fault in result.faults), sep="\n", end="\n" if result.faults else "")
    print(f"{os.cpu_count()} cores; load before the run {busy:.1f}; raw numbers in {place}")
    print(*report.granted(result), report.last_line(result), sep="\n")
    return 0 if all(aim.met for aim in judged) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
