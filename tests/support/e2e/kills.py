"""Kill processes of pods on the local cluster's node, without a word to anybody."""

import os
import signal
import subprocess

from tests.support.e2e.api import Object


def process_of(pod: Object, container: str) -> int:
    """Find a container's process on the node, by the container's id, which the kubelet reports."""
    status = pod["status"]
    states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    name = next(item["containerID"] for item in states if item["name"] == container)
    listed = subprocess.run(["ctr", "-n", "k8s.io", "task", "ls"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return int(next(row[1] for row in rows if row and row[0] == name.partition("//")[2]))


def kill(pod: Object, container: str) -> bool:
    """Kill a container's process; False where there is none just now."""
    try:
        os.kill(process_of(pod, container), signal.SIGKILL)
    except (StopIteration, ProcessLookupError, KeyError):
        return False
    return True
