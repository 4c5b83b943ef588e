"""Play the battery on the cluster: set the stage, let every pod make its attempts, gather all witnesses."""

import json
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.battery import around, capture, catalogue, credentials, evidence, judge, lasting, overrun, presence, running
from tests.battery.groups import gateway, headers
from tests.battery.lines import Attempt, Where, Witness
from tests.battery.pods import Pods
from tests.battery.stage import Stage
from tests.battery.table import Result
from tests.cluster import addresses, cluster
from tests.cluster.world import shelf
from tests.support.e2e import enforced
from tests.support.e2e.agents import ROOT
from tests.support.e2e.api import Api, Object
from tests.support.e2e.world import World, pod_addresses
from zaum_api import contract

INSTALLATION: Final = "zaum-system"
RECORD_SECONDS: Final = 10.0
TOGETHER: Final = 3
"""Agents that make their attempts at the same time: two cores carry no more without timeouts of their own."""
GATEWAY: Final = 2
"""The group of the gateway itself."""
BEFORE_THE_END: Final = 24
_ID: Final = re.compile(r"g\d+n\d+")
_ANSWERED_EARLIER: Final = "first="


@dataclass
class Play:
    """One run. `say` prints progress."""

    api: Api
    image: str
    groups: Collection[int]
    sampled: bool = False
    only: str = ""
    """Of groups 15 to 18: lines that have this text in their name."""
    pods: Pods = field(init=False)
    stage: Stage = field(init=False)
    world: World = field(init=False)
    began: float = field(default_factory=time.monotonic)
    controls: dict[str, Object] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Address → agent's name."""
    free: set[str] = field(default_factory=set)
    """Addresses of unguarded pods."""
    findings: dict[str, Object] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    """Attempt → its control, where that is known only on the way."""
    doubts: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    def run(self, folder: Path) -> Result:
        """Run all groups; `folder` takes the captures."""
        cluster.assert_sealed()
        self.world = World(cluster.world_log())
        mark = self.world.mark()
        authority = (cluster.world_state() / "ca.crt").read_text()
        self.pods = Pods(self.api, self.image, authority, uuid.uuid4().hex[:6])
        try:
            with captured(addresses.NODE_NETNS, folder / "node"), captured(addresses.WORLD_NETNS, folder / "world"):
                attempts = self.tried()
                held = lasting.play(self.pods, self.say, sampled=self.sampled) if 10 in self.groups else []
                if overran := {11, 13} & set(self.groups):
                    held += overrun.play(self.pods, self.world, mark, self.say, groups=overran, sampled=self.sampled)
            # Who runs wild sends nothing that packets could prove, and leaves a capture no time to keep them.
            if wildly := {12, 13, 14} & set(self.groups):
                held += running.play(self.pods, self.say, groups=wildly, sampled=self.sampled)
            result = self.judged(attempts, folder, mark, held)
            # After the witnesses have spoken: these end gateways, and have controls of their own that reach the outlaw.
            outcomes, alarms = around.play(
                self.api, self.image, self.groups, self.say, sampled=self.sampled, only=self.only
            )
            return replace(result, outcomes=[*result.outcomes, *outcomes], alarms=[*result.alarms, *alarms])
        finally:
            self.pods.clear()

    def tried(self) -> list[Attempt]:
        """Make all attempts and their controls."""
        self.set_stage()
        attempts = catalogue.all_attempts(self.stage, self.groups)
        attempts = catalogue.sample(attempts) if self.sampled else attempts
        self.say(f"{len(attempts)} attempts")
        due = [attempt for attempt in attempts if attempt.needs in self.stage.present]
        self.held_open(due)
        with ThreadPoolExecutor(TOGETHER) as threads:
            work = [threads.submit(self.unguarded, due, Where.FREE), threads.submit(self.unguarded, due, Where.ROOT)]
            for group in sorted({attempt.group for attempt in due}):
                mine = [attempt for attempt in due if attempt.group == group]
                for number, part in enumerate(parts(mine) if group == GATEWAY else [mine]):
                    work.append(threads.submit(self.guarded, group, part, number))
            for done in work:
                done.result()
        return attempts

    def set_stage(self) -> None:
        """Look at the cluster, start the neighbour, and see what of the product is there."""
        enforced.wait(self.pods.agents)
        neighbour, service = self.pods.neighbour()
        door = self.api.get("services", INSTALLATION, contract.GATEWAY_SERVICE)["spec"]
        self.free |= pod_addresses(neighbour)
        self.stage = Stage(
            neighbour=tuple(sorted(pod_addresses(neighbour))),
            neighbour_service=service,
            gateway=tuple(door["clusterIPs"]),
            gateway_pods=self.gateway_pods(),
            present=presence.of(self.pods, door),
            tokens={headers.ROUTE_SECRET: presence.SECRET_VALUE},
        )
        self.say(f"the stage is set; present: {', '.join(sorted(filter(None, self.stage.present))) or 'the base'}")

    def unguarded(self, attempts: Iterable[Attempt], where: Where) -> None:
        """Make the controls of unguarded pods."""
        keys = {
            key(attempt.control.probe): attempt.control.probe for attempt in attempts if attempt.control.where is where
        }
        if not keys:
            return
        agents = self.pods.root if where is Where.ROOT else self.pods.free
        probes = [{**probe, "id": name} for name, probe in keys.items()]
        pod = self.pods.unguarded(agents, f"control-{where}", probes, root=where is Where.ROOT)
        self.free |= pod_addresses(pod)
        self.keep(where, self.pods.findings(agents, pod))
        self.say(f"{len(probes)} controls of the {where} pod")

    def held_open(self, attempts: Iterable[Attempt]) -> None:
        """Let another agent have a route to a Service, and wait until the gateway's pods reach that Service."""
        probes = [attempt.control.probe for attempt in attempts if attempt.control.where is Where.HOLDER]
        keys = {key(probe): {**probe, "id": key(probe)} for probe in probes}
        if keys:
            pod = self.pods.agent("holder", [*keys.values()], egress={"routes": [self.pods.granted()]})
            self.keep(Where.HOLDER, self.pods.findings(self.pods.agents, pod))
            self.say("a Service is open to the gateway")

    def guarded(self, group: int, attempts: Sequence[Attempt], part: int) -> None:
        """Let an agent make one group's attempts, or a part of them, with the controls that it makes itself."""
        name = f"g{group}"
        own = {
            key(attempt.control.probe): attempt.control.probe
            for attempt in attempts
            if attempt.control.where is Where.AGENT
        }
        probes = [{**probe, "id": known} for known, probe in own.items()] + [
            {**attempt.probe, "id": attempt.id} for attempt in attempts
        ]
        if group == GATEWAY:
            pod, probes, attempts = self.ordered(f"{name}-{part}", {attempt.id for attempt in attempts})
        else:
            pod = self.pods.agent(name, probes, **presence.spec(self.stage.present))
        self.owners |= dict.fromkeys(pod_addresses(pod), name)
        findings = self.pods.findings(self.pods.agents, pod)
        self.findings |= {known: finding for known, finding in findings.items() if known.startswith("g")}
        self.keep(Where.AGENT, findings, group)
        self.say(f"group {group}: {len(attempts)} attempts")
        if group == GATEWAY:
            return  # past the watchdog, whose log goes with its pod
        if wrong := self.records_wrong(pod, attempts, findings, len(own)):
            self.doubts.append(f"records of group {group}: {wrong}")

    def ordered(self, name: str, ids: Collection[str]) -> tuple[Object, list[Any], list[Attempt]]:
        """Start an agent whose attempts need tokens that name its own pod: it fetches them."""
        other = self.pods.agent(f"{name}-other", [])
        file = f"{uuid.uuid4().hex}.json"
        pod = self.pods.agent(name, [], orders=f"{addresses.WEBSITE_NAME}/shelf/{file}")
        self.owners |= dict.fromkeys(pod_addresses(pod), f"g{GATEWAY}")
        tokens = credentials.all_tokens(self.api, pod, other, cluster.state_dir() / "pki" / "sa.key")
        stage = Stage(
            neighbour=self.stage.neighbour, neighbour_service=self.stage.neighbour_service, gateway=self.stage.gateway,
            gateway_pods=self.stage.gateway_pods, tokens=tokens, present=self.stage.present,
        )  # fmt: skip
        due = [attempt for attempt in catalogue.all_attempts(stage, (GATEWAY,)) if attempt.id in ids]
        own = {key(attempt.control.probe): attempt.control.probe for attempt in due}
        # The controls are keyed as the caller knows them: by the attempt, since their tokens are new here.
        self.renamed |= {attempt.id: key(attempt.control.probe) for attempt in due}
        probes = [{**probe, "id": known} for known, probe in own.items()]
        probes += [{**attempt.probe, "id": attempt.id} for attempt in due]
        folder = cluster.world_state() / shelf.FOLDER
        folder.mkdir(exist_ok=True)
        (folder / file).write_text(json.dumps(probes))
        return pod, probes, due

    def keep(self, where: Where, findings: Mapping[str, Object], group: int = 0) -> None:
        """Remember controls."""
        for known, finding in findings.items():
            if not known.startswith("g"):
                self.controls[f"{where}{group}{known}"] = finding

    def control_of(self, attempt: Attempt) -> Object | None:
        """Find an attempt's control."""
        where = attempt.control.where
        known = self.renamed.get(attempt.id) or key(attempt.control.probe)
        return self.controls.get(f"{where}{attempt.group if where is Where.AGENT else 0}{known}")

    def records_wrong(self, pod: Object, attempts: Sequence[Attempt], findings: Mapping[str, Object], own: int) -> str:
        """Wait until the watchdog's records agree with what the pod was told; say what does not."""
        until, wrong = time.monotonic() + RECORD_SECONDS, "?"
        while wrong and time.monotonic() < until:
            refused = Counter(
                record["rule"] for record in self.pods.records(pod) if record["rule"] != contract.Rule.ALLOWED.value
            )
            tunnels = sum(
                1 for attempt in attempts if attempt.witness is Witness.RULE and "twice" in attempt.probe["kind"]
            )
            wrong = judge.records_wrong(attempts, findings, own + tunnels, refused)
            if wrong:
                time.sleep(0.5)
        return wrong

    def judged(self, attempts: Sequence[Attempt], folder: Path, mark: int, held: Sequence[judge.Outcome]) -> Result:
        """Bring all witnesses together."""
        proofs = self.proofs(folder)
        seen = self.seen(mark)
        outcomes = []
        for attempt in attempts:
            mine = [proof for proof in proofs if proof.agent == f"g{attempt.group}" and about(proof, attempt)]
            outcome = judge.judge(
                attempt, self.findings.get(attempt.id), self.control_of(attempt), present=self.stage.present,
                proofs=mine, seen=attempt.id in seen,
            )  # fmt: skip
            outcomes.append(outcome)
            proofs = [proof for proof in proofs if proof not in mine]
        self.alarms += sorted({f"{proof.agent}: {proof.how}: {proof.peer} port {proof.port}" for proof in proofs})
        return Result([*outcomes, *held], self.alarms, self.doubts)

    def proofs(self, folder: Path) -> list[evidence.Proof]:
        """Read both captures; their own control is that they saw the unguarded pods."""
        node, lost_there = capture.load(folder / "node.flows")
        world, lost_here = capture.load(folder / "world.flows")
        if lost_there or lost_here:
            self.doubts.append(f"the captures lost packets: {lost_there} at the node, {lost_here} in the world")
        if not any(flow.source in self.free for flow in world) and {1, 3, 6} & set(self.groups):
            self.doubts.append("the world's capture did not see the unguarded pods")
        if not any(flow.source in self.free and flow.outgoing for flow in node) and {1, 3, 6} & set(self.groups):
            self.doubts.append("the node's capture did not see what was forwarded for the unguarded pods")
        # Group 10 ends the gateway's pods; watchdogs of all groups go on reporting, to the new ones.
        stage = replace(self.stage, gateway_pods=self.stage.gateway_pods | self.gateway_pods())
        return [
            *evidence.arrived_in_world(world, self.owners),
            *evidence.passed_the_node(node, self.owners, stage),
            *evidence.led_inward(node, stage),
        ]

    def gateway_pods(self) -> frozenset[str]:
        """Give the addresses of the gateway's pods that there are now."""
        labels = f"{contract.LABEL_COMPONENT}={contract.COMPONENT_GATEWAY}"
        pods = self.api.items("pods", INSTALLATION, labels=labels)
        return frozenset(address for pod in pods for address in pod_addresses(pod))

    def seen(self, mark: int) -> set[str]:
        """Give the ids of attempts whose mark the world saw; whatever reached the outlaw is an alarm."""
        found: set[str] = set()
        for record in self.world.since(mark):
            if record["src"] in self.free:
                continue
            if record["service"] in {"outlaw", "metadata"}:
                self.alarms.append(
                    f"{record['src']} reached the {record['service']}: {record['proto']} {record['detail']}"
                )
            text = json.dumps(record["detail"])
            rebinds = record["proto"] == "dns" and addresses.REBINDING_PARENT in text.lower()
            if not rebinds and _ANSWERED_EARLIER not in text and addresses.REBINDING_PARENT not in text:
                found |= set(_ID.findall(text))
        return found

    def say(self, text: str) -> None:
        """Print progress."""
        print(f"[{time.monotonic() - self.began:5.1f} s] {text}", flush=True)


