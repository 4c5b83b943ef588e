"""Say how meters stand, for the RateLimit headers of every answer."""

from collections.abc import Iterable, Mapping

from zaum_api import documents
from zaum_watchdog.core.limits import shares, slices
from zaum_watchdog.core.limits.recent import SECOND
from zaum_watchdog.core.metering import ratelimit

Part = slices.Slices | shares.Requests | shares.Minute | shares.Places
_UNTOLD = -1, 0


class Standing:
    """The meters of one document, with what is left of them."""

    __slots__ = ("_meters", "_parts", "_policies", "_told")

    def __init__(self, meters: Mapping[str, documents.Meter], parts: Mapping[str, Part]) -> None:
        self._meters = meters
        self._parts = parts
        self._told = {name: ratelimit.told(meter) for name, meter in meters.items()}
        self._policies: dict[tuple[str, ...], bytes] = {}
        """The lines that say the policies of some meters, which never change."""

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
                return ratelimit.State(told, max(0, part.room(now)), part.bounds.amount.at(now), 60)
            case shares.Requests():
                return ratelimit.State(told, part.left(now), part.bounds.burst.at(now), 60)
            case shares.Places():
                return ratelimit.State(told, part.left(now), part.bounds.amount.at(now))

    def lines(self, names: tuple[str, ...], used: Mapping[str, tuple[int, int]], now: int) -> list[bytes]:
        """Write the headers: at once where all is known and nothing is to be warned of, as nearly always."""
        said = self._plainly(names, used, now) if names else None
        if said is None:
            return ratelimit.lines(self.states(names, used, now))
        policies = self._policies.get(names)
        if policies is None:
            written = ", ".join([self._told[name].policy for name in names])
            policies = self._policies[names] = f"{ratelimit.HEADER_POLICY}: {written}".encode("ascii")
        return [policies, said]

    def _plainly(self, names: tuple[str, ...], used: Mapping[str, tuple[int, int]], now: int) -> bytes | None:
        text = f"{ratelimit.HEADER_LIMIT}: "
        for name in names:
            part = self._parts.get(name)
            seconds = 60
            if isinstance(part, slices.Slices):
                spent, until = used.get(name, _UNTOLD)
                if spent < 0 or until <= now:
                    return None
                most = self._meters[name].limit
                left = (most - spent if spent < most else 0) + part.free(now)
                left = min(left, most)
                seconds = (until - now + SECOND - 1) // SECOND
            elif isinstance(part, shares.Requests):
                left, most = part.left(now), part.bounds.burst.at(now)
            elif isinstance(part, shares.Minute):
                left, most = part.room(now), part.bounds.amount.at(now)
            else:
                return None
            if not (100 - ratelimit.WARN_PERCENT) * most < 100 * left <= 100 * ratelimit.INTEGER_MAX:
                return None
            text += f'"{name}";r={left};t={seconds}, '
        return text[:-2].encode("ascii")
