"""I08: whoever watches an agent may die, freeze, starve or be squatted: nothing gets out any more, and the agent dies.

What dies or is taken away, and where that is proven on a cluster; each with the same agent's traffic passing before:

    the watchdog killed, frozen            test_failures: an agent does not outlive its watchdog
    killed, by the world's own record      test_cut: the outside hears nothing after the watchdog was killed
    killed by the kernel for its memory    the same signal; that one agent cannot fill it: battery, group 12
    its ports squatted after its death     here
    starved of cpu                         here
    authorizer, gateway, operator, alone   test_failures
    ledger, alone                          test_limits_ledger: without the ledger nothing is spent that was not leased
    the operator, and a breach             test_limits: a runaway agent is killed without the operator
    all four at once, and a breach         here
    healthy agents beside such trouble     tests/healthy
"""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.battery import node
from tests.cluster import addresses
from tests.e2e.test_cut import requests
from tests.e2e.test_failures import begun_after, ended
from tests.support.e2e import attempts, install, kills
from tests.support.e2e.agents import READY_SECONDS, Agents
from tests.support.e2e.api import Api, Object, RefusedError, url
from tests.support.e2e.world import World
from zaum_api import contract

PARTS = ("zaum-operator", "zaum-ledger", "zaum-authorizer", "zaum-gateway")
SPEC: Object = {
    "egress": {"hosts": [{"host": addresses.WEBSITE_NAME}]},
    "limits": {"requests": {"perMinute": 10000, "burst": 10000}},
}
DEAD_SECONDS = 20
"""A frozen watchdog is found by two probes of three seconds each, and the agent has a second to end."""
ASKS = f"""
import json, ssl, sys, time
sys.path.insert(0, "/files")
import probe

def say(said):
    sys.stdout.write(json.dumps(said) + "\\n")

def ask(host="{addresses.WEBSITE_NAME}"):
    path = f"/?sent={{time.time():.6f}}"
    say(probe.try_one({{"probe": "proxy", "host": host, "path": path}}))
"""
STEADY = (
    ASKS
    + """
while True:
    ask()
    time.sleep(0.2)
"""
)
# Told by a signal from its node, it does what its detector is for.
RUNS_WILD = (
    ASKS
    + """
import signal
wild = []
signal.signal(signal.SIGUSR1, lambda *_: wild.append(True))
while True:
    for _ in range(5 if wild else 0):
        ask("outlaw.example.net")
    ask()
    time.sleep(0.2)
"""
)
# It answers every probe in the watchdog's place, as soon as the port is free, and goes on asking.
SQUATS = (
    ASKS
    + f"""
import http.server, threading
class Fine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass

def squat(port):
    while True:
        try:
            server = http.server.HTTPServer(("", port), Fine)
        except OSError:
            time.sleep(0.001)
            continue
        say(dict(squats=port, t=time.time(), ms=0))
        server.serve_forever()

for port in ({contract.PROBE_PORT}, {contract.PROXY_PORT}):
    threading.Thread(target=squat, args=(port,), daemon=True).start()
while True:
    ask()
    time.sleep(0.2)
"""
)


@contextmanager
def without(api: Api, *names: str) -> Iterator[None]:
    """Have no pod of these Deployments of ours for the time of the block, and all of them as before afterwards.

    They go at once, whatever they are in the middle of.
    """
    before = {name: api.get("deployments", install.NAMESPACE, name)["spec"]["replicas"] for name in names}
    try:
        for name in names:
            api.merge("deployments", install.NAMESPACE, name, {"spec": {"replicas": 0}})
        for name in names:
            label = f"{contract.LABEL_COMPONENT}={name.removeprefix('zaum-')}"
            for pod in api.items("pods", install.NAMESPACE, labels=label):
                gone = url("pods", install.NAMESPACE, pod["metadata"]["name"])
                with suppress(RefusedError):
                    api.send("DELETE", gone, query={"gracePeriodSeconds": "1"})
                api.until_gone("pods", install.NAMESPACE, pod["metadata"]["name"], seconds=90)
        yield
    finally:
        for name, count in before.items():
            api.merge("deployments", install.NAMESPACE, name, {"spec": {"replicas": count}})
        for name in names:
            install.available(api, name)


def passes(stream: Iterator[Object]) -> Object:
    """Hold the positive control: the agent reaches its host."""
    return next(line for line in stream if "squats" not in line and attempts.passed(line))


def until_probed_down(agents: Agents, pod: str, *words: str) -> None:
    """Wait for the kubelet's own word that the agent failed its liveness probe; the watchdog may fail its own, too."""
    about = {"name": pod, "fieldPath": f"spec.containers{{{contract.CONTAINER_AGENT}}}"}
    agents.api.until_any(
        "events", agents.namespace, "",
        lambda seen: seen["involvedObject"].items() >= about.items()
        and all(word in (seen.get("message") or "") for word in ("iveness probe failed", *words)),
        seconds=READY_SECONDS, what=f"the agent of {pod} failed its liveness probe {words}",
    )  # fmt: skip


