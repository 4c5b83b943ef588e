"""What a policy and a ceiling can ask of containment, each on a real cluster, and what nobody meant an Incident to say.

All policies run beside each other from the beginning: most of the time is spent in waiting.
"""

import concurrent.futures
import contextlib
import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster import addresses
from tests.e2e.test_containment import assert_proven, nothing_starts, phase, pods, timeline
from tests.e2e.test_limits_ledger import CALLS, LENIENT, model
from tests.support.e2e import attempts, seasons
from tests.support.e2e.agents import RESTRICTED, Agents, agent_started
from tests.support.e2e.api import Api, NotSeenError, Object, RefusedError, User, again, condition
from tests.support.e2e.responders import asked, incident, person, release
from tests.support.e2e.spending import NO_VERDICT, credential
from tests.support.e2e.world import World, pod_addresses
from zaum_api import contract, incidents
from zaum_api.incidents import Word

pytestmark = pytest.mark.world
STEP_SECONDS = 60
LADDER_SECONDS = 300
"""Two rungs of two minutes each, and what is around them."""
HUSHED_SECONDS = 120
BRIEFLY = 25
"""How long there are too many processes where the detector is to rest again; it needs 30 s without for that."""
CALM = "import time\nprint('{\"calm\": true}', flush=True)\ntime.sleep(3600)\n"
CROWD = """
import json, subprocess, sys, time
sys.path.insert(0, "/files")
import probe

def ask():
    print(json.dumps(probe.try_one({"probe": "proxy", "host": %(host)r, "path": %(path)r})), flush=True)
    time.sleep(0.25)

for _ in range(4):
    ask()
children = [subprocess.Popen(["sleep", "%(seconds)d"]) for _ in range(30)]
while True:
    ask()
    children = [child for child in children if child.poll() is None]
"""
TOO_MANY: Object = {"processes": {"above": 20, "for": "2s"}}
QUICK: Object = {"requests": {"perMinute": 600, "burst": 60}}
SMALL: Object = {"cpu": "200m", "memory": "128Mi"}
HOSTS: Object = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
CROWDED = contract.Breach.RUNAWAY_PROCESSES.value
SERVED = 3
"""How often a spender's money is enough: the third answer has nine words instead of ten, the fourth would have none."""
SPENT = incidents.Cause.BUDGET_SPENT.value
WHOLE = "ZAUM_LADDER"
RIGHTS = ("create", "list", "watch", "get", "patch", incidents.RELEASE_VERB)


@dataclass
class Scene:
    """Three namespaces: one in which Report is granted, one whose ceiling blocks images, one without a ceiling."""

    main: Agents
    strict: Agents
    lax: Agents
    mark: int
    """Of the world's log."""
    ladder: "Ladder"
    """Of the policies of the first namespace."""
    hushed: "concurrent.futures.Future[Object]"
    """The pod that the ledger hears no more: it takes its time, so it begins before everything else is waited for."""


def crowd(agents: Agents, name: str, *, seconds: int = 3600, **spec: object) -> None:
    """Run an agent that asks for a page again and again, soon with too many processes beside it."""
    program = CROWD % {"host": addresses.WEBSITE_NAME, "path": page(agents, name), "seconds": seconds}
    begin(agents, name, program, egress=HOSTS, limits=QUICK, runaway=TOO_MANY, **spec)


def page(agents: Agents, name: str) -> str:
    """Give the page for which one agent asks and nobody else: the world sees the gateway's address, not the pod's."""
    return f"/echo?{agents.namespace}.{name}"


def spender(agents: Agents, name: str, on_budget: str) -> None:
    """Run an agent that spends its money, a tenth of a dollar with each call, and does not stop."""
    program = CALLS % {"model": model()["prices"][0]["model"], "pause": 0.5}
    containment = {"containment": {"onBudget": on_budget}} if on_budget else {}
    begin(
        agents, name, program, egress={"routes": [model()]}, limits=LENIENT | {"cost": {"perDay": "0.30"}},
        runaway=NO_VERDICT, **containment,
    )  # fmt: skip


def begin(agents: Agents, name: str, program: str, **spec: object) -> None:
    """Apply a policy and wait for nothing."""
    files = agents.files(name, main_py=program)
    command = ["python3", "-u", "/files/main.py"]
    policy = agents.policy(name, command=command, files=files, **{"agent": {"resources": SMALL}} | spec)
    agents.api.apply("agentpolicies", policy)


