"""Who runs wild is judged by what the API and the node say: the right end, in time, within bounds, beside a control."""

import dataclasses
from typing import Any

import pytest

from tests.battery import ends, neighbours, node, running, standing, wild
from tests.battery.ends import Due, End, Sight
from tests.battery.groups import bombs, guard
from tests.battery.judge import Verdict
from tests.battery.node import Bounds, Process, Taken
from tests.support import rendered, specs
from zaum_api import contract, incidents, quantities
from zaum_api.v1alpha1 import policy

SCENES = [scene for scenes in running.SCENES.values() for scene in scenes()]
BOUNDS = Bounds(pids=512, memory=1000, cpus=0.5)
ASKED = Bounds(pids=node.UNBOUNDED, memory=1000, cpus=0.5)
TAKEN = Taken(pids=1, memory=1)
ATTEMPT = bombs.scenes()[0].attempt
BREACH = Due(End.BREACH, 30, "RunawayCPU")
BOUND = Due(End.BOUND, 30)
SERVED = {"got": True, "word": "200"}


def incident(
    reason: str = "RunawayCPU", *, without: str = "", unsaid: str = "", action: str = "Quarantine"
) -> dict[str, Any]:
    steps = [step.value for step in incidents.STEPS]
    conditions = [{"type": step, "status": "False" if step == without else "True"} for step in steps]
    timeline = [{"step": step, "confirmedBy": "" if step == unsaid else "api"} for step in steps]
    spec = {"reason": reason, "action": action, "policyRef": {"name": "red"}, "pod": {"name": "red-0", "uid": "u"}}
    return {"spec": spec, "status": {"conditions": conditions, "timeline": timeline}}


DEAD = Sight(
    begun=100.0, ended=110.0, found=(incident(),), bounds=BOUNDS, asked=ASKED, taken=TAKEN, control=""
)  # fmt: skip
LIVES = Sight(begun=100.0, bounds=BOUNDS, asked=ASKED, taken=TAKEN, control="", after=SERVED)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.HELD),
        ({"ended": 130.0}, Verdict.HELD),
        ({"ended": 130.5}, Verdict.ESCAPED),
        ({"ended": 0.0}, Verdict.ESCAPED),
        ({"begun": 0.0}, Verdict.BROKEN),
        ({"bounds": None}, Verdict.BROKEN),
        ({"control": "it did not do all"}, Verdict.BROKEN),
        ({"found": ()}, Verdict.ODD),
        ({"found": (incident("RunawayMemory"),)}, Verdict.ODD),
        ({"found": (incident("RunawayMemory"), incident())}, Verdict.HELD),
        ({"found": (incident(without="IdentityDead"),)}, Verdict.ODD),
        ({"found": (incident(unsaid="Cut"),)}, Verdict.ODD),
        ({"found": (incident(action="Kill"),)}, Verdict.ODD),
        ({"taken": Taken(513, 1)}, Verdict.ESCAPED),
        ({"taken": Taken(1, 1001)}, Verdict.ESCAPED),
        ({"taken": Taken(1, 1, 0.58)}, Verdict.ESCAPED),
        ({"taken": Taken(512, 1000, 0.57)}, Verdict.HELD),
        ({"taken": Taken()}, Verdict.BROKEN),
        ({"taken": Taken(pids=1, cpus=0.1)}, Verdict.BROKEN),
        ({"bounds": dataclasses.replace(BOUNDS, cpus=0.9)}, Verdict.ESCAPED),
        ({"bounds": dataclasses.replace(BOUNDS, memory=2000)}, Verdict.ESCAPED),
        ({"bounds": dataclasses.replace(BOUNDS, cpus=0.4, memory=900)}, Verdict.HELD),
    ],
)
def test_a_breach_is_dead_in_time_with_a_proof_that_is_whole(changed: dict[str, Any], verdict: Verdict) -> None:
    assert ends.judge(ATTEMPT, BREACH, dataclasses.replace(DEAD, **changed)).verdict is verdict


