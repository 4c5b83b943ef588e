"""Say of each attempt what came of it, from what the pod printed, its control, and the other witnesses. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tests.battery.evidence import Proof
from tests.battery.lines import Attempt, Needs, Where, Witness

Finding = Mapping[str, Any]

ABSENT: Final = frozenset(
    {
        "EPROTONOSUPPORT", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "ENOPROTOOPT", "ENOSYS", "EOPNOTSUPP", "EPFNOSUPPORT",
        "ENODEV",
    }
)  # fmt: skip
"""What a kernel says that lacks something."""


class Verdict(StrEnum):
    """What came of an attempt."""

    HELD = "held"
    ESCAPED = "escaped"
    BROKEN = "broken"
    """Its control failed, or it did not run: it proves nothing."""
    ODD = "odd"
    """It was stopped, but not by whom it should have been."""
    ABSENT = "n/a"
    """The kernel lacks it, for the control too."""
    PENDING = "pending"
    """What it is about is not in the product yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one attempt, and why."""

    attempt: Attempt
    verdict: Verdict
    why: str = ""


def judge(
    attempt: Attempt, finding: Finding | None, control: Finding | None, *,
    present: frozenset[Needs], proofs: Iterable[Proof] = (), seen: bool = False,
) -> Outcome:  # fmt: skip
    """Judge one attempt. `seen`: the world saw the attempt's own mark, although nobody should have let it pass."""
    if attempt.needs not in present:
        return Outcome(attempt, Verdict.PENDING, f"no {attempt.needs} here")
    proof = next(iter(proofs), None)
    if proof is not None:
        return Outcome(attempt, Verdict.ESCAPED, f"{proof.how}: {proof.peer} port {proof.port}")
    if seen:
        return Outcome(attempt, Verdict.ESCAPED, "the world saw it")
    if finding is not None and finding.get("got"):
        return Outcome(attempt, Verdict.ESCAPED, f"the pod says {finding.get('word')}")
    if finding is None or finding.get("broken"):
        return Outcome(attempt, Verdict.BROKEN, "it did not run" if finding is None else str(finding.get("word")))
    if control is None or not control.get("got"):
        return _uncontrolled(attempt, finding, control)
    return _stopped(attempt, finding)


def _uncontrolled(attempt: Attempt, finding: Finding, control: Finding | None) -> Outcome:
    word = "not run" if control is None else str(control.get("word"))
    if word in ABSENT and attempt.control.where is not Where.AGENT:
        return Outcome(attempt, Verdict.ABSENT, f"here {finding['word']}, unguarded {word}")
    return Outcome(attempt, Verdict.BROKEN, f"the control: {word}")


def _stopped(attempt: Attempt, finding: Finding) -> Outcome:
    if attempt.witness is Witness.RULE:
        rule, status = finding.get("rule", ""), int(finding.get("status", 0))
        known = rule in attempt.rules if attempt.rules else bool(rule) and status >= 400
        if not known:
            return Outcome(attempt, Verdict.ODD, f"{finding['word']} {rule or 'without a rule'}")
    return Outcome(attempt, Verdict.HELD, str(finding.get("rule") or finding["word"]))


def records_wrong(
    attempts: Sequence[Attempt], findings: Mapping[str, Finding], controls: int, refused: Counter[str]
) -> str:
    """Hold a watchdog's records of refusals against what its pod was told: one each. Empty when they agree.

    `refused`: rule → number of decision records. A tunnel that is reset without an answer leaves one record, too;
    `controls` is how many of the pod's own controls may have left one (a tunnel that was opened and not used).
    """
    left = Counter(refused)
    silent = tolerated = 0
    for attempt in attempts:
        finding = findings.get(attempt.id)
        if finding is None or attempt.witness in {Witness.DROP, Witness.KERNEL}:
            continue
        if attempt.witness is Witness.RULE and attempt.records and finding.get("rule"):
            left[finding["rule"]] -= 1
        elif attempt.witness is Witness.SILENT_RULE:
            silent += 1
        else:
            tolerated += 1
    missing = {rule: -count for rule, count in left.items() if count < 0}
    if missing:
        return f"answers without a record: {missing}"
    extra = sum(left.values())
    if not silent <= extra <= silent + tolerated + controls:
        surplus = {rule: count for rule, count in left.items() if count}
        return f"{extra} records beside the answers, {silent} to {silent + tolerated + controls} are due: {surplus}"
    return ""
