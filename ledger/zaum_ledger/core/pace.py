"""How often one pod may ask: a few times a second for long, more for a moment."""

from typing import Final

PER_SECOND: Final = 10
BURST: Final = 40
_MANY: Final = 100_000


class Pace:
    """GCRA by key. `now` in seconds of a clock that never goes back."""

    def __init__(self, per_second: float = PER_SECOND, burst: int = BURST) -> None:
        self._gap = 1 / per_second
        self._slack = self._gap * burst
        self._due: dict[str, float] = {}

    def allows(self, key: str, now: float) -> bool:
        """Count one request of a key; False for one too many, which does not count."""
        due = max(self._due.get(key, now), now)
        if due - now > self._slack - self._gap:
            return False
        if len(self._due) >= _MANY and key not in self._due:
            self._due = {other: at for other, at in self._due.items() if at > now}
        self._due[key] = due + self._gap
        return True