@pytest.mark.parametrize(
    ("without", "verdict"), [("Quarantined", Verdict.HELD), ("Killed", Verdict.ODD), ("IdentityDead", Verdict.ODD)]
)
def test_who_is_not_blamed_is_killed_with_a_proof_and_not_quarantined(without: str, verdict: Verdict) -> None:
    reason = incidents.Cause.WATCHDOG_RESTARTED.value
    found = (incident(reason, action="Kill", without=without),)
    seen = dataclasses.replace(DEAD, found=found)
    assert ends.judge(ATTEMPT, Due(End.BREACH, 30, reason), seen).verdict is verdict


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.HELD),
        ({"watchdog": "nice 0 -> 19"}, Verdict.ESCAPED),
        ({"silent": "TimeoutError after 3.0 s"}, Verdict.ESCAPED),
        ({"taken": Taken(1, 1001)}, Verdict.ESCAPED),
        ({"taken": Taken()}, Verdict.BROKEN),
        ({"bounds": dataclasses.replace(BOUNDS, cpus=0.9)}, Verdict.ESCAPED),
        ({"ended": 110.0}, Verdict.ODD),
        ({"after": None}, Verdict.ODD),
        ({"after": {"got": False, "word": "0"}}, Verdict.ODD),
        ({"control": "it ended, too"}, Verdict.BROKEN),
    ],
)
def test_who_lives_on_is_within_its_bounds_and_its_watchdog_as_it_was(
    changed: dict[str, Any], verdict: Verdict
) -> None:
    assert ends.judge(ATTEMPT, BOUND, dataclasses.replace(LIVES, **changed)).verdict is verdict


@pytest.mark.parametrize(
    ("end", "changed", "verdict"),
    [
        (End.EVICTED, {"pod_reason": "Evicted"}, Verdict.HELD),
        (End.EVICTED, {"agent_reason": "Error"}, Verdict.ODD),
        (End.EVICTED, {"ended": 0.0}, Verdict.ESCAPED),
        (End.KILLED, {"agent_reason": "OOMKilled"}, Verdict.HELD),
        (End.KILLED, {"agent_reason": "Error"}, Verdict.ODD),
    ],
)
def test_the_kubelet_and_the_kernel_say_themselves_why(end: End, changed: dict[str, Any], verdict: Verdict) -> None:
    assert ends.judge(ATTEMPT, Due(end, 30), dataclasses.replace(DEAD, **changed)).verdict is verdict


def test_an_agents_end_is_when_the_api_says_so_and_else_when_it_is_seen() -> None:
    def pod(state: dict[str, Any]) -> dict[str, Any]:
        return {"status": {"containerStatuses": [{"name": "agent", "state": state}]}}

    assert ends.terminated(pod({"running": {}}), now=5.0) == (0.0, "")
    assert ends.terminated({"status": {}}, now=5.0) == (0.0, "")
    told = {"finishedAt": "1970-01-01T00:01:00Z", "reason": "OOMKilled"}
    assert ends.terminated(pod({"terminated": told}), now=5.0) == (60.0, "OOMKilled")
    assert ends.terminated(pod({"terminated": {"finishedAt": None}}), now=5.0) == (5.0, "")


def test_a_process_is_the_same_one_with_the_same_facts() -> None:
    was = Process(7, "1", (("nice", "0"), ("stopped", "False")))
    assert not was.changes(Process(7, "1", was.facts))
    assert was.changes(None)
    assert was.changes(Process(8, "1", was.facts))
    assert was.changes(Process(7, "2", was.facts))
    assert was.changes(Process(7, "1", (("nice", "19"), ("stopped", "False")))) == "nice 0 -> 19"


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (None, Verdict.BROKEN),
        ({"got": True, "word": "done", "control": SERVED}, Verdict.ESCAPED),
        ({"got": False, "word": "Operation not permitted", "control": SERVED}, Verdict.HELD),
        ({"got": False, "word": "Operation not permitted", "control": {"got": False, "word": "x"}}, Verdict.BROKEN),
        ({"got": False, "word": "Operation not permitted"}, Verdict.BROKEN),
    ],
)
def test_a_poke_that_fails_at_ones_own_child_too_proves_nothing(finding: Any, verdict: Verdict) -> None:
    assert standing.judged(ATTEMPT, finding).verdict is verdict


