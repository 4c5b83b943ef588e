"""Play one policy's agents and the people around them: breaches, Incidents by hand, releases."""

import abc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.chaos.history import Object, Place
from tests.chaos.loop import court
from tests.chaos.loop.latest import Latest, NotSoonError
from tests.chaos.loop.plan import Act, Agent, Kind
from tests.support.e2e.api import Api, RefusedError
from zaum_api import contract, incidents

BREACH: Final = contract.Breach.RUNAWAY_DENIED
WELL_SECONDS: Final = 300.0
"""For another pod: pauses after kills are 10 s and longer, and whoever starts it may be dead meanwhile."""
CONTAINED_SECONDS: Final = 240.0
PERSON: Final = "chaos"
CONTAINED: Final = incidents.Phase.CONTAINED.value
"""The phase in which every step is confirmed."""
ENDED: Final = "Closed, or contained for good"
"""A Kill closes by itself; one that is a Quarantine by then waits for a person."""
Insist = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, and what has to come of it."""

    agent: Agent
    act: Act
    incident: str
    """Its name."""
    action: str
    """What the Incident has to ask for in the end: every kill counts once."""
    pod: str = ""
    """The uid of the pod that broke out; empty for a person's."""
    after: str = ""
    """The Incident that was released last before it."""
    untold: bool = False
    """Its watchdog was killed first, and it is dead: nobody may ever hear of it, and nobody blames it."""


