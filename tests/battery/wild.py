"""Let red agents run wild, each in a pod whose bounds were read before, beside a control that nobody stops.

A pod gets leave only when its node says what bounds it. The control does the same where the guard is not: in a pod
that no part of Zaum knows, as bounded by the kubelet, or in an agent's whose detectors are off. It must have done all
of it, and live when the red one has ended.
"""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tests.battery import ends, node
from tests.battery.ends import Due, End, Sight
from tests.battery.groups.http import ROUTE
from tests.battery.judge import Outcome
from tests.battery.lines import Attempt, Control, Where, Witness
from tests.battery.pods import SPEC, Pods, agent_runs
from tests.battery.presence import SECRET
from tests.cluster import addresses, cluster
from tests.cluster.world import llm, shelf
from tests.support.e2e.agents import FILES, Agents, free_pod
from tests.support.e2e.api import NotSeenError, Object
from zaum_api import contract, quantities

HERE: Final = Path(__file__).parent
SHIPPED: Final = ("red.py", "red_bombs.py", "red_calls.py", "red_pokes.py", "red_slots.py")
COMMAND: Final = (
    "python3", "-u", "-c", f"import sys; sys.path.insert(0, '{FILES}'); import red; red.main()",
    f"@{FILES}/plan.json",
)  # fmt: skip
START_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.25
PROOF_SECONDS: Final = 45.0
"""From the end of an agent to the proof that its Incident is whole."""
LATE_SECONDS: Final = 20.0
"""How long is waited beyond what is granted, to say by how much it was missed."""
PROBE_SECONDS: Final = 3.0
"""What the kubelet's probe waits for an answer."""
MODELS_ROUTE: Final = "models"
CPU: Final = "300m"
MEMORY: Final = "192Mi"
AFTER: Final = "after"
Deed = dict[str, Any]


class By(StrEnum):
    """Who makes the control."""

    FREE = "free"
    AGENT = "agent"
    ITSELF = "itself"
    """The same pod: its call before, and that it held what it was to hold."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One attempt. `tripping` is of `spec.runaway`; `agent` of `spec.agent`; `control` changes the control's deed."""

    group: int
    line: str
    variant: str
    deed: Deed
    due: Due
    tripping: Object = field(default_factory=dict)
    agent: Object = field(default_factory=dict)
    control: Deed = field(default_factory=dict)
    by: By = By.FREE
    sampled: bool = False

    @property
    def name(self) -> str:
        """Name its policy."""
        words = "".join(letter if letter.isalnum() else "-" for letter in f"{self.line} {self.variant}".lower())
        return f"g{self.group}-{'-'.join(filter(None, words.split('-')))}"[:44].rstrip("-")

    @property
    def attempt(self) -> Attempt:
        """Give what the table shows."""
        where = Where.FREE if self.by is By.FREE else Where.AGENT
        return Attempt(self.group, self.line, self.variant, self.deed, Control(where, self.deed), Witness.FAR_END)

    def plan(self) -> list[Deed]:
        """Give the red agent's deeds: where it is to live on, what it can do afterwards is one of them."""
        deeds = [self.deed | {"id": "deed"}]
        if self.by is By.ITSELF:
            deeds.insert(0, {"id": "before", "kind": "ordinary", "route": ROUTE, "seconds": 20})
        if self.due.end is End.BOUND:
            deeds.append({"id": AFTER, "kind": "ordinary", "route": ROUTE, "seconds": 20})
        return deeds


@dataclass
class Told:
    """What a red agent said so far, kept by a thread that reads on while others look."""

    lines: list[Object] = field(default_factory=list)

    def find(self, name: str, key: str) -> Object | None:
        """Find the first line about a deed that has a key."""
        return next((line for line in list(self.lines) if line.get("id") == name and key in line), None)


