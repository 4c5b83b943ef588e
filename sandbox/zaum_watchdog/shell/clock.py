"""The only place where this process reads a clock. Nanoseconds, both."""

import time

monotonic = time.monotonic_ns
wall = time.time_ns
