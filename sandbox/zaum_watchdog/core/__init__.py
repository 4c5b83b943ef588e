"""Decisions of the watchdog. Pure: no I/O, clock, randomness, logging, third-party imports; `now` is an argument.

Times are integers in nanoseconds of a monotonic clock, unless a name says otherwise.
"""
