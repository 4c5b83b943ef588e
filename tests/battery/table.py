"""Print what came of a run. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.battery.judge import Outcome, Verdict
from tests.battery.lines import GROUPS


@dataclass(frozen=True, slots=True)
class Result:
    """A whole run: outcomes, and what is wrong beside them (packets or records that belong to no attempt)."""

    outcomes: Sequence[Outcome]
    alarms: Sequence[str]
    """Each counts as an escape."""
    doubts: Sequence[str]
    """Each counts as a broken control."""

    def count(self, verdict: Verdict) -> int:
        """Count outcomes of one kind."""
        return sum(outcome.verdict is verdict for outcome in self.outcomes)

    @property
    def attempts(self) -> int:
        """Count what was really tried."""
        return len(self.outcomes) - self.count(Verdict.PENDING) - self.count(Verdict.ABSENT)

    @property
    def escapes(self) -> int:
        """Count what got through."""
        return self.count(Verdict.ESCAPED) + len(self.alarms)

    def fails(self, *, strict: bool) -> bool:
        """Tell whether the run must fail."""
        unsure = self.count(Verdict.BROKEN) + self.count(Verdict.ODD) + len(self.doubts)
        return bool(self.escapes or unsure or not self.attempts or (strict and self.count(Verdict.PENDING)))

    @property
    def last_line(self) -> str:
        """Give the one line that says it all."""
        return f"battery: escapes {self.escapes} / {self.attempts} attempts"


COLUMNS = (Verdict.ESCAPED, Verdict.BROKEN, Verdict.ODD, Verdict.ABSENT, Verdict.PENDING)


def lines(result: Result) -> Iterable[str]:
    """Give the table, what needs a reason, and the last line."""
    by_line: dict[tuple[int, str], list[Outcome]] = {}
    for outcome in result.outcomes:
        by_line.setdefault((outcome.attempt.group, outcome.attempt.line), []).append(outcome)
    yield f"{'line':<52} {'attempts':>8}" + "".join(f" {column:>8}" for column in COLUMNS)
    shown = 0
    for (group, line), outcomes in sorted(by_line.items()):
        if group != shown:
            yield f"{group}. {GROUPS[group]}"
            shown = group
        counts = Counter(outcome.verdict for outcome in outcomes)
        yield f"   {line:<49} {len(outcomes):>8}" + "".join(f" {counts[column] or '·':>8}" for column in COLUMNS)
    yield from _reasons(result)
    pending = result.count(Verdict.PENDING)
    if pending:
        yield f"pending: {pending} attempts wait for a part of the product that is not there"
    absent = result.count(Verdict.ABSENT)
    if absent:
        yield f"n/a: {absent} attempts are at something that this machine's kernel lacks"
    yield result.last_line


def _reasons(result: Result) -> Iterable[str]:
    for verdict in (Verdict.ESCAPED, Verdict.BROKEN, Verdict.ODD, Verdict.ABSENT):
        for outcome in result.outcomes:
            if outcome.verdict is verdict:
                attempt = outcome.attempt
                where = f"{attempt.group}. {attempt.line}: {attempt.variant!r} ({attempt.id})"
                yield f"{verdict}: {where}: {outcome.why}"
    for alarm in result.alarms:
        yield f"{Verdict.ESCAPED}: {alarm}"
    for doubt in result.doubts:
        yield f"{Verdict.BROKEN}: {doubt}"