@pytest.mark.node
@pytest.mark.alone
@pytest.mark.world
def test_i08_with_all_of_us_gone_nothing_passes_and_a_runaway_is_still_killed(
    agents: Agents, api: Api, world: World
) -> None:
    mark = world.mark()
    pod = agents.run("lost", RUNS_WILD, runaway={"denied": {"above": 10, "per": "1m"}}, **SPEC)
    name, stream = pod["metadata"]["name"], agents.lines(pod, seconds=90)
    passes(stream)
    assert requests(world, mark), "the control: the world has heard it"
    with without(api, *PARTS):
        gone = time.time()
        later = list(itertools.islice(begun_after(stream, gone), 5))
        assert len(later) == 5, "the control: it went on asking"
        os.kill(kills.process_of(api.get("pods", agents.namespace, name), contract.CONTAINER_AGENT), signal.SIGUSR1)
        over = api.until("pods", agents.namespace, name, ended, seconds=60, what="watchdog and kubelet kill it alone")
        assert over["status"]["phase"] == "Failed", "nobody was there to delete it, or to give it a deadline"
        assert "activeDeadlineSeconds" not in over["spec"]
        assert not [line for line in (*later, *begun_after(stream, gone)) if attempts.passed(line)]
        assert not [at for at in requests(world, mark) if at > gone]
        until_probed_down(agents, name, str(contract.BREACH_STATUS[contract.Breach.RUNAWAY_DENIED]))
    incident = api.until_any(
        "incidents", agents.namespace, "", lambda seen: seen.get("status", {}).get("phase") == "Closed",
        seconds=60, what="the Incident of what happened meanwhile",
    )  # fmt: skip
    assert incident["spec"]["reason"] == contract.Breach.RUNAWAY_DENIED.value
    assert incident["spec"]["pod"]["uid"] == pod["metadata"]["uid"]


@pytest.mark.node
@pytest.mark.alone
@pytest.mark.world
def test_i08_an_agent_that_takes_its_dead_watchdogs_ports_reaches_nothing_and_dies(
    agents: Agents, api: Api, world: World
) -> None:
    mark = world.mark()
    pod = agents.run("squatter", SQUATS, **SPEC)
    name, stream = pod["metadata"]["name"], agents.lines(pod, seconds=60)
    passes(stream)
    assert requests(world, mark)
    process = kills.process_of(api.get("pods", agents.namespace, name), contract.CONTAINER_WATCHDOG)
    struck = time.time()
    os.kill(process, signal.SIGKILL)
    taken = next(line for line in stream if "squats" in line)
    assert taken["t"] >= struck, "the control: it has a port that was the watchdog's"
    api.until("pods", agents.namespace, name, ended, seconds=DEAD_SECONDS, what="the agent's end")
    assert not [at for at in requests(world, mark) if at > struck]


@contextmanager
def starved(process: int) -> Iterator[None]:
    """Leave a container's processes a thousandth of a core."""
    version, folder = node.Container(process).folders["cpu"]
    files = (
        {"cpu.max": "1000 1000000"} if version == 2 else {"cpu.cfs_period_us": "1000000", "cpu.cfs_quota_us": "1000"}
    )
    before = {name: (folder / name).read_text() for name in files}
    for name, text in files.items():
        (folder / name).write_text(text)
    try:
        yield
    finally:
        _back(folder, before)


def _back(folder: Path, before: dict[str, str]) -> None:
    try:
        for name, text in reversed(before.items()):
            (folder / name).write_text(text)
    except OSError:
        assert not folder.exists(), "it went with its pod, or it is as it was"


@pytest.mark.node
@pytest.mark.alone
@pytest.mark.world
def test_i08_an_agent_whose_watchdog_gets_no_cpu_dies(agents: Agents, api: Api, world: World) -> None:
    mark = world.mark()
    pod = agents.run("starving", STEADY, **SPEC)
    name, stream = pod["metadata"]["name"], agents.lines(pod, seconds=60)
    passes(stream)
    assert requests(world, mark)
    process = kills.process_of(api.get("pods", agents.namespace, name), contract.CONTAINER_WATCHDOG)
    with starved(process):
        api.until("pods", agents.namespace, name, ended, seconds=DEAD_SECONDS + 10, what="the agent's end")
        over = time.time()  # What little passed until then passed the watchdog, and slowly.
        until_probed_down(agents, name)
    assert not [at for at in requests(world, mark) if at > over]