def parts(attempts: Sequence[Attempt]) -> list[Sequence[Attempt]]:
    """Divide attempts at the gateway among agents: a breach is denied everything at once, and ended within seconds."""
    plain = [attempt for attempt in attempts if attempt.line == gateway.OWN_TOKEN]
    breaches = [attempt for attempt in attempts if attempt not in plain]
    starts = range(0, len(breaches), BEFORE_THE_END)
    return [plain, *(breaches[start : start + BEFORE_THE_END] for start in starts)]


def about(proof: evidence.Proof, attempt: Attempt) -> bool:
    """Tell whether a packet is of an attempt, by where that went."""
    place = attempt.probe.get("to")
    there = (
        (place[0], place[1])
        if isinstance(place, list)
        else (attempt.probe.get("address"), attempt.probe.get("port", 0))
    )
    return (proof.peer, proof.port) == there


def key(probe: Mapping[str, Any]) -> str:
    """Name a control's probe: equal ones are made once."""
    return "c" + uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(probe, sort_keys=True)).hex


@contextmanager
def captured(netns: str, out: Path) -> Iterator[None]:
    """Capture in a namespace while the block runs; the process is ended by its own id."""
    command = ["nsenter", f"--net=/run/netns/{netns}", "--", sys.executable, "-m", "tests.battery.capture"]
    with subprocess.Popen([*command, f"{out}.flows"], cwd=ROOT) as process:
        try:
            until = time.monotonic() + 20
            while not out.with_suffix(".ready").exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the capture in {netns} does not start")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(30)
