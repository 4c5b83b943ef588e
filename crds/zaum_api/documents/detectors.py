"""The detectors of a runaway agent: each a threshold and how long, or within how long, it is exceeded.

Each is written as an object of whole numbers; what they count is said at the class.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from zaum_api.reading import Fields

DAY_SECONDS: Final = 86_400
THROTTLED_SHARE: Final = 10
THROTTLED_LEAST: Final = 10
"""Thousandths of a core: a throttled pod keeps a tenth of its cpu, and no less than this."""
COUNT_MAX: Final = 100_000
BYTES_MAX: Final = 2**50


@dataclass(frozen=True, slots=True)
class Number:
    """How one of a detector's numbers is spelt and bounded."""

    key: str
    least: int
    most: int


def _above(most: int = COUNT_MAX) -> Number:
    return Number("above", 1, most)


_PERCENT: Final = Number("abovePercent", 1, 100)
_FOR: Final = Number("forSeconds", 1, DAY_SECONDS)
_PER: Final = Number("perSeconds", 1, DAY_SECONDS)


class _Detector:
    """Reads and writes the numbers of a detector, in the order of its fields."""

    __slots__ = ()
    numbers: ClassVar[tuple[Number, ...]]

    @classmethod
    def read(cls, value: object, place: str) -> Self:
        """Read the detector."""
        fields = Fields(value, place)
        detector = cls(*(fields.whole(one.key, least=one.least, most=one.most) for one in cls.numbers))
        fields.end()
        return detector

    def write(self) -> dict[str, Any]:
        """Give the JSON shape."""
        names = type(self).__dataclass_fields__  # type: ignore[attr-defined]  # each of them is a dataclass
        return {one.key: getattr(self, name) for one, name in zip(self.numbers, names, strict=False)}


@dataclass(frozen=True, slots=True)
class CpuDetector(_Detector):
    """Trip when the agent's processes use more than `above_percent` of `limit_millis` for `for_seconds`."""

    above_percent: int
    for_seconds: int
    limit_millis: int
    numbers: ClassVar = (_PERCENT, _FOR, Number("limitMillis", 1, 1_000_000))

    @property
    def throttled_millis(self) -> int:
        """Give what the operator leaves a throttled pod of its limit, where the cluster can resize it."""
        return max(self.limit_millis // THROTTLED_SHARE, THROTTLED_LEAST)


@dataclass(frozen=True, slots=True)
class MemoryDetector(_Detector):
    """Trip when the memory of the agent's processes grows by more than `growth_per_minute` bytes in each minute.

    For `for_seconds`: at every moment of it, more than so much was added within the minute before.
    """

    growth_per_minute: int
    for_seconds: int
    numbers: ClassVar = (Number("growthPerMinute", 1, BYTES_MAX), _FOR)


@dataclass(frozen=True, slots=True)
class ProcessDetector(_Detector):
    """Trip when the agent has more than `above` processes for `for_seconds`."""

    above: int
    for_seconds: int
    numbers: ClassVar = (_above(), _FOR)


@dataclass(frozen=True, slots=True)
class ForkDetector(_Detector):
    """Trip when more than `above` processes and threads are begun within `per_seconds`, however short they live."""

    above: int
    per_seconds: int
    numbers: ClassVar = (_above(10_000_000), _PER)


@dataclass(frozen=True, slots=True)
class FileDetector(_Detector):
    """Trip when the agent's processes hold more than `above` open files and sockets together for `for_seconds`."""

    above: int
    for_seconds: int
    numbers: ClassVar = (_above(10_000_000), _FOR)


@dataclass(frozen=True, slots=True)
class DeniedDetector(_Detector):
    """Trip when more than `above` requests are denied within any `per_seconds`."""

    above: int
    per_seconds: int
    numbers: ClassVar = (_above(), _PER)


@dataclass(frozen=True, slots=True)
class RepeatedDetector(_Detector):
    """Trip when the same request is made more than `same` times within `per_seconds`.

    Requests on routes, by route, method, path and content. Reads (GET, HEAD, OPTIONS) do not count: to ask whether
    something is done is ordinary. Inside a tunnel no request can be seen.
    """

    same: int
    per_seconds: int
    numbers: ClassVar = (Number("same", 1, COUNT_MAX), _PER)


@dataclass(frozen=True, slots=True)
class ErrorDetector(_Detector):
    """Trip when, of at least `of_at_least` answers within `per_seconds`, more than `above_percent` call it wrong.

    Answers on routes, by the upstream itself, with a status that says that the request is wrong (400, 404, 422 and
    their like). Not what a credential, a rate or an outage is to blame for.
    """

    above_percent: int
    of_at_least: int
    per_seconds: int
    numbers: ClassVar = (Number("abovePercent", 1, 99), Number("ofAtLeast", 1, COUNT_MAX), _PER)


@dataclass(frozen=True, slots=True)
class NoProgressDetector(_Detector):
    """Trip when more than `tokens` were spent in `for_seconds` or longer in which no request was a new one."""

    tokens: int
    for_seconds: int
    numbers: ClassVar = (Number("tokens", 1, 1_000_000_000_000), _FOR)


@dataclass(frozen=True, slots=True)
class EgressDetector(_Detector):
    """Trip when more than `above` bytes leave within `per_seconds`."""

    above: int
    per_seconds: int
    numbers: ClassVar = (_above(BYTES_MAX), _PER)


@dataclass(frozen=True, slots=True)
class IdleDetector(_Detector):
    """Trip when no request and no byte passed for `for_seconds` (`spec.lifetime.idle`)."""

    for_seconds: int
    numbers: ClassVar = (Number("forSeconds", 1, 30 * DAY_SECONDS),)


@dataclass(frozen=True, slots=True)
class StarvedDetector(_Detector):
    """Trip when the watchdog itself comes more than `late_seconds` late to each of its looks for `for_seconds`."""

    late_seconds: int
    for_seconds: int
    numbers: ClassVar = (Number("lateSeconds", 1, 3600), _FOR)
