"""The act of the loop: an agent runs away, and nobody is awake. What follows stands on its Incidents, with times."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.demo.timeline import Timeline
from tests.support.e2e.agents import agent_started
from tests.support.e2e.api import Api, Object, condition
from tests.support.e2e.people import RESPONDER, Person
from tests.support.e2e.world import World
from zaum_api import contract, incidents

POLICY: Final = "runaway"
LABEL: Final = f"{contract.LABEL_POLICY}={POLICY}"
START_SECONDS: Final = 60.0
LOOP_SECONDS: Final = 60.0
"""From a breach to its proof, on a machine that has more to do."""
IDLE_SECONDS: Final = 8.0
"""Longer than the first pod took, which is the control."""
ASKS_LEAST: Final = 10
CUT_SECONDS: Final = 1.0
"""What was on its way when the agent was cut off has arrived by then."""
AUTHOR: Final[list[Object]] = [
    {"apiGroups": [contract.GROUP], "resources": ["agentpolicies"], "verbs": ["*"]},
    {"apiGroups": [contract.GROUP], "resources": ["incidents"], "verbs": ["get", "list", "watch", "patch", "update"]},
]
"""The rights of who writes policies: releases are none of them."""


@dataclass(frozen=True)
class Act:
    """Where it is played. `steps` reads what a pod of the agent prints, until its end."""

    api: Api
    world: World
    line: Timeline
    steps: Callable[[Object], Iterator[Object]]

    def tell(self, manifest: Object) -> Object:
        """Play it by a policy that quarantines after one kill; give the pod that runs in the end."""
        here = manifest["metadata"]["namespace"]
        self.line.headline("the loop: the same agent at work, until it asks the same for ever; nobody is awake")
        began = time.monotonic()
        self.api.apply("agentpolicies", manifest)
        first = self._started(here, but="")
        took = time.monotonic() - began
        self._follow(first, incidents.Action.KILL, contract.Breach.RUNAWAY_REPEATED, works="200")
        self.line.headline(
            "another pod: its minute is spent, so it tries other doors; this policy allows one kill a day"
        )
        second = self._started(here, but=first["metadata"]["uid"])
        found = self._follow(second, incidents.Action.QUARANTINE, contract.Breach.RUNAWAY_DENIED, works="429")
        self._shown(here)
        self._holds(manifest, found, control=took)
        return self._released(manifest, found)

    def works(self, pod: Object) -> None:
        """See that the agent of the mended policy asks on, some time after its release; limits alone may refuse it."""
        self.line.headline("meanwhile, the agent that was released: kills are forgiven, what was spent is not")
        here, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        said = [json.loads(text) for text in self.api.log_so_far(here, name) if text.startswith("{")]
        outcomes = sorted({step["outcome"] for step in said})
        holds = len(said) >= ASKS_LEAST and set(outcomes) <= {"200", "429"}
        self.line.check("it is at work, and not cut", holds=holds, seen=f"{len(said)} times: {', '.join(outcomes)}")
        policy = self.api.get("agentpolicies", here, POLICY)
        ready = condition(policy, "Ready")
        self.line.check("the policy is Ready", holds=ready.get("status") == "True", seen=str(ready.get("reason")))
        self.api.merge("agentpolicies", here, POLICY, {"spec": {"desiredState": "Stopped"}})

    def _started(self, namespace: str, *, but: str) -> Object:
        def fits(pod: Object) -> bool:
            return bool(pod["metadata"]["uid"] != but) and agent_started(pod)

        return self.api.until_any("pods", namespace, LABEL, fits, seconds=START_SECONDS, what="the agent runs")

    def _follow(self, pod: Object, action: incidents.Action, breach: contract.Breach, *, works: str) -> Object:
        """Follow one life of the agent to the proof of its end; give its Incident."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        said = list(self.steps(pod))
        found = [step["outcome"] for step in said if step["phase"] == "work"]
        seen = f"{name}: {', '.join(found)}"
        self.line.check("at work through its route", holds=bool(found) and set(found) == {works}, seen=seen)
        incident = self.api.until_any(
            "incidents", pod["metadata"]["namespace"], "", lambda item: is_proven(item, uid), seconds=LOOP_SECONDS,
            what="the proof",
        )  # fmt: skip
        since, reason = moment(incident["spec"]["observedAt"]), incident["spec"]["reason"]
        self.line.note(f"breach {reason}: {incident['spec']['evidence']['summary']}")
        self._ladder(said, since)
        self._timeline(incident, since)
        seen = f"{incidents.action(incident).value}, {incident['metadata']['name']}"
        holds = incidents.action(incident) is action and reason == breach.value
        self.line.check(f"its Incident: {action.value}", holds=holds, seen=seen)
        self._silence(name, said)
        return incident

    def _ladder(self, said: Sequence[Object], breach: float) -> None:
        """Tell what the agent itself has felt."""
        limited = first(said, "429", "limits.")
        self.line.check("throttled by its limits", holds=limited is not None, seen=after(limited, breach))
        cut = first(said, "403", contract.Rule.LATCHED.value)
        self.line.check("cut, as the agent saw it", holds=cut is not None, seen=after(cut, breach))

    def _timeline(self, incident: Object, breach: float) -> None:
        """Tell the Incident's own timeline, each step with whose word it is."""
        asked = incidents.STEPS if incidents.action(incident) is incidents.Action.QUARANTINE else incidents.STEPS[:-1]
        told = {item["step"]: item for item in reversed(incident["status"]["timeline"])}
        for step in sorted(asked, key=lambda step: told[step.value]["at"] if step.value in told else ""):
            item = told.get(step.value, {})
            holds = condition(incident, step.value).get("status") == "True" and bool(item.get("confirmedBy"))
            passed = moment(item["at"]) - breach if item else 0.0
            seen = f"+{passed:5.2f} s  {item.get('confirmedBy', 'not in the timeline')}"
            self.line.check(step.value, holds=holds and passed >= 0, seen=seen)
        proof = incident["status"]["durations"].get("proof", "")
        self.line.check("the proof is whole", holds=bool(proof), seen=f"+{proof}")

    def _silence(self, pod: str, said: Sequence[Object]) -> None:
        """See that nothing of a pod reached the world after it was cut."""
        cut = first(said, "403", contract.Rule.LATCHED.value) or {"t": 0.0}
        calls = [record["t"] for record in self.world.since(0) if record["detail"].get("call") == pod]
        late = [at for at in calls if at > cut["t"] + CUT_SECONDS]
        seen = f"{len(calls)} calls before it, {len(late)} after it"
        answered = any(step["outcome"] == "200" for step in said)
        self.line.check("the world saw nothing after the cut", holds=bool(calls) is answered and not late, seen=seen)

    def _shown(self, namespace: str) -> None:
        """Print what a user sees, and check what the policy says."""
        policy = self.api.until(
            "agentpolicies", namespace, POLICY, is_contained, seconds=LOOP_SECONDS, what="the policy says so too"
        )
        ready = condition(policy, "Ready")
        holds = ready.get("reason") == "Quarantined"
        self.line.check("the policy says why", holds=holds, seen=str(ready.get("message")))
        command = ["kubectl", "get", "incidents", "--namespace", namespace, "-o", "wide"]
        self.line.note(" ".join(command))
        self.line.quote(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)

    def _holds(self, manifest: Object, incident: Object, *, control: float) -> None:
        """Delete the policy and make it again, mended: its name stays quarantined."""
        here = manifest["metadata"]["namespace"]
        self.line.headline("the policy is deleted and made again, with a mended program")
        self.api.delete("agentpolicies", here, POLICY)
        self.api.until_gone("agentpolicies", here, POLICY, seconds=START_SECONDS)
        env = [*manifest["spec"]["agent"]["env"], {"name": "RUNAWAY", "value": "no"}]
        agent = {**manifest["spec"]["agent"], "env": env}
        self.api.apply("agentpolicies", {**manifest, "spec": {**manifest["spec"], "agent": agent}})
        policy = self.api.until(
            "agentpolicies", here, POLICY, is_contained, seconds=START_SECONDS, what="the name is still quarantined"
        )
        named = policy["status"]["containment"]["incident"]
        holds = named == incident["metadata"]["name"] and condition(policy, "Ready").get("reason") == "Quarantined"
        self.line.check("another policy, the same quarantine", holds=holds, seen=named)
        wait = max(IDLE_SECONDS, control + 2)
        came = [item for _, item in self.api.changes("pods", here, labels=LABEL, seconds=wait)]
        seen = f"{len(came)} in {wait:.0f} s; the first one took {control:.1f} s"
        self.line.check("no pod of it starts", holds=not came, seen=seen)

    def _released(self, manifest: Object, incident: Object) -> Object:
        """Have it released by who may, and not by who writes the policy."""
        here, name = manifest["metadata"]["namespace"], incident["metadata"]["name"]
        self.line.headline("the release: another right than writing policies")
        with TemporaryDirectory() as folder:
            author = Person(self.api, here, "author", AUTHOR, Path(folder))
            responder = Person(self.api, here, "responder", RESPONDER, Path(folder))
            refused = author.zaum("release", name, "--reason", "It is mine.")
            holds = refused.returncode != 0 and "may not release" in refused.stderr
            self.line.check("its author may not", holds=holds, seen=refused.stderr.strip()[:120])
            self.line.note(f'zaum release {name} --reason "The program was mended."')
            done = responder.zaum("release", name, "--reason", "The program was mended.")
        self.line.check("a responder may", holds=done.returncode == 0, seen=(done.stdout + done.stderr).strip()[:120])
        pod = self._started(here, but="")
        self.line.check("the agent runs again", holds=True, seen=pod["metadata"]["name"])
        closed = self.api.get("incidents", here, name)
        by = closed["spec"].get("release", {}).get("by", "")
        holds = by == responder.user.name and not incidents.is_open(closed)
        self.line.check("the Incident says by whom", holds=holds, seen=by)
        return pod


def is_proven(incident: Object, uid: str) -> bool:
    """Tell whether an Incident is about a pod, and every step of it is confirmed."""
    proven = {incidents.Phase.CONTAINED.value, incidents.Phase.CLOSED.value}
    about = incident["spec"].get("pod", {}).get("uid") == uid
    return about and incident.get("status", {}).get("phase") in proven


def is_contained(policy: Object) -> bool:
    """Tell whether a policy says that all is confirmed of its open Incident."""
    said = condition(policy, "Contained").get("reason") == "Contained"
    return said and condition(policy, "Ready").get("reason") == "Quarantined"


def first(said: Sequence[Object], outcome: str, rule: str) -> Object | None:
    """Give the first call that ended so, by a rule that begins so."""
    return next((step for step in said if step["outcome"] == outcome and step["rule"].startswith(rule)), None)


def moment(text: str) -> float:
    """Read a time of the API, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def after(step: Object | None, breach: float) -> str:
    """Say when something happened, seen from the breach."""
    if step is None:
        return "never"
    return f"{step['t'] - breach:+6.2f} s  {step['outcome']} {step['rule']}"
