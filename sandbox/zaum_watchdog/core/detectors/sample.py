"""What the detectors are fed on each tick."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that left: a digest of what it asked for, and whether it only reads."""

    digest: bytes
    reads: bool


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
    memory: int = 0
    """Bytes that the agent's processes have in memory."""
    begun: int = 0
    """Processes and threads that were begun in the pod since the look before."""
    files: int = 0
    """Files and sockets that the agent's processes hold open; 0 where the kernel does not tell."""
    asked: tuple[Asked, ...] = ()
    """Requests on routes that left, and have ended since the tick before, in order."""
    answered: int = 0
    """Answers of upstreams on routes since the tick before."""
    wrong: int = 0
    """Of them, those that call the request wrong."""
    tokens: int = 0
    """Model tokens that were charged since the tick before."""
    sent: int = 0
    """Bytes that left since the tick before."""
    moved: bool = False
    """Whether a request was made, or a byte passed, since the tick before."""
    throttled: bool = False
    """Whether the agent has been throttled, which may have taken most of its cpu."""
    late: int = 0
    """How much later than it should this tick came, in nanoseconds."""
