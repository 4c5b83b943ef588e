"""Reckon how much of a late beat is the event loop's own doing."""


def own(*, late: int, used: int, waited: int, period: int) -> int:
    """Give the part of `late` that the loop's thread spent at work; all times in nanoseconds.

    `used` is the CPU time and `waited` the time without a core since the beat before, which was `late + period` ago.
    What is late and neither was a stop (SIGSTOP, a page read from disk): then only the work is known, of which up to
    one period came before the beat was due. A callback of length x gives at least `x - period` in each case.
    """
    rest = late - waited
    return max(rest if rest <= used else used - period, 0)
