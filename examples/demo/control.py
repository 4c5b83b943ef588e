"""The positive control: the demo's doors, tried from a pod that nothing guards. There, every one must open.

Prints the same lines as the agent's `door` steps, then `{"phase": "control", "outcome": "done"}`, and stays.
Environment: DOORS_FILE.
"""

import os
import signal

import probe


def main() -> None:
    """Try every door, then wait for SIGTERM, so that nobody starts this again."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    for attempt in probe.read_attempts("@" + os.environ["DOORS_FILE"]):
        finding = probe.try_one(attempt)
        probe.say("door", finding["outcome"], label=finding["name"], target=finding["target"], ms=finding["ms"])
    probe.say("control", "done")
    signal.pause()


if __name__ == "__main__":
    main()
