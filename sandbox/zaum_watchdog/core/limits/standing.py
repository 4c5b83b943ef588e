"""Say how meters stand, for the RateLimit headers of every answer."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from zaum_api import documents
from zaum_watchdog.core.limits import shares, slices
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.metering import ratelimit

Part = slices.Slices | shares.Requests | shares.Minute | shares.Places
_UNTOLD = -1, 0


class Standing:
    """The meters of one document, with what is left of them."""

    __slots__ = ("_meters", "_parts", "_rows", "_told")

    def __init__(self, meters: Mapping[str, documents.Meter], parts: Mapping[str, Part]) -> None:
        self._meters = meters
        self._parts = parts
        self._told = {name: ratelimit.told(meter) for name, meter in meters.items()}
        self._rows: dict[tuple[str, ...], _Row] = {}
        """By the names of some meters."""

    def states(self, names: Iterable[str], used: Mapping[str, tuple[int, int]], now: int) -> list[ratelimit.State]:
        """See `reservations.Books.states`; `used`: of a budget, and when its window ends, as far as it was told."""
        return [found for name in names if (found := self._state(name, used, now)) is not None]

    def _state(self, name: str, used: Mapping[str, tuple[int, int]], now: int) -> ratelimit.State | None:
        told = self._told.get(name)
        if told is None:
            return None
        part = self._parts[name]
        match part:
            case slices.Slices():
                spent, until = used.get(name, _UNTOLD)
                if spent < 0:
                    return None
                limit = self._meters[name].limit
                left = min(limit, max(0, limit - spent) + part.free(now))
                return ratelimit.State(told, left, limit, -(-max(0, until - now) // SECOND))
            case shares.Minute():
                return ratelimit.State(told, max(0, part.room(now)), part.most(now), 60)
            case shares.Requests():
                return ratelimit.State(told, part.left(now), part.bounds.burst.at(now), 60)
            case shares.Places():
                return ratelimit.State(told, part.left(now), part.bounds.amount.at(now))

    def lines(self, names: tuple[str, ...], used: Mapping[str, tuple[int, int]], now: int) -> list[bytes]:
        """Write the headers: at once where all is known and nothing is to be warned of, as nearly always."""
        said = self._plainly(names, used, now) if names else None
        if said is None:
            return ratelimit.lines(self.states(names, used, now))
        return [self._rows[names].policies, said]

    def _plainly(self, names: tuple[str, ...], used: Mapping[str, tuple[int, int]], now: int) -> bytes | None:
        row = self._rows.get(names)
        if row is None:
            row = self._rows[names] = self._row(names)
        said: list[int] = []
        for name, part, most in row.parts:
            if type(part) is slices.Slices:
                spent, until = used.get(name, _UNTOLD)
                if spent < 0 or until <= now:
                    return None
                left = (most - spent if spent < most else 0) + part.free(now)
                left = min(left, most)
            elif type(part) is shares.Minute or type(part) is shares.Requests:
                left, most = part.stands(now)  # noqa: PLW2901  # of a rate it may change
                until = 0
            else:
                return None
            if not (100 - ratelimit.WARN_PERCENT) * most < 100 * left:
                return None
            said.append(left if left < ratelimit.INTEGER_MAX else ratelimit.INTEGER_MAX)
            if until:
                said.append((until - now + SECOND - 1) // SECOND)
        return row.limits % (*said,)

    def _row(self, names: tuple[str, ...]) -> "_Row":
        parts = [(name, self._parts.get(name)) for name in names]
        found = tuple((name, part, self._meters[name].limit if part is not None else 0) for name, part in parts)
        written = ", ".join([self._told[name].policy for name, part in parts if part is not None])
        limits = [
            f"{self._told[name].name.replace('%', '%%')};r=%d;t={_seconds(part)}"
            for name, part in parts
            if part is not None
        ]
        return _Row(
            found,
            f"{ratelimit.HEADER_POLICY}: {written}".encode("ascii"),
            f"{ratelimit.HEADER_LIMIT}: {', '.join(limits)}".encode("ascii"),
        )


def _seconds(part: Part) -> str:
    return "%d" if isinstance(part, slices.Slices) else "60"


class _Row(NamedTuple):
    """What is always the same of some meters: of each its part and its limit, and two lines, the one of their policies.

    Into the other one go what is left of each and, of a budget, the seconds that its window lasts.
    """

    parts: tuple[tuple[str, Part | None, int], ...]
    policies: bytes
    limits: bytes
