"""Play the kubelets of nodes that run nothing: end pods that are to end, one container after the other, and give logs.

KWOK starts pods and lets go of deleted ones. What it does not play is that a pod fails, and why.
"""

import contextlib
import http.server
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.chaos.history import Object
from tests.chaos.loop import listening, plan
from tests.chaos.loop.latest import Latest
from tests.cluster import addresses
from tests.support.e2e.api import Api, RefusedError
from zaum_api import contract

PORT: Final = 10250
LOG: Final = "on and on\n"
ENDED: Final = frozenset({"Failed", "Succeeded"})
KILLED: Final = 137


def stamp() -> str:
    """Write the time of now as the API has it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def ended(pod: Object) -> bool:
    """Say whether a pod's phase is final."""
    return (pod.get("status") or {}).get("phase") in ENDED


def agent_dies(pod: Object) -> Object:
    """Give the status of a pod whose agent has been killed, and whose watchdog still runs."""
    return {"containerStatuses": [_over(item) for item in pod["status"]["containerStatuses"]]}


def pod_dies(pod: Object, *, word: str = "", reason: str = "") -> Object:
    """Give the status of a pod all of whose containers have ended; `word`: the watchdog's last one."""
    inits = [_over(item, word=word) for item in pod["status"].get("initContainerStatuses") or ()]
    unready = [
        item | ({"status": "False"} if item["type"] in {"Ready", "ContainersReady"} else {})
        for item in pod["status"].get("conditions") or ()
    ]
    return {
        "phase": "Failed",
        "conditions": unready,
        "initContainerStatuses": inits,
        **agent_dies(pod),
        **({"reason": reason} if reason else {}),
    }


def _over(item: Object, *, word: str = "") -> Object:
    if "terminated" in (item.get("state") or {}):
        return item
    began = ((item.get("state") or {}).get("running") or {}).get("startedAt") or stamp()
    watchdog = item["name"] == contract.CONTAINER_WATCHDOG
    over: Object = {
        "exitCode": 0 if watchdog else KILLED,
        "reason": "Completed" if watchdog else "Error",
        "startedAt": began,
        "finishedAt": stamp(),
    }
    if watchdog and word:
        over["message"] = f"{word}\n"
    return item | {"ready": False, "started": False, "state": {"terminated": over}}


@dataclass
class Kubelet:
    """Ends pods whose deadline is the operator's own, and those that it is told to end."""

    api: Api
    latest: Latest
    insist: Callable[[Callable[[], Any]], Any]
    dice: random.Random
    _due: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _working: set[str] = field(default_factory=set)

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="kubelet", daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def end(self, pod: Object, *, word: str = "", reason: str = "") -> None:
        """End one pod: first the agent, then its watchdog."""
        place = ("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        with self._lock:
            if pod["metadata"]["uid"] in self._working:
                return
            self._working.add(pod["metadata"]["uid"])
        self._write(pod, agent_dies(pod))
        time.sleep(self.dice.uniform(0.0, 0.4))
        now = self.latest.find(place) or pod
        if now["metadata"]["uid"] == pod["metadata"]["uid"]:
            self._write(now, pod_dies(now, word=word, reason=reason))

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            for namespace in plan.NAMESPACES:
                for pod in self.latest.all("pods", namespace):
                    self._look(pod)

    def _look(self, pod: Object) -> None:
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        if ended(pod) or spec.get("activeDeadlineSeconds") != 1 or (pod.get("status") or {}).get("phase") != "Running":
            return
        due = self._due.setdefault(uid, time.monotonic() + self.dice.uniform(0.2, 1.5))
        if due <= time.monotonic() and uid not in self._working:
            ending = threading.Thread(target=self.end, args=(pod,), kwargs={"reason": "DeadlineExceeded"}, daemon=True)
            ending.start()

    def _write(self, pod: Object, status: Object) -> None:
        metadata = pod["metadata"]
        patch = {"metadata": {"uid": metadata["uid"]}, "status": status}
        with contextlib.suppress(RefusedError):  # it is gone, or another one of its name is there
            self.insist(lambda: self.api.merge("pods", metadata["namespace"], metadata["name"], patch, sub="status"))


def logs(pki: Path) -> http.server.ThreadingHTTPServer:
    """Serve the same log for every container, as a kubelet does, until the server is shut down."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw = LOG.encode() if self.path.startswith("/containerLogs/") else b""
            with contextlib.suppress(OSError):  # whoever asked was killed
                self.send_response(200 if raw else 404)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = listening.Server((addresses.NODE_IPV4, PORT), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server