@pytest.mark.parametrize(
    ("last", "wrong", "verdict"),
    [
        ({"calls": 9, "lost_so_far": 0, "slowest": 1}, "", Verdict.HELD),
        ({"calls": 9, "lost_so_far": 1, "slowest": 1}, "", Verdict.ESCAPED),
        ({"calls": 9, "lost_so_far": 0, "slowest": 1}, "its agent ended", Verdict.ESCAPED),
        ({}, "", Verdict.BROKEN),
    ],
)
def test_a_neighbour_that_loses_a_call_is_harmed(last: Any, wrong: str, verdict: Verdict) -> None:
    assert standing.unharmed(ATTEMPT, last, wrong).verdict is verdict


@pytest.mark.parametrize(
    ("kind", "status", "at", "verdict"),
    [
        ("Ready", "True", 0, Verdict.HELD),
        ("Ready", "False", 0, Verdict.ESCAPED),
        ("Ready", "True", 30, Verdict.ESCAPED),
        ("PIDPressure", "True", 0, Verdict.ESCAPED),
    ],
)
def test_a_node_that_was_under_pressure_meanwhile_is_harmed(kind: str, status: str, at: int, verdict: Verdict) -> None:
    usual = {"Ready": "True", **dict.fromkeys(standing.PRESSURES, "False")} | {kind: status}
    conditions = [
        {"type": name, "status": said, "lastTransitionTime": f"1970-01-01T00:00:{at if name == kind else 0:02}Z"}
        for name, said in usual.items()
    ]
    assert standing.well({"status": {"conditions": conditions}}, ATTEMPT, 20.0).verdict is verdict


# The lines themselves.


def test_every_detector_has_an_agent_that_runs_wild_under_it() -> None:
    due = {scene.due.reason for scene in SCENES if scene.due.end is End.BREACH}
    elsewhere = {contract.Breach.GATEWAY_CONTACT.value}
    assert due | elsewhere == {each.value for each in contract.Breach if each not in contract.BLAMELESS}