@dataclass
class Player(abc.ABC):
    """One policy. `deeds` is what it has done; `wrongs` what did not come of it."""

    agent: Agent
    acts: Iterator[Act]
    api: Api
    latest: Latest
    insist: Insist
    deeds: list[Deed] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _kills: int = 0
    """Since the last release."""
    _after: str = ""
    _thread: threading.Thread | None = None

    @property
    def title(self) -> str:
        """Name the policy."""
        return f"{self.agent.namespace}/{self.agent.name}"

    def begin(self, turns: int | None = None) -> None:
        """Play in a thread of its own: so many Incidents, or until `over` is set."""
        self.over.clear()
        self._thread = threading.Thread(target=self._run, args=(turns,), name=self.title, daemon=True)
        self._thread.start()

    def join(self, *, seconds: float) -> None:
        """Wait until it has come to the end of what it does."""
        assert self._thread is not None
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.wrongs.append(f"{self.title}: its last act has not ended after {seconds:.0f} s")

    def _run(self, turns: int | None) -> None:
        done = 0
        while turns is None or done < turns:
            try:
                # What counts until a quarantine is always played to its end, so that nothing is left of it.
                if not self._well(unless=None if turns is not None or self._kills else self.over):
                    return
                if turns is None and self.over.is_set() and not self._kills:
                    return
                self._act(next(self.acts))
            except (NotSoonError, RefusedError) as error:
                self.wrongs.append(f"{self.title}: {error}")
                return
            done += 1

    def pods(self) -> list[Object]:
        """Give the policy's live pods, by ordinal."""
        found = [
            pod
            for pod in self.latest.all("pods", self.agent.namespace)
            if (pod["metadata"].get("labels") or {}).get(contract.LABEL_POLICY) == self.agent.name
            and (pod.get("status") or {}).get("phase") == "Running"
            and not pod["metadata"].get("deletionTimestamp")
            and pod["spec"].get("activeDeadlineSeconds") != 1
        ]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def _well(self, *, unless: threading.Event | None) -> bool:
        """Wait until all pods run, each with its watchdog."""
        what = f"{self.title}: {self.agent.replicas} pods"
        return self.latest.until(what, self._all_run, seconds=WELL_SECONDS, unless=unless)

    @abc.abstractmethod
    def _all_run(self) -> bool:
        """Say whether all pods run; look after those that are new."""

    def attend(self) -> None:
        """Wait until all pods run, each looked after; NotSoonError when they do not."""
        self._well(unless=None)

    @abc.abstractmethod
    def _break_out(self, act: Act, deed: Deed, pod: Object) -> bool:
        """Have an agent do what a breach is, until that is known or its pod is dead; False where nobody was told."""

    # What happens

    def _act(self, act: Act) -> None:
        time.sleep(act.wait)
        if act.kind is Kind.PERSON:
            deed = self._person(act)
        else:
            deed = self._breach(act)
        if deed.untold:
            self._kills -= 1
            self.deeds.append(deed)
            return
        found = self.latest.find(_place(deed))
        if found is not None and found["spec"].get("reason") == incidents.Cause.WATCHDOG_RESTARTED.value:
            # Its watchdog was killed before it had broken out: nobody blames the agent, and no kill is counted.
            deed = replace(deed, action="Kill")
            self._kills -= 1
        self.deeds.append(deed)
        self._until(deed, ENDED if deed.action == "Kill" else "" if act.early else CONTAINED)
        if deed.action == "Kill" and not court.whole(self.latest.find(_place(deed)) or {"spec": {}}):
            return
        time.sleep(act.release)
        self._release(deed)
        self._until(deed, "Released")
        self._kills, self._after = 0, deed.incident

    def _person(self, act: Act) -> Deed:
        had = sum(court.about(item) == self.agent.name for item in self.latest.all("incidents", self.agent.namespace))
        name = incidents.name(self.agent.namespace, self.agent.name, incidents.manual_key(had))
        spec = {
            "policyRef": {"name": self.agent.name},
            "reason": incidents.Cause.MANUAL.value,
            "action": "Quarantine",
            "reporter": incidents.Reporter.HUMAN.value,
            "requestedBy": PERSON,
            "evidence": {"summary": "It mails everybody."},
        }
        body = _incident(name, self.agent.namespace, spec)
        try:
            self.insist(lambda: self.api.create("incidents", body))
        except RefusedError as error:
            if error.reason != "AlreadyExists":  # made, and the answer was lost
                raise
        return Deed(self.agent, act, name, "Quarantine")

    def _breach(self, act: Act) -> Deed:
        pods = self.pods()
        pod = pods[act.other % len(pods)]
        uid = pod["metadata"]["uid"]
        whole = self.agent.on == "Quarantine" or self._kills >= self.agent.allowed
        self._kills += 1
        deed = Deed(
            self.agent,
            act,
            incidents.name(self.agent.namespace, self.agent.name, uid),
            "Quarantine" if whole else "Kill",
            uid,
            self._after,
        )
        told = self._break_out(act, deed, pod)
        return deed if told else replace(deed, action="Kill", untold=True)

    def _release(self, deed: Deed) -> None:
        release = {"by": PERSON, "reason": "The prompt was mended."}
        patch = {"spec": {"release": release}}
        self.insist(lambda: self.api.merge("incidents", deed.agent.namespace, deed.incident, patch))

    def _until(self, deed: Deed, condition: str, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until the Incident is there, with a condition if one is named, or until something else is so."""
        place = _place(deed)

        def so() -> bool:
            found = self.latest.find(place)
            if found is None or not condition:
                return found is not None or unless()
            if condition in {CONTAINED, ENDED} and (found.get("status") or {}).get("phase") == CONTAINED:
                return True
            return court.conditions(found).get("Closed" if condition == ENDED else condition) == "True"

        try:
            self.latest.until(
                f"{self.title}: Incident {deed.incident} ({deed.action}, {deed.act.kind}, {deed.act.told}) "
                f"{condition or 'is there'}", so, seconds=CONTAINED_SECONDS,
            )  # fmt: skip
        except NotSoonError as error:
            found = self.latest.find(place) or {}
            said = [
                f"{item['type']}={item['status']}: {item['message']}"
                for item in (found.get("status") or {}).get("conditions") or ()
            ]
            raise NotSoonError(f"{error}; it says {said or 'nothing'}") from None


def _place(deed: Deed) -> Place:
    return ("incidents", deed.agent.namespace, deed.incident)


def _incident(name: str, namespace: str, spec: dict[str, Any]) -> Object:
    return {
        "apiVersion": contract.API_VERSION,
        "kind": contract.KIND_INCIDENT,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
