"""The only place where this process reads a clock. Nanoseconds, all of them."""

import time

monotonic = time.monotonic_ns
wall = time.time_ns
thread_cpu = time.thread_time_ns