def grant(api: Api, namespace: str, **spec: object) -> None:
    """Make a ceiling of the namespace's name."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    body = {"apiVersion": contract.API_VERSION, "kind": contract.KIND_CEILING, "metadata": {"name": namespace}}
    api.apply("agentceilings", body | {"spec": {"namespaceSelector": selector, **spec}})


@pytest.fixture(scope="module")
def scene(api: Api, images: dict[str, str], world: World, world_ca: str, installed: None) -> Iterator[Scene]:
    seasons.wait(api)
    run = uuid.uuid4().hex[:5]
    made: list[Agents] = []
    for kind in ("main", "strict", "lax"):
        meta = {"name": f"options-{kind}-{run}", "labels": RESTRICTED}
        api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        made.append(Agents(api, f"options-{kind}-{run}", image=images["demo-agent"], world_ca=world_ca))
    main, strict, lax = made
    scene = Scene(main, strict, lax, world.mark(), Ladder(main.namespace), concurrent.futures.Future())
    back, beside = contextlib.ExitStack(), concurrent.futures.ThreadPoolExecutor(1)
    try:
        grant(api, scene.main.namespace, modes=["Enforce", "Report"])
        grant(api, scene.strict.namespace, incidents={"blockImages": True})
        start(scene)
        scene.hushed = beside.submit(hush, Api(), scene, back)
        yield scene
    finally:
        beside.shutdown()
        back.close()
        scene.ladder.end()
        for agents in made:
            api.delete("namespaces", "", agents.namespace)
            api.delete("agentceilings", "", agents.namespace)


def start(scene: Scene) -> None:
    """Apply all that takes its time."""
    main = scene.main
    credential(main)
    begin(main, "hushed", CALM)
    crowd(main, "throttled", seconds=BRIEFLY, containment={"onRunaway": "Throttle"})
    crowd(main, "cut", seconds=BRIEFLY, containment={"onRunaway": "Cut"})
    crowd(main, "reported", mode="Report", containment={"onRunaway": "Quarantine"})
    crowd(main, "enforced", containment={"onRunaway": "Quarantine"})
    for step in ("", "Cut", "Kill", "Quarantine"):
        spender(main, f"spends{step.lower()}", step)
    for agents in (scene.strict, scene.lax):
        begin(agents, "suspect", CALM)
    begin(scene.lax, "ghost", CALM)
    begin(main, "twin", CALM)


def hush(api: Api, scene: Scene, back: contextlib.ExitStack) -> Object:
    """Let nothing of a pod reach the ledger any more, which has heard it, while its node finds it well; give it."""
    name = scene.main.running("hushed")["metadata"]["name"]
    words = scene.main.lines({"metadata": {"name": name}}, seconds=STEP_SECONDS, container=contract.CONTAINER_WATCHDOG)
    next(line for line in words if (line["kind"], line.get("problem")) == ("ledger", ""))
    pod = api.get("pods", scene.main.namespace, name)
    for address in pod_addresses(pod):
        table = "ip6tables" if ":" in address else "iptables"
        rule = ["FORWARD", "-s", address, "-j", "DROP"]
        subprocess.run([table, "-w", "-t", "mangle", "-I", *rule], check=True)
        back.callback(subprocess.run, [table, "-w", "-t", "mangle", "-D", *rule], check=True)
    return pod


class Ladder:
    """What policies' statuses have said of their ladders since the beginning: tests come one after the other."""

    def __init__(self, namespace: str) -> None:
        self.told: dict[str, list[tuple[str, str]]] = {}
        self._over = threading.Event()
        threading.Thread(target=self._look, args=(namespace,), daemon=True).start()

    def _look(self, namespace: str) -> None:
        api = Api()
        while not self._over.wait(0.5):
            with contextlib.suppress(RefusedError):
                for policy in api.items("agentpolicies", namespace):
                    said = policy.get("status", {}).get("containment", {})
                    mine = self.told.setdefault(policy["metadata"]["name"], [("", "")])
                    newest = said.get("rung", ""), said.get("breach", "")
                    if newest != mine[-1]:
                        mine.append(newest)

    def until(self, name: str, *wanted: tuple[str, str]) -> None:
        """Wait until a status has said these, in this order, whatever else it said between them."""
        for _ in again(STEP_SECONDS):
            left = iter(self.told.get(name, []))
            if all(one in left for one in wanted):
                return
        raise NotSeenError(f"{wanted} of {name}; it said {self.told.get(name)}")

    def end(self) -> None:
        """Look no more."""
        self._over.set()


def found(api: Api, agents: Agents, name: str) -> list[Object]:
    """Give the Incidents about a policy."""
    return [item for item in api.items("incidents", agents.namespace) if item["spec"]["policyRef"]["name"] == name]


