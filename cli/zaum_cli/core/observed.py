"""Add up decisions: what traffic there was."""

from collections import Counter
from typing import Final

from zaum_api import contract
from zaum_cli.core import decisions
from zaum_cli.core.decisions import Verdict

BY_NAME: Final = frozenset({contract.Rule.HOST_NOT_NAMED.value, contract.Rule.PORT_NOT_NAMED.value})
"""A tunnel refused by one of these is one that an entry of `hosts` would have opened."""
BY_ALLOW: Final = contract.Rule.ROUTE_NOT_ALLOWED.value
BY_LIMIT: Final = frozenset({contract.Rule.REQUESTS_PER_MINUTE.value, contract.Rule.CONNECTIONS.value})


class Observed:
    """What the decisions of a policy's pods add up to. `first` and `last` are records' own times, empty for none."""

    def __init__(self, *, denied: bool = False) -> None:
        """`denied`: what was denied for want of an entry counts as needed too."""
        self._denied_too = denied
        self.first = ""
        self.last = ""
        self.counts: Counter[Verdict] = Counter()
        self.tunnels: Counter[tuple[str, int]] = Counter()
        self.requests: dict[str, Counter[tuple[str, str]]] = {}
        """By route: how often which method and path."""
        self.over: Counter[str] = Counter()
        """What was over a limit, by rule."""
        self.denied: Counter[tuple[str, str]] = Counter()
        """What is not counted as needed, by rule and target."""

    @property
    def total(self) -> int:
        """Count the decisions."""
        return self.counts.total()

    def add(self, seen: decisions.Decision) -> None:
        """Add one."""
        self.counts[seen.verdict] += 1
        if seen.at:
            self.first = min(self.first or seen.at, seen.at)
            self.last = max(self.last, seen.at)
        if seen.rule in BY_LIMIT:
            self.over[seen.rule] += 1
        if not self._needed(seen):
            self.denied[seen.rule, _target(seen)] += 1
        elif seen.route:
            self.requests.setdefault(seen.route, Counter())[seen.method, seen.path] += 1
        elif seen.host and seen.port:
            self.tunnels[seen.host, seen.port] += 1

    def _needed(self, seen: decisions.Decision) -> bool:
        if seen.verdict is not Verdict.DENIED:
            return True
        return self._denied_too and seen.rule in (BY_NAME if not seen.route else {BY_ALLOW})


def _target(seen: decisions.Decision) -> str:
    if seen.route or seen.path:
        return f"route {seen.route or '(none)'} {seen.method} {seen.path}".rstrip()
    return f"{seen.host}:{seen.port}" if seen.host else "no host that is safe to repeat"
