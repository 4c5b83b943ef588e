"""Do a deed at certain times only, again and again: for comparisons in turns, of what somebody beside it feels."""

import os
import signal
import time
from typing import Any

import red  # type: ignore[import-not-found]  # beside this file in the pod
import red_bombs  # type: ignore[import-not-found]
import red_calls  # type: ignore[import-not-found]

Deed = dict[str, Any]
Finding = dict[str, Any]


def slots(deed: Deed) -> Finding:
    """Do `what` in each of `slots` (seconds from `begin`) for `each` seconds; nothing of it is left between them."""
    kinds = {**red_bombs.KINDS, **red_calls.KINDS}
    for number in deed["slots"]:
        start = deed["begin"] + number * deed["each"]
        time.sleep(max(0.0, start - time.time()))
        worker = os.fork()
        if worker == 0:
            os.setsid()
            while True:
                red.done(deed["what"] | {"id": deed["id"], "seconds": deed["each"]}, kinds)
                time.sleep(0.01)
        time.sleep(max(0.0, start + deed["each"] - time.time()))
        os.killpg(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    return {"got": True, "word": f"{len(deed['slots'])} times"}


KINDS = {"slots": slots}
