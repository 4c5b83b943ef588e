"""Another tenant, who takes all the cpu that the node gives: pods that spin for a time and end by themselves."""

import time
from pathlib import Path
from typing import Final

from tests.support.e2e.api import Api, Object
from zaum_api import contract, quantities

SPINNERS: Final = 4
"""Processes in each pod: with two pods of them more than the node of the tests has cores, whoever else wants one."""
STARTED_SECONDS: Final = 60
_SPIN: Final = """
import multiprocessing, sys, time

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(10000):
            pass

if __name__ == "__main__":
    workers = [multiprocessing.Process(target=spin, args=(float(sys.argv[1]),)) for _ in range(int(sys.argv[2]))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""
_SPARE: Final = 500
"""Thousandths of a cpu that stay unpromised: room for the pods of a part that is rolled out again, beside those that
still drain. With less the scheduler makes room, and takes an agent, whose priority is the lowest."""


def spin(api: Api, namespace: str, image: str, *, seconds: float) -> int:
    """Start the pods and wait until they run. The kubelet ends them where they do not end by themselves.

    One is BestEffort. The other one is promised all cpu that is promised to nobody, so that nobody gets more than what
    was promised to him; give that, in thousandths.
    """
    promised = max(_SPARE, unpromised(api) - _SPARE)
    wanted: dict[str, Object] = {"beggar": {}, "owner": {"requests": {"cpu": quantities.write_millis(promised)}}}
    for name, resources in wanted.items():
        api.apply("pods", _pod(namespace, name, image, seconds=seconds, resources=resources))
    for name in wanted:
        api.until("pods", namespace, name, _runs, seconds=STARTED_SECONDS, what=f"{name} spins")
    return promised


def unpromised(api: Api) -> int:
    """Give the thousandths of the one node's cpu that no pod requests."""
    (node,) = api.items("nodes")
    ended = {"Succeeded", "Failed"}
    pods = [pod for pod in api.items("pods") if pod.get("status", {}).get("phase") not in ended]
    return quantities.millis(node["status"]["allocatable"]["cpu"]) - sum(map(_requested, pods))


def _requested(pod: Object) -> int:
    sidecars = [item for item in pod["spec"].get("initContainers", ()) if item.get("restartPolicy") == "Always"]
    requests = [item.get("resources", {}).get("requests", {}) for item in (*pod["spec"]["containers"], *sidecars)]
    return sum(quantities.millis(item.get("cpu", "0")) for item in requests)


class Meter:
    """How busy the node's cpus were since the meter was made."""

    def __init__(self) -> None:
        self._idle, self._all = _ticks()
        self.began = time.time()

    def busy(self) -> float:
        """Give the part of the cpu time that was used, from 0 to 1."""
        idle, all_ = _ticks()
        return 1 - (idle - self._idle) / max(1, all_ - self._all)


def _ticks() -> tuple[int, int]:
    """Read the idle and all ticks of all cpus (proc_stat(5); of the others guests stand in user already)."""
    fields = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def _runs(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in {"Running", "Succeeded"}


def _pod(namespace: str, name: str, image: str, *, seconds: float, resources: Object) -> Object:
    container = {
        "name": "spin", "image": image, "imagePullPolicy": "IfNotPresent", "resources": resources,
        "command": ["python3", "-c", _SPIN, str(seconds), str(SPINNERS)],
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True, "runAsUser": contract.AGENT_UID, "seccompProfile": {"type": "RuntimeDefault"},
        },
    }  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": int(seconds) + 30, "automountServiceAccountToken": False,
        },
    }  # fmt: skip