def test_each_line_is_in_the_sample_or_one_of_its_group_is() -> None:
    assert {scene.group for scene in SCENES if scene.sampled} == {12, 13}, "of 14 the pokes are"
    assert len({scene.name for scene in SCENES}) == len(SCENES)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_red_agents_pod_is_bounded_on_every_side(scene: wild.Scene) -> None:
    spec = wild.spec_of(scene.tripping, {"image": specs.IMAGE} | scene.agent)
    body = specs.Case("", spec).manifest()
    policy.AgentPolicy.model_validate(body)
    pod = next(item for item in rendered.objects(body) if item["kind"] == "Pod")
    agent = next(each for each in pod["spec"]["containers"] if each["name"] == contract.CONTAINER_AGENT)
    most = agent["resources"]["limits"]
    asked = wild.asked(scene.agent)
    assert (quantities.millis(most["cpu"]) / 1000, quantities.whole(most["memory"])) == (asked.cpus, asked.memory)
    assert {"cpu", "memory", "ephemeral-storage"} <= most.keys()
    assert quantities.millis(most["cpu"]) <= 1000
    assert quantities.whole(most["memory"]) <= 1 << 30
    assert quantities.whole(most["ephemeral-storage"]) <= 2 << 30
    folders = [volume["emptyDir"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume]
    assert len(folders) == 2
    assert all(quantities.whole(folder.get("sizeLimit", "1Ti")) <= 1 << 30 for folder in folders)
    assert agent["securityContext"]["readOnlyRootFilesystem"]


def test_a_red_agent_pokes_by_more_than_twenty_calls_and_binds_every_port() -> None:
    tried = guard.pokes()
    assert len(guard.names()) >= 20
    assert {deed["port"] for _, _, deed in tried if deed["kind"] == "bind"} == {
        contract.PROXY_PORT, contract.ROUTES_PORT, contract.PROBE_PORT,
    }  # fmt: skip
    assert len({deed["id"] for _, _, deed in tried}) == len(tried)
    assert tried[-1][2]["kind"] == "everybody", "it ends the agent's own children"


# What a neighbour feels.


def test_attacker_and_spinner_take_turns_whose_order_alternates() -> None:
    assert neighbours.turns(3) == ([0, 3, 4], [1, 2, 5])


def test_the_ratio_is_between_the_medians_of_the_turns() -> None:
    attacker, _ = neighbours.turns(2)
    calls = [
        (place * neighbours.EACH_SECONDS + 1 + number / 200, 20.0 if place in attacker and number > 97 else 10.0)
        for place in range(4)
        for number in range(100)
    ]
    early = [(place * neighbours.EACH_SECONDS + 0.1, 999.0) for place in range(4)]
    found = neighbours.compare("cpu", calls + early, 2)
    assert (found.attacked, found.beside, found.ratio) == ([20.0, 20.0], [10.0, 10.0], 2.0)
    with pytest.raises(neighbours.BrokenError, match="turn 3"):
        neighbours.compare("cpu", [call for call in calls if call[0] < 12], 2)


def test_a_neighbour_that_is_not_well_beside_a_spinner_proves_nothing() -> None:
    calls = [(place * neighbours.EACH_SECONDS + 1, 5000.0) for place in range(4)]
    with pytest.raises(neighbours.BrokenError, match="not well"):
        neighbours.compare("cpu", calls, 2)
    attacker, _ = neighbours.turns(2)
    harmed = [(due, took if due // neighbours.EACH_SECONDS in attacker else 10.0) for due, took in calls]
    assert neighbours.compare("cpu", harmed, 2).ratio > neighbours.MOST, "the control"


def looks(name: str, *, idle: frozenset[int] = frozenset()) -> list[node.Look]:
    """What a node sees of an attacker that does its part in two rounds, but in these turns."""
    attacker, _ = neighbours.turns(2)
    least, found, used = neighbours.EFFECTS[name], [node.Look(-1.0, 1, 1, 5.0)], 5.0
    for number in range(4 * int(neighbours.EACH_SECONDS) + 1):
        place = int((number - 1) // neighbours.EACH_SECONDS)
        attacks = place in attacker and place not in idle
        used += 1.1 * least.cpus if attacks else 0.0
        found.append(node.Look(float(number), least.pids if attacks else 1, least.memory if attacks else 1, used))
    return found


@pytest.mark.parametrize("name", neighbours.ATTACKS)
def test_an_attack_is_seen_in_each_of_its_turns(name: str) -> None:
    neighbours.attacked(name, looks(name), 2)
    for place in neighbours.turns(2)[0]:
        with pytest.raises(neighbours.BrokenError, match=f"turn {place}"):
            neighbours.attacked(name, looks(name, idle=frozenset({place})), 2)
    with pytest.raises(neighbours.BrokenError, match="turn 0"):
        neighbours.attacked(name, [], 2)


def test_what_an_attacker_used_before_its_turn_does_not_count() -> None:
    waiting = [node.Look(-8.0, 99, 1 << 30, 0.0), node.Look(0.0, 99, 1 << 30, 50.0), node.Look(3.0, 1, 7, 50.0)]
    assert neighbours.effect(waiting, 0) == Taken(1, 7, 0.0)


def test_every_attack_has_an_effect_that_its_node_sees() -> None:
    assert neighbours.EFFECTS.keys() == neighbours.ATTACKS.keys()
    assert all(effect != node.Taken() for effect in neighbours.EFFECTS.values())