def uids(api: Api, agents: Agents, name: str) -> list[str]:
    """Give the uids of a policy's pods."""
    return [item["metadata"]["uid"] for item in pods(api, agents.namespace, name)]


def until_phase(api: Api, agents: Agents, name: str, wanted: incidents.Phase) -> Object:
    """Wait for the phase of the one Incident about a policy."""

    def holds(seen: Object) -> bool:
        return bool(seen["spec"]["policyRef"]["name"] == name and phase(wanted)(seen))

    what = f"the Incident about {name} is {wanted}"
    return api.until_any("incidents", agents.namespace, "", holds, seconds=STEP_SECONDS, what=what)


def seen_by_world(world: World, scene: Scene, name: str, since: float, until: float) -> int:
    """Count how often the world was asked for an agent's page between two moments."""
    asked_for = page(scene.main, name)
    records = [record for record in world.since(scene.mark) if record["detail"].get("target") == asked_for]
    return sum(since < record["t"] < until for record in records)


def rules(lines: Iterator[Object], wanted: str) -> list[Object]:
    """Read up to the first answer by a rule, and with it; empty wanted: up to the first that passes."""
    read = []
    for line in lines:
        read.append(line)
        if attempts.passed(line) if not wanted else line.get("rule") == wanted:
            return read
    raise NotSeenError(f"no answer of {wanted or 'the website'}; the last were {read[-3:]}")


def test_a_throttled_agent_has_a_tenth_and_all_of_it_again_when_its_detector_rests(
    api: Api, scene: Scene, world: World
) -> None:
    pod = scene.main.running("throttled")
    lines = scene.main.lines(pod, seconds=150)
    before = rules(lines, contract.Rule.REQUESTS_PER_MINUTE.value)
    assert sum(map(attempts.passed, before)) >= 4, "the control: nobody held it before"
    scene.ladder.until("throttled", ("Throttled", CROWDED), ("Free", ""))
    freed = time.time()
    after = [next(line for line in lines if line["t"] > freed + 1) for _ in range(8)]
    assert all(map(attempts.passed, after)), after
    assert found(api, scene.main, "throttled") == []
    assert [item["metadata"]["uid"] for item in pods(api, scene.main.namespace, "throttled")] == [
        pod["metadata"]["uid"]
    ]


def test_i09_an_agent_that_is_cut_reaches_nothing_and_lives_and_is_let_go_when_its_detector_rests(
    api: Api, scene: Scene, world: World
) -> None:
    pod = scene.main.running("cut")
    lines = scene.main.lines(pod, seconds=150)
    latched = contract.Rule.LATCHED.value
    before = rules(lines, latched)
    assert sum(map(attempts.passed, before)) >= 4, "the control: nobody held it before"
    during = rules(lines, "")
    assert {line["rule"] for line in during[:-1]} == {latched}
    first, last = before[-1]["t"], during[-2]["t"]
    assert last - first > 20, "it was held for as long as there were too many, and until the detector had rested"
    assert seen_by_world(world, scene, "cut", first, last) == 0
    assert seen_by_world(world, scene, "cut", 0, first), "the control: the world sees it otherwise"
    scene.ladder.until("cut", ("Cut", CROWDED), ("Free", ""))
    assert found(api, scene.main, "cut") == []
    assert uids(api, scene.main, "cut") == [pod["metadata"]["uid"]]


def test_the_mode_report_logs_the_kill_that_would_have_happened_and_kills_nobody(api: Api, scene: Scene) -> None:
    pod = scene.main.running("reported")
    words = scene.main.lines(pod, seconds=STEP_SECONDS, container=contract.CONTAINER_WATCHDOG)
    would = next(line for line in words if line.get("kind") == "wouldKill")
    assert would["reason"] == CROWDED
    policy = api.until(
        "agentpolicies", scene.main.namespace, "reported",
        lambda seen: seen.get("status", {}).get("containment", {}).get("wouldKill") == 1,
        seconds=STEP_SECONDS, what="the status counts it once",
    )  # fmt: skip
    assert policy["status"]["containment"]["rung"] == "Free"
    enforced = until_phase(api, scene.main, "enforced", incidents.Phase.CONTAINED)
    assert enforced["spec"]["reason"] == CROWDED, "the control: the same agent under the same policy, enforced"
    assert_proven(enforced)
    assert found(api, scene.main, "reported") == []
    (now,) = pods(api, scene.main.namespace, "reported")
    assert (now["metadata"]["uid"], now["status"]["phase"]) == (pod["metadata"]["uid"], "Running")


