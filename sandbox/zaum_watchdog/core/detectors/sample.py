"""What the detectors are fed on each tick."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One tick's observations; `now` and the times in nanoseconds of a monotonic clock."""

    now: int
    cpu: int = 0
    """CPU time that the agent used since the look before, in nanoseconds."""
    elapsed: int = 0
    """Time between the two looks; 0 while there was only one."""
    processes: int = 0
    denied: tuple[int, ...] = ()
    """When requests were denied since the tick before, in order."""