class Ground:
    """Where scenes are played."""

    def __init__(self, pods: Pods) -> None:
        self.pods = pods
        self._run = uuid.uuid4().hex[:5]

    def play(self, scene: Scene) -> Outcome:
        """Play one scene and judge it; its pods are gone afterwards."""
        control = "" if scene.by is By.ITSELF else f"c-{scene.name}-{self._run}"[:48].rstrip("-")
        try:
            pod = self.agent(scene.name, scene.plan(), tripping=scene.tripping, agent=scene.agent)
            beside = self._control(scene, control) if control else None
            seen = self._watched(scene, pod, beside)
            if scene.due.end is End.BREACH:
                seen = replace(seen, found=self.incidents(scene.name, PROOF_SECONDS))
            return ends.judge(scene.attempt, scene.due, seen)
        except (NotSeenError, node.UnboundedError) as error:
            return ends.judge(scene.attempt, scene.due, Sight(control=str(error)))
        finally:
            self.pods.api.delete("agentpolicies", self.pods.agents.namespace, scene.name)
            if control and scene.by is By.FREE:
                self.pods.api.delete("pods", self.pods.free.namespace, control)
            elif control:
                self.pods.api.delete("agentpolicies", self.pods.agents.namespace, control)

    def agent(self, name: str, deeds: list[Deed], *, tripping: Object, agent: Object, **more: Any) -> Object:
        """Start a red agent that waits for leave. `more` is of the policy's spec."""
        files = self._files(self.pods.agents, name, {"deeds": deeds, "host": addresses.WEBSITE_NAME})
        spec = spec_of(tripping, agent, **more)
        body = self.pods.agents.policy(name, command=[*COMMAND], files=files, **spec)
        self.pods.api.apply("agentpolicies", body)
        return self.pods.agents.running(name, seconds=START_SECONDS)

    def _files(self, agents: Agents, name: str, plan: Object) -> str:
        shipped = {file.replace(".py", "_py"): (HERE / file).read_text() for file in SHIPPED}
        made = agents.files(name, **shipped)
        data = {"data": {"plan.json": json.dumps({"shelf": f"/{shelf.FOLDER}/", **plan})}}
        self.pods.api.merge("configmaps", agents.namespace, made, data)
        return made

    def _control(self, scene: Scene, name: str) -> Object:
        # It does the same for as long as the red agent may live, and somewhat more.
        deed = scene.deed | {"id": "deed", "seconds": scene.due.seconds + LATE_SECONDS + 60} | scene.control
        if scene.by is By.AGENT:
            return self.agent(name, [deed], tripping={}, agent=scene.agent)
        plan = {"deeds": [deed], "host": addresses.WEBSITE_NAME, "direct": addresses.WEBSITE_IPV4}
        files = self._files(self.pods.free, name, plan)
        body = free_pod(self.pods.free.namespace, name, image=self.pods.image, command=[*COMMAND], files=files)
        container = body["spec"]["containers"][0]
        most = {"cpu": CPU, "memory": "512Mi"}
        container["resources"] = {"limits": most, "requests": most | {"cpu": "10m", "memory": "64Mi"}}
        folders = {"workspace": contract.WORKSPACE, "tmp": "/tmp"}
        container["volumeMounts"] += [{"name": key, "mountPath": path} for key, path in folders.items()]
        body["spec"]["volumes"] += [{"name": key, "emptyDir": {}} for key in folders]
        self.pods.api.apply("pods", body)
        return self.pods.started(self.pods.free, name)

    # What is seen of them.

    def _watched(self, scene: Scene, pod: Object, beside: Object | None) -> Sight:
        """Give leave to both, and look until the red one has ended or its time is over."""
        container, guard = node.agent(pod), node.process(pod)
        with self.heard(pod) as told, self.heard(beside) as free:
            for each in filter(None, (beside, pod)):
                node.agent(each)
                leave(each)
            seen = self._followed(scene, pod, container, told)
            control = self._itself(told) if beside is None else self._uncontrolled(beside, free)
        now = node.process(pod)
        if not seen.ended and not container.look(time.monotonic()):
            control = control or "its node does not see it, and it lives"
        changed = "" if seen.ended else (guard.changes(now) if guard else "there was none")
        after = told.find(AFTER, "word")
        seen = replace(seen, watchdog=changed, after=after, control=control)
        return replace(seen, bounds=container.bounds, asked=asked(scene.agent), taken=container.taken)

    def _followed(self, scene: Scene, pod: Object, container: node.Container, told: Told) -> Sight:
        seen, began, last = Sight(), time.monotonic(), pod
        name, silent = pod["metadata"]["name"], ""
        until = began + 30
        while time.monotonic() < until:
            container.look(time.monotonic())
            line = told.find("deed", "begun")
            if line and not seen.begun:
                seen = replace(seen, begun=float(line["t"]))
                until = time.monotonic() + scene.due.seconds + LATE_SECONDS
            found = self.pods.api.find("pods", self.pods.agents.namespace, name)
            last = found or last
            at, why = ends.terminated(last, now=time.time())
            if found is None and not at:
                at, why = time.time(), "gone"
            if at:
                reason = str(last["status"].get("reason", ""))
                return replace(seen, ended=at, agent_reason=why, pod_reason=reason, silent=silent)
            if scene.due.end is End.BOUND:
                silent = silent or _silent(pod)
                if told.find("", "done"):
                    break
            time.sleep(LOOK_SECONDS)
        return replace(seen, silent=silent)

    def _uncontrolled(self, pod: Object, told: Told) -> str:
        """Say why a control proves nothing: it had to do all of it, and to live when the red agent had ended."""
        until = time.monotonic() + 60
        while not (held := told.find("deed", "holds")) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        seen = self.pods.api.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        if held is None or not held["whole"]:
            return f"it did not do all: {held or told.lines[-3:]}"
        return "" if agent_runs(seen) else f"it ended, too: {(seen or {}).get('status', {}).get('reason')}"

    @staticmethod
    def _itself(told: Told) -> str:
        before, held = told.find("before", "word"), told.find("deed", "holds")
        if before is None or not before["got"]:
            return f"an ordinary call before: {before}"
        return "" if held and held["whole"] else f"it did not do all: {held}"

    def incidents(self, policy: str, seconds: float) -> list[Object]:
        """Wait until an Incident of a policy is proven whole; give all that there are."""
        here = self.pods.agents.namespace

        def whole(found: Object) -> bool:
            return found["spec"]["policyRef"]["name"] == policy and not ends.unproven(found)

        with suppress(NotSeenError):
            self.pods.api.until_any("incidents", here, "", whole, seconds=seconds, what="the proof")
        found = self.pods.api.items("incidents", here)
        return [each for each in found if each["spec"]["policyRef"]["name"] == policy]

    @contextmanager
    def heard(self, pod: Object | None) -> Iterator[Told]:
        """Read what a pod says, in a thread, for as long as the block runs."""
        told, stop = Told(), threading.Event()
        if pod is None:
            yield told
            return
        agents = self.pods.free if pod["metadata"]["namespace"] == self.pods.free.namespace else self.pods.agents

        def read() -> None:
            # A pod that ends takes its log along: what was read until then is what there is.
            with suppress(Exception):
                for line in agents.lines(pod, seconds=600):
                    told.lines.append(line)
                    if stop.is_set():
                        return

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            stop.set()
            thread.join(2.0)


