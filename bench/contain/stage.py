"""Agents on the cluster: brought up together, contained one after another, and what was recorded of each."""

import dataclasses
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.contain import program, records, report, times
from bench.contain.times import How, Part, Seen
from tests.cluster import addresses, cluster
from tests.support.e2e.agents import FILES, RESTRICTED, Agents
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.people import RESPONDER, Person
from zaum_api import contract, incidents
from zaum_operator.core.render import network

Waits = dict[incidents.Condition, tuple[str, float]]
"""What a condition waits for, and since when."""
WAITING: Final = {incidents.Word.WAITING.value, incidents.Word.REFUSED.value}
HOSTS: Final = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
STARTED: Final = 2
"""So many pods start at a time: a machine that starts a dozen answers no probe meanwhile."""
WATCHED_SECONDS: Final = 3.0
PROOF_SECONDS: Final = 45.0
"""Long after every aim; what is not claimed by then counts as not claimed."""
TALKED: Final = 2 * times.CONTROL_HEARD
CALM: Final = 3
THROTTLED_SECONDS: Final = 8.0
ALLOWED: Final = {How.QUARANTINE: 0, How.KILL: 3}
EAGER_RATE: Final = {"perMinute": 3000, "burst": 10}
THROTTLED_SHARE: Final = 3000 / 60 / 10
RATE: Final = {"perMinute": 60_000, "burst": 10_000}
DENIED: Final = {"denied": {"above": 10, "per": "1m"}}


@dataclass
class Subject:
    """One agent."""

    policy: str
    part: Part
    pod: Object
    word: str
    """Its name on the world's shelf."""
    process: records.Process
    watchdog: records.Watchdog


@dataclass(frozen=True)
class Throttled:
    """One agent whose policy throttles first: seconds from the verdict to the first refusal, and what was wrong."""

    name: str
    seconds: float | None
    wrong: tuple[str, ...]


@dataclass
class Told:
    """The Incident as it was last seen, what it waited for on the way, and what was not as it claimed."""

    incident: Object
    waits: Waits = field(default_factory=dict)
    waited: list[report.Wait] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


