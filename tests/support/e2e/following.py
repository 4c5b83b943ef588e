"""Follow what all pods of a policy print, also those that come and go meanwhile, whatever is killed in them."""

import json
import threading
import time
from typing import Final

from tests.support.e2e.api import Api, NotSeenError, Object, RefusedError
from zaum_api import contract

LOOK_SECONDS: Final = 0.3
CONTAINERS: Final = (contract.CONTAINER_AGENT, contract.CONTAINER_WATCHDOG)


class Followed:
    """All JSON lines of the containers of a policy's pods, by the pod's name and the container's."""

    def __init__(self, namespace: str, policy: str, *, seconds: float) -> None:
        self._namespace = namespace
        self._label = f"{contract.LABEL_POLICY}={policy}"
        self._until = time.monotonic() + seconds
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.lines: dict[tuple[str, str], list[Object]] = {}
        self.pods: dict[str, Object] = {}
        """All that were ever seen, as they were seen last."""

    def __enter__(self) -> "Followed":
        self._start(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._until = 0.0

    def living(self) -> list[Object]:
        """Give the pods that run and are not told to end."""
        kept = [pod for pod in self.pods.values() if pod["status"].get("phase") == "Running"]
        return [pod for pod in kept if not pod["metadata"].get("deletionTimestamp")]

    def _start(self, target: object, *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _look(self) -> None:
        api = Api()
        while time.monotonic() < self._until:
            try:
                found = api.items("pods", self._namespace, labels=self._label)
            except RefusedError:
                found = []
            for name in set(self.pods) - {pod["metadata"]["name"] for pod in found}:
                self.pods[name]["status"]["phase"] = "Gone"
            for pod in found:
                name = pod["metadata"]["name"]
                new = name not in self.pods
                self.pods[name] = pod
                for container in CONTAINERS if new else ():
                    self.lines[name, container] = []
                    self._start(self._follow, name, container)
            self._over.wait(LOOK_SECONDS)

    def _follow(self, pod: str, container: str) -> None:
        """Read each life of a container to its end."""
        api, read = Api(), 0
        while time.monotonic() < self._until and self.pods[pod]["status"].get("phase") != "Gone":
            life = max(1, self._lives(pod, container))
            try:
                left = self._until - time.monotonic()
                for line in api.log(self._namespace, pod, container=container, seconds=left) if life > read else ():
                    if line.startswith("{") and line.endswith("}"):
                        self.lines[pod, container].append(json.loads(line))
                read = life
            except RefusedError:
                pass  # it has not started, or is gone
            self._over.wait(LOOK_SECONDS)

    def _lives(self, pod: str, container: str) -> int:
        status = self.pods[pod]["status"]
        states = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        return next((int(item["restartCount"]) + 1 for item in states if item["name"] == container), 0)

    def until_all(self, line: Object, container: str, *, seconds: float) -> None:
        """Wait until all living pods have printed a line."""
        deadline = time.monotonic() + seconds
        while True:
            names = [pod["metadata"]["name"] for pod in self.living()]
            missing = [name for name in names if line not in self.lines[name, container]]
            if names and not missing:
                return
            if time.monotonic() > deadline:
                raise NotSeenError(f"{missing} of {names} did not print {line} within {seconds} s")
            time.sleep(LOOK_SECONDS)