def spec_of(tripping: Object, agent: Object, **more: Any) -> Object:
    """Give the policy of a red agent, but its command and files: small, and with the detectors that are to trip."""
    return {
        **SPEC,
        "agent": agent | {"resources": _resources(agent)},
        "runaway": SPEC["runaway"] | tripping,
        "egress": egress(),
        "limits": SPEC["limits"] | {"tokens": {"perMinute": 10**9, "perDay": 10**9}, "cost": {"perDay": "100.00"}},
        # The first kill is a quarantine: what runs wild here does so once.
        "containment": {"onRunaway": "Kill", "killsBeforeQuarantine": 0},
        **more,
    }


def asked(agent: Object) -> node.Bounds:
    """Give what the policy of a red agent lets it take; of processes it says nothing."""
    resources = _resources(agent)
    cpus = quantities.millis(resources["cpu"]) / 1000
    return node.Bounds(node.UNBOUNDED, quantities.whole(resources["memory"]), cpus)


def _resources(agent: Object) -> Object:
    return {"cpu": CPU, "memory": MEMORY, **agent.get("resources", {})}


def leave(pod: Object, **words: Any) -> None:
    """Let a red agent begin: its name lies where it looks, and what is said there becomes part of each deed."""
    folder = cluster.world_state() / shelf.FOLDER
    folder.mkdir(exist_ok=True)
    (folder / f"{pod['metadata']['name']}.json").write_text(json.dumps(words))


def egress() -> Object:
    """Give what red agents may reach: what the battery's may, a route to an API, and one to models."""
    api: Object = {
        "name": ROUTE,
        "upstream": f"https://{addresses.API_NAME}",
        "credential": {"secretKeyRef": {"name": SECRET, "key": "key"}},
        "allow": [{"methods": ["GET", "POST"], "path": "/v1/*"}],
    }
    models: Object = {
        "name": MODELS_ROUTE,
        "api": "OpenAI",
        "upstream": f"https://{addresses.LLM_NAME}/v1",
        "credential": {"secretKeyRef": {"name": SECRET, "key": "key"}},
        "allow": [{"methods": ["POST"], "path": "/chat/completions"}],
        "prices": [{"model": llm.MODELS[0], "input": "1", "output": "1"}],
    }
    return {**SPEC["egress"], "routes": [api, models]}


def _silent(pod: Object) -> str:
    """Ask the watchdog as its node does; say what is wrong with the answer."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(pod["status"]["podIP"], contract.PROBE_PORT, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", contract.PROBE_HEALTH)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__} after {time.monotonic() - began:.1f} s"
    finally:
        connection.close()
    return "" if status == 200 else str(status)