class Stage:
    """A namespace with agents, and everybody who keeps records of them."""

    def __init__(self, api: Api, folder: Path, *, image: str) -> None:
        self._api = api
        self.namespace = f"contain-{uuid.uuid4().hex[:6]}"
        meta = {"name": self.namespace, "labels": RESTRICTED}
        api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        authority = (cluster.world_state() / "ca.crt").read_text()
        self._agents = Agents(api, self.namespace, image=image, world_ca=authority)
        self._shelf = cluster.world_state() / "shelf"
        self._shelf.mkdir(exist_ok=True)
        self._ear = records.Ear(cluster.world_log())
        self._removals = records.Removals(cluster.audit_log())
        self._pods = records.Pods(self.namespace)
        self._person = Person(api, self.namespace, "responder", RESPONDER, folder)

    def close(self) -> None:
        """Let everything go. An open Incident goes with its namespace."""
        for each in self._shelf.glob(f"{self.namespace}.*"):
            each.unlink()
        self._api.delete("namespaces", "", self.namespace)
        self._ear.close()
        self._removals.close()
        self._pods.close()

    def until_gone(self) -> None:
        """Wait until nothing of it is left to be done."""
        self._api.until_gone("namespaces", "", self.namespace, seconds=90)

    def raise_(self, parts: Sequence[Part]) -> list[Subject]:
        """Start an agent for each, a few at a time, and wait until the world has heard every one of them."""
        found: list[Subject] = []
        for at in range(0, len(parts), STARTED):
            named = [(_name(number, part), part) for number, part in enumerate(parts)][at : at + STARTED]
            for name, part in named:
                self._begin(name, part)
            found += [self._started(name, part) for name, part in named]
        return found

    def _begin(self, name: str, part: Part) -> None:
        containment = {"onRunaway": "Kill", "killsBeforeQuarantine": ALLOWED.get(part.how, 0)}
        spec = {"egress": HOSTS, "limits": {"requests": RATE}, "runaway": DENIED, "containment": containment}
        self._apply(name, program.CAGED, spec, *([program.DEAF] if part.deaf else []))

    def contain(self, subject: Subject) -> tuple[Seen, list[report.Wait]]:
        """Let one agent run, make it breach or contain it by hand, and wait for the proof."""
        if subject.process.ended is not None:
            raise RuntimeError(f"{subject.word} ended before its turn: this machine is too busy to measure on")
        self._tell(subject.word, program.TALK)
        self._ear.until(subject.word, TALKED)
        if subject.part.how is How.HAND:
            begun: float | None = time.time()
            done = self._person.zaum("contain", subject.policy, "--reason", "It is timed.")
            if done.returncode != 0:
                raise RuntimeError(f"zaum contain: {done.stdout}{done.stderr}")
            name = done.stdout.split()[1]
        else:
            self._tell(subject.word, program.BREACH)
            name = incidents.name(self.namespace, subject.policy, subject.pod["metadata"]["uid"])
        told = self._follow(subject, name)
        if subject.part.how is How.KILL:  # Another pod would start after a pause.
            self._api.delete("agentpolicies", self.namespace, subject.policy)
        subject.watchdog.until_ended(5.0)
        if subject.part.how is not How.HAND:
            begun = times.verdict(subject.watchdog.said("breach"), told.incident)
        exited = subject.process.until(5.0)
        self._ear.listen()
        pod = subject.pod["metadata"]["name"]
        others = self._pods.others(subject.policy, pod)
        told.found += [f"pod {other} was started under it" for other in others]
        seen = Seen(
            name=name, part=subject.part, begun=begun, heard=self._ear.heard(subject.word), exited=exited,
            finished=self._pods.finished(pod), gone=self._removals.of(subject.pod), incident=told.incident,
            found=tuple(told.found),
        )  # fmt: skip
        return seen, told.waited

    def eager(self) -> Subject:
        """Start an agent whose policy throttles first."""
        spec = {
            "egress": HOSTS, "limits": {"requests": EAGER_RATE}, "runaway": DENIED,
            "containment": {"onRunaway": "Throttle"},
        }  # fmt: skip
        self._apply("throttle", program.EAGER, spec)
        return self._started("throttle", Part(How.KILL))

    def throttle(self, subject: Subject) -> Throttled:
        """Let it breach."""
        self._ear.until(subject.word, TALKED, calm=True)
        self._tell(subject.word, program.BREACH)
        deadline = time.monotonic() + THROTTLED_SECONDS
        begun: float | None = None
        while time.monotonic() < deadline and (begun is None or time.time() < begun + WATCHED_SECONDS):
            time.sleep(0.05)  # What is waited for is that time passes under the lower rate.
            begun = subject.watchdog.said("ladder", rung="throttled")
        self._ear.listen()
        self._api.delete("agentpolicies", self.namespace, subject.policy)
        self._api.until_gone("pods", self.namespace, subject.pod["metadata"]["name"], seconds=60)
        return _judged(subject, begun, self._ear.calm[subject.word])

    def _apply(self, name: str, text: str, spec: Object, *arguments: str) -> None:
        files = self._agents.files(name, main_py=text)
        command = ["python3", "-u", f"{FILES}/main.py", self._word(name), *arguments]
        self._api.apply("agentpolicies", self._agents.policy(name, command=command, files=files, **spec))

    def _started(self, policy: str, part: Part) -> Subject:
        pod = self._agents.running(policy)
        try:
            self._ear.until(self._word(policy), CALM, calm=True)
        except TimeoutError as error:
            said = self._api.log_so_far(self.namespace, pod["metadata"]["name"], container=contract.CONTAINER_WATCHDOG)
            raise TimeoutError(f"{error}; its watchdog says: {said[-3:]}") from None
        return Subject(policy, part, pod, self._word(policy), records.Process(pod), records.Watchdog(pod))

    def _word(self, policy: str) -> str:
        return f"{self.namespace}.{policy}"

    def _tell(self, word: str, order: str) -> None:
        beside = self._shelf / f"{word}.new"
        beside.write_text(order)
        beside.rename(self._shelf / word)

    def _follow(self, subject: Subject, name: str) -> Told:
        """Watch the Incident until every step is claimed, and look at once whether a quarantine is one."""
        told, looked = Told({"metadata": {}, "spec": {}}), False
        changes = self._api.changes("incidents", self.namespace, fields=f"metadata.name={name}", seconds=PROOF_SECONDS)
        for _, seen in changes:
            told.incident = seen
            _note(told, time.time())
            if not looked and condition(seen, incidents.Condition.QUARANTINED.value).get("status") == "True":
                looked = True
                told.found += self._unquarantined(subject.policy)
            if set(times.asked(subject.part.how)) <= set(times.claims(seen)):
                break
        return told

    def _unquarantined(self, policy: str) -> list[str]:
        """Give what contradicts that a policy is quarantined."""
        label = f"{contract.LABEL_POLICY}={policy}"
        pods = [pod for pod in self._api.items("pods", self.namespace, labels=label) if not _ending(pod)]
        own = self._api.items("networkpolicies", self.namespace, labels=label)
        open_ = [item for item in own if not network.is_closed(item)]
        return [
            *(f"it is quarantined, and pod {each['metadata']['name']} is not being ended" for each in pods),
            *(f"it is quarantined, and NetworkPolicy {each['metadata']['name']} selects pods" for each in open_),
        ]


def _ending(pod: Object) -> bool:
    """Say whether a pod has ended, or is held by the guard alone and told to end."""
    held = pod["metadata"]["labels"].get(contract.LABEL_QUARANTINED) == "true"
    told = pod["metadata"].get("deletionTimestamp") or pod["spec"].get("activeDeadlineSeconds") == 1
    return pod["status"].get("phase") in {"Failed", "Succeeded"} or bool(held and told)


def _note(told: Told, now: float) -> None:
    """Write down what each condition waits for, and what it waits for no more."""
    for step in incidents.STEPS:
        said = condition(told.incident, step.value)
        waits = said.get("reason") in WAITING
        message, since = told.waits.get(step, ("", now))
        if waits and said["message"] == message:
            continue
        if message:
            told.waited.append(report.Wait(step.value, message, now - since))
        told.waits.pop(step, None)
        if waits:
            told.waits[step] = (said["message"], now)


def _name(number: int, part: Part) -> str:
    return f"{part.how.value}-{number}"


def _judged(subject: Subject, begun: float | None, heard: Sequence[float]) -> Throttled:
    name = f"{subject.word}"
    if begun is None:
        return Throttled(name, None, ("the watchdog did not say that it throttles",))
    limited = subject.watchdog.limited()
    seconds = times.throttled(limited, heard, begun=begun, share=THROTTLED_SHARE)
    wrong = [] if seconds is not None else ["the world went on hearing what is throttled"]
    wrong += ["its requests were refused before"] if any(at < begun for at in limited) else []
    return Throttled(name, seconds, tuple(wrong))


def plain(seen: Seen, waits: Sequence[report.Wait]) -> dict[str, object]:
    """Give the raw record for the file."""
    more = {"figures": times.figures(seen), "wrong": times.wrong(seen), "waits": [dataclasses.asdict(w) for w in waits]}
    return dataclasses.asdict(seen) | more
