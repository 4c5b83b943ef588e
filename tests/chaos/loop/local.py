"""Play a policy whose pods nobody runs: their watchdogs' words to the ledger, and on the dead pods."""

import contextlib
import http.client
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.history import Object
from tests.chaos.loop.kubelet import Kubelet
from tests.chaos.loop.parts import ADDRESSES, Parts
from tests.chaos.loop.plan import Act, Agent, Part, Told
from tests.chaos.loop.player import BREACH, Deed, Player
from tests.support import ledger
from tests.support.e2e.api import RefusedError
from zaum_api import contract, documents
from zaum_api.documents import Containment, Step
from zaum_api.reading import DocumentError

BEAT_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 0.15


class Door:
    """The way to the ledger."""

    def __init__(self, parts: Parts) -> None:
        self._context = parts.authority.client()

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection."""
        where = (ADDRESSES[Part.LEDGER], contract.LEDGER_PORT)
        plain = socket.create_connection(where, timeout=3)
        connection = http.client.HTTPConnection(where[0], timeout=3)
        connection.sock = self._context.wrap_socket(plain, server_hostname=contract.LEDGER_TLS_NAME)
        return connection


@dataclass
class Mouth:
    """The watchdog's side of one pod: it says that it is there, and what it has seen, until the pod is dead."""

    agent: Agent
    pod: Object
    door: Door
    token: str
    ordinal: int
    latched: str = ""
    heard: bool = False
    """Whether the ledger has answered the word about the breach."""
    _wake: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="mouth", daemon=True).start()

    def latch(self, breach: str) -> None:
        """Say that the agent is being ended, at once and until somebody has heard it."""
        self.latched = breach
        self._wake.set()

    def stop(self) -> None:
        """Say nothing more: the pod is dead."""
        self._over.set()
        self._wake.set()

    def _run(self) -> None:
        speaking = ledger.Watchdog(self.door, self.token, ordinal=self.ordinal, replicas=self.agent.replicas)  # type: ignore[arg-type]
        containment = Containment(Step(self.agent.on), self.agent.allowed)
        while not self._over.is_set():
            latched, said = self.latched, False
            try:
                answer = speaking.post(speaking.said(latched=latched, containment=containment))
                said = isinstance(answer, documents.Synced)
                speaking.session = answer.session if isinstance(answer, documents.Synced) else ""
            except (OSError, http.client.HTTPException, DocumentError):
                speaking.close()
            self.heard = self.heard or (said and bool(latched))
            self._wake.wait(BEAT_SECONDS if said and latched == self.latched else AGAIN_SECONDS)
            self._wake.clear()
        speaking.close()


@dataclass
class LocalPlayer(Player):
    """One policy on a control plane without nodes."""

    parts: Parts = field(kw_only=True)
    kubelet: Kubelet = field(kw_only=True)
    heard: int = 0
    """Breaches of which the ledger has heard."""
    _mouths: dict[str, Mouth] = field(default_factory=dict)

    def _all_run(self) -> bool:
        self._listen()
        return len(self._mouths) == len(self.pods()) == self.agent.replicas

    def _listen(self) -> None:
        live = {pod["metadata"]["uid"]: pod for pod in self.pods()}
        for uid in [uid for uid in self._mouths if uid not in live]:
            self._mouths.pop(uid).stop()
        for uid in [uid for uid in live if uid not in self._mouths]:
            # It is gone already, or the API server has just begun, and refuses what it will grant: see `_all_run`.
            with contextlib.suppress(RefusedError):
                self._mouths[uid] = self._mouth(live[uid])
                self._mouths[uid].start()

    def _mouth(self, pod: Object) -> Mouth:
        account, namespace = pod["spec"]["serviceAccountName"], self.agent.namespace
        token = self.insist(lambda: self.parts.token(account, contract.AUDIENCE_LEDGER, namespace=namespace, pod=pod))
        ordinal = int(pod["metadata"]["labels"][contract.LABEL_ORDINAL])
        return Mouth(self.agent, pod, Door(self.parts), token, ordinal)

    def _break_out(self, act: Act, deed: Deed, pod: Object) -> bool:
        mouth = self._mouths.get(deed.pod)
        if act.told is not Told.WORD and mouth is not None:
            mouth.latch(BREACH.value)
        if act.told is Told.LEDGER:
            self._until(deed, "")  # the agent goes on, until the operator ends its pod
        else:
            time.sleep(act.dies)
            self.kubelet.end(pod, word=BREACH.value)
        if mouth is not None:
            self.heard += mouth.heard
            mouth.stop()
        return True
