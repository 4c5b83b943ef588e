"""Turn the records of all containments into a table, the aims and the last line. Pure."""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bench.contain import times
from bench.contain.times import How, Seen
from bench.scale.report import Aim
from zaum_api import incidents

CUT: Final = 0.25
DEAD: Final = 3.0
QUARANTINED: Final = 2.0
PROOF: Final = 15.0
DEAF: Final = 3.25
"""Of an agent that does not end when told: the kubelet gives it two seconds at least before it takes SIGKILL
(minimumGracePeriodInSeconds), and begins with that when it has looked at its containers anew, once a second."""
STEPS: Final = {"cut": CUT, "dead": DEAD, "quarantined": QUARANTINED, "identity": None, "proof": PROOF}
"""Each figure with its aim, in seconds after the verdict."""
BY_HAND: Final = {"dead": DEAD, "proof": PROOF}
"""By hand the time begins before the Incident is there, with the command: the others have no aim of their own."""
_NAMES: Final = {"identity": "identity dead", "proof": "proof complete", "dead": "agent dead"}
_CLAIMS: Final = {"cut": incidents.Condition.CUT, "dead": incidents.Condition.KILLED}
"""Where the fact is measured, the Incident's claim is shown beside it."""
_OWN: Final = re.compile(r"zaum-[a-z0-9-]+|\d+(\.\d+){3}(, \d+(\.\d+){3})*")


@dataclass(frozen=True, slots=True)
class Wait:
    """What a condition waited for, and how long."""

    step: str
    message: str
    seconds: float


@dataclass
class Result:
    """All that was measured. `faults`: what was wrong, by the name of what it was wrong with."""

    seen: list[Seen] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def breaches(self) -> list[Seen]:
        """Give those that began with a breach."""
        return [one for one in self.seen if one.how is not How.HAND]

    def by_hand(self) -> list[Seen]:
        """Give those that a person asked for."""
        return [one for one in self.seen if one.how is How.HAND]


def spread(values: Iterable[float | None]) -> tuple[float, float] | None:
    """Give p50 and max; None where there is nothing."""
    found = [value for value in values if value is not None]
    return (statistics.median(found), max(found)) if found else None


def figure(seen: Iterable[Seen], name: str) -> list[float]:
    """Give one figure of each that has it."""
    return [found[name] for one in seen if name in (found := times.figures(one))]


def worst(seen: Iterable[Seen], name: str) -> float | None:
    """Give the largest; None where nobody has it, or one lacks it that should: it was not measured."""
    due = [one for one in seen if name != "quarantined" or one.how is not How.KILL]
    found = figure(due, name)
    return max(found) if found and len(found) == len(due) else None


def table(result: Result) -> list[str]:
    """Write the figures for people, in seconds."""
    lines = [f"{'seconds':40}{'n':>5}{'p50':>8}{'max':>8}{'aim':>8}   claimed p50     max"]
    lines += _row("breach -> throttled", result.throttled, None, [])
    for title, seen, aims in (("breach", result.breaches(), STEPS), ("zaum contain", result.by_hand(), BY_HAND)):
        for name in STEPS:
            claimed = _claimed(seen, _CLAIMS[name]) if name in _CLAIMS else []
            lines += _row(f"{title} -> {_NAMES.get(name, name)}", figure(seen, name), aims.get(name), claimed)
            if name == "dead" and (deaf := [one for one in seen if one.part.deaf]):
                lines += _row("  of those deaf to SIGTERM", figure(deaf, name), DEAF, [])
    if shown := spread(times.before(one) for one in result.seen):
        lines.append(f"  the world's last request came p50 {shown[0]:.3f} s, max {shown[1]:.3f} s before")
    return lines


def _claimed(seen: Iterable[Seen], step: incidents.Condition) -> list[float]:
    found = ((one.begun, times.claims(one.incident).get(step)) for one in seen)
    return [at - begun for begun, at in found if begun is not None and at is not None]


def _row(name: str, values: list[float], aim: float | None, claimed: list[float]) -> list[str]:
    shown, said = spread(values), spread(claimed)
    if shown is None:
        return []
    bound = f"{aim:8.2f}" if aim is not None else f"{'-':>8}"
    beside = f"{said[0]:14.2f}{said[1]:8.2f}" if said is not None else ""
    return [f"{name:40}{len(values):5}{shown[0]:8.2f}{shown[1]:8.2f}{bound}{beside}"]


def waits(result: Result, *, most: int = 6) -> list[str]:
    """Say what the conditions waited for, the longest first; names of pods and addresses do not matter."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for wait in result.waits:
        found[wait.step, _OWN.sub("*", wait.message)].append(wait.seconds)
    longest = sorted(found.items(), key=lambda item: -max(item[1]))[:most]
    return [
        f"  {step} waited {statistics.median(took):.2f} s, at most {max(took):.2f} s ({len(took)} times): {message}"
        for (step, message), took in longest
    ]


def aims(result: Result) -> list[Aim]:
    """Judge: every aim by the slowest; of agents that do not end when told, the end by what a kubelet can do."""
    named: list[tuple[str, float | None, float]] = []
    for title, seen, bounds in (("breach", result.breaches(), STEPS), ("zaum contain", result.by_hand(), BY_HAND)):
        deaf = [one for one in seen if one.part.deaf]
        for name, aim in bounds.items() if seen or bounds is STEPS else ():
            if aim and name == "dead":
                named.append((f"{title} -> {name}", worst([one for one in seen if not one.part.deaf], name), aim))
                named += [(f"{title} -> {name}, deaf to SIGTERM", worst(deaf, name), DEAF)] if deaf else []
            elif aim:
                named.append((f"{title} -> {name}", worst(seen, name), aim))
    judged = [Aim(f"{name}, max", value, aim, " s") for name, value, aim in named]
    return [*judged, Aim("claims and records that were wrong or missing", float(len(result.faults)), 0)]


def granted(result: Result) -> list[str]:
    """Say which aim the last line is not judged by."""
    deaf = figure((one for one in result.seen if one.part.deaf), "dead")
    over = sum(seconds > DEAD for seconds in deaf)
    said = f"dead: {over} of {len(deaf)} agents deaf to SIGTERM took more than {DEAD} s; {DEAF} s are granted to them"
    return [said] if deaf else []


def last_line(result: Result) -> str:
    """Give the line that says it all, of all breaches."""
    seen = result.breaches()
    found = ((name, worst(seen, name)) for name, aim in STEPS.items() if aim)
    shown = " ".join(f"{name} {value:.2f} s" if value is not None else f"{name} n/a s" for name, value in found)
    return f"bench: contain max {shown} (n={len(seen)})"