def test_a_spent_budget_is_refused_and_nothing_more_where_nothing_else_is_asked(api: Api, scene: Scene) -> None:
    pod = scene.main.running("spends")
    lines = scene.main.lines(pod, seconds=STEP_SECONDS)
    refused = [next(line for line in lines if line["status"] == 402) for _ in range(5)]
    assert {line["rule"] for line in refused} == {contract.Rule.COST_PER_DAY.value}
    assert found(api, scene.main, "spends") == []


def test_a_spent_budget_cuts_where_the_policy_says_so(api: Api, scene: Scene) -> None:
    pod = scene.main.running("spendscut")
    lines = scene.main.lines(pod, seconds=STEP_SECONDS)
    assert next(line for line in lines if line["status"] == 200), "the control: it was served before"
    assert next(line for line in lines if line["rule"] == contract.Rule.LATCHED.value)
    scene.ladder.until("spendscut", ("Cut", SPENT))
    later = [next(lines) for _ in range(3)]
    assert {line["rule"] for line in later} == {contract.Rule.LATCHED.value}, "for as long as nothing of it is back"
    assert found(api, scene.main, "spendscut") == []
    assert api.get("pods", scene.main.namespace, pod["metadata"]["name"])["status"]["phase"] == "Running"


def test_i09_a_spent_budget_kills_where_the_policy_says_so(api: Api, scene: Scene) -> None:
    done = until_phase(api, scene.main, "spendskill", incidents.Phase.CLOSED)
    assert (done["spec"]["reason"], incidents.action(done)) == (SPENT, incidents.Action.KILL)
    assert condition(done, "Closed")["reason"] == Word.CONTAINED.value
    facts = {item["name"]: item["value"] for item in done["spec"]["evidence"]["facts"]}
    assert facts["meter"] == "policy:cost/day"
    # The logs end with what came last, which says how often it was served before.
    last = json.loads(done["status"]["logs"]["agent"].splitlines()[-1])
    assert last["status"] in {402, 403}
    assert last["served"] == SERVED, "it had money to spend, and spent it before it was ended for that"


def test_i09_a_spent_budget_quarantines_where_the_policy_says_so(api: Api, scene: Scene) -> None:
    held = until_phase(api, scene.main, "spendsquarantine", incidents.Phase.CONTAINED)
    assert held["spec"]["reason"] == SPENT
    assert_proven(held)


def test_the_image_of_a_quarantined_policy_starts_under_no_other_name_where_a_ceiling_says_so(
    api: Api, scene: Scene, images: dict[str, str]
) -> None:
    held = {}
    for agents in (scene.strict, scene.lax):
        agents.running("suspect")
        user, known = person(api, agents.namespace, *RIGHTS)
        body = incident(agents.namespace, asked(user, policyRef={"name": "suspect"}))
        known.create("incidents", body)
        held[agents.namespace] = user, known, body["metadata"]["name"]
    for agents in (scene.strict, scene.lax):
        until_phase(api, agents, "suspect", incidents.Phase.CONTAINED)
        begin(agents, "other", CALM)
        begin(agents, "innocent", CALM, agent={"image": images["clients"], "resources": SMALL})
    user, known, name = held[scene.strict.namespace]
    said = condition(api.get("incidents", scene.strict.namespace, name), "Quarantined")
    assert said["reason"] == Word.IMAGE_BLOCKED.value
    lax = api.get("incidents", scene.lax.namespace, held[scene.lax.namespace][2])
    assert condition(lax, "Quarantined")["reason"] == Word.CONFIRMED.value

    blocked = scene.strict.ready("other", status="False", reason="ImageBlocked")
    assert name in condition(blocked, "Ready")["message"]
    scene.strict.running("innocent")
    scene.lax.running("other")
    assert pods(api, scene.strict.namespace, "other") == [], "all others had the time to start"
    release(known, scene.strict.namespace, name, user.name)
    scene.strict.running("other")


def test_i10_an_incident_about_nobody_holds_the_name_in_its_own_namespace_and_in_no_other(
    api: Api, scene: Scene
) -> None:
    here = scene.main.namespace
    elsewhere = scene.lax.running("ghost")
    user, known = person(api, here, *RIGHTS)
    name = known.create("incidents", incident(here, asked(user, policyRef={"name": "ghost"})))["metadata"]["name"]
    made = until_phase(api, scene.main, "ghost", incidents.Phase.CONTAINED)
    assert condition(made, "Quarantined")["reason"] == Word.POLICY_NOT_FOUND.value
    begin(scene.main, "ghost", CALM)
    policy = scene.main.ready("ghost", status="False", reason="Quarantined")
    assert name in condition(policy, "Ready")["message"]
    assert pods(api, here, "ghost") == []
    (lives,) = pods(api, scene.lax.namespace, "ghost")
    assert (lives["metadata"]["uid"], lives["status"]["phase"]) == (elsewhere["metadata"]["uid"], "Running")
    release(known, here, name, user.name)
    scene.main.running("ghost")


def test_i10_of_two_incidents_at_once_one_holds_and_the_other_says_which(api: Api, scene: Scene) -> None:
    here = scene.main.namespace
    scene.main.running("twin")
    people = [person(api, here, *RIGHTS) for _ in range(2)]
    gate = threading.Barrier(len(people))

    def contain(user: User, known: Api) -> None:
        body = incident(here, asked(user, policyRef={"name": "twin"}))
        gate.wait()
        known.create("incidents", body)

    threads = [threading.Thread(target=contain, args=one) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = until_phase(api, scene.main, "twin", incidents.Phase.CONTAINED)
    closed = until_phase(api, scene.main, "twin", incidents.Phase.CLOSED)
    said = condition(closed, "Closed")
    assert said["reason"] == Word.DUPLICATE.value
    assert held["metadata"]["name"] in said["message"]
    assert len(found(api, scene.main, "twin")) == 2
    assert_proven(held)
    nothing_starts(api, here, "twin", seconds=3)


@pytest.mark.node
def test_i08_silence_alone_is_degraded_and_an_incident_when_the_node_calls_the_watchdog_down(
    api: Api, scene: Scene
) -> None:
    scene.lax.running("ghost")  # Its watchdog goes on speaking: while nobody is heard, silence accuses nobody.
    hushed = scene.hushed.result(HUSHED_SECONDS)
    here, name = scene.main.namespace, hushed["metadata"]["name"]
    policy = api.until(
        "agentpolicies", here, "hushed", lambda seen: condition(seen, "Degraded").get("reason") == "WatchdogSilent",
        seconds=HUSHED_SECONDS, what="hushed is Degraded",
    )  # fmt: skip
    assert name in condition(policy, "Degraded")["message"]
    assert found(api, scene.main, "hushed") == []
    pod = api.get("pods", here, name)
    assert (pod["metadata"]["uid"], agent_started(pod)) == (hushed["metadata"]["uid"], True)
    assert pod["status"]["phase"] == "Running"

    states = pod["status"]["initContainerStatuses"]
    down = [item | {"ready": item["name"] != contract.CONTAINER_WATCHDOG} for item in states]
    node = User(f"system:node:{pod['spec']['nodeName']}", ("system:nodes", "system:authenticated"))
    api.as_user(node).merge("pods", here, name, {"status": {"initContainerStatuses": down}}, sub="status")
    made = until_phase(api, scene.main, "hushed", incidents.Phase.CLOSED)
    assert made["spec"]["reason"] == incidents.Cause.WATCHDOG_SILENT.value
    assert made["spec"]["pod"]["uid"] == hushed["metadata"]["uid"]
    assert made["spec"]["reporter"] == incidents.Reporter.OPERATOR.value


@pytest.mark.skipif(WHOLE not in os.environ, reason="climbs for four minutes and a half: make ladder")
def test_i09_an_agent_that_does_not_stop_climbs_from_throttled_to_cut_to_killed(
    api: Api, scene: Scene, world: World
) -> None:
    crowd(scene.main, "climber", containment={"onRunaway": "Throttle"})
    pod = scene.main.running("climber")
    lines = scene.main.lines(pod, seconds=LADDER_SECONDS)
    rules(lines, contract.Rule.REQUESTS_PER_MINUTE.value)
    throttled = rules(lines, contract.Rule.LATCHED.value)
    assert sum(map(attempts.passed, throttled)) >= 60, "a tenth for two minutes"
    scene.ladder.until("climber", ("Throttled", CROWDED), ("Cut", CROWDED))
    cut = list(lines)
    assert {line["rule"] for line in cut} == {contract.Rule.LATCHED.value}
    assert seen_by_world(world, scene, "climber", throttled[-1]["t"], time.time()) == 0
    made = until_phase(api, scene.main, "climber", incidents.Phase.CLOSED)
    assert (made["spec"]["reason"], incidents.action(made)) == (CROWDED, incidents.Action.KILL)
    assert 110 < cut[-1]["t"] - throttled[-1]["t"] < 140
    assert {"Cut", "Killed", "RouteRemoved", "IdentityDead"} <= set(timeline(made))
