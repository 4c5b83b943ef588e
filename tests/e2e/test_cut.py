"""On a real cluster: a host that a policy names no more costs its live tunnel, and a killed watchdog reads nothing."""

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.cluster import addresses
from tests.e2e.test_failures import watchdog_pid
from tests.support.e2e import programs
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import Api, Object
from tests.support.e2e.world import World

HOST = addresses.WEBSITE_NAME
NAMED = {"hosts": [{"host": HOST}, {"host": addresses.LLM_NAME}]}
WITHOUT = {"hosts": [{"host": addresses.LLM_NAME}]}
# The agent asks now and then whether its host is back: that alone is to be no reason to end it.
PATIENT = {"requests": {"perMinute": 10000, "burst": 10000}}
CALM = {"denied": {"enabled": False}}
CUTS = int(os.environ.get("ZAUM_CUTS", "15"))
"""A sample of half a minute; `make cuts` takes many more."""
GONE = 3
GRANTED = 3.0
"""Seconds from the change of the policy to the last byte that the agent got."""
GRANTED_TO_NEW = 1.0
"""Seconds from the end of a policy to the last CONNECT that led anywhere."""

HOLD = f"""
import json, sys, time
HOST, AGAIN = {HOST!r}, len(sys.argv) < 2
{programs.CONNECTED}
def say(**what):
    print(json.dumps(what), flush=True)

number = 0
while True:
    try:
        tls, last = tunnel(HOST), 0.0
    except OSError:
        time.sleep(0.5)
        continue
    number += 1
    try:
        while True:
            start = f"GET /?sent={{time.time():.6f}}&tunnel={{number}} HTTP/1.1\\r\\n"
            tls.sendall(f"{{start}}Host: {{HOST}}\\r\\n\\r\\n".encode())
            if not tls.recv(65536):
                raise OSError("closed")
            if not last:
                say(opened=number)
            last = time.time()
            time.sleep(0.02)
    except OSError:
        pass
    say(ended=number, last=last)
    if not AGAIN:
        time.sleep(3600)
"""


# It is told to end, and does not.
ASK = f"""
import json, signal, socket, ssl, time
HOST = {HOST!r}
signal.signal(signal.SIGTERM, signal.SIG_IGN)

def ask():
    with socket.create_connection(("127.0.0.1", 15001), timeout=10) as plain:
        plain.sendall(f"CONNECT {{HOST}}:443 HTTP/1.1\\r\\nHost: {{HOST}}:443\\r\\n\\r\\n".encode())
        head = plain.recv(65536)
        if not head.startswith(b"HTTP/1.1 200"):
            return False
        with ssl.create_default_context().wrap_socket(plain, server_hostname=HOST) as tls:
            start = f"GET /?sent={{time.time():.6f}} HTTP/1.1\\r\\n"
            tls.sendall(f"{{start}}Host: {{HOST}}\\r\\nConnection: close\\r\\n\\r\\n".encode())
            return bool(tls.recv(65536))

while True:
    begun = time.time()
    print(json.dumps(dict(begun=begun)), flush=True)
    try:
        if ask():
            print(json.dumps(dict(begun=begun, opened=True)), flush=True)
    except OSError:
        pass
    time.sleep(0.05)
"""


def held(agents: Agents, name: str, *arguments: str) -> Object:
    """Run the agent that keeps one tunnel busy; with an argument it opens no second one."""
    files = agents.files(name, main_py=HOLD)
    command = ["python3", "-u", "/files/main.py", *arguments]
    spec = {"egress": NAMED, "limits": PATIENT, "runaway": CALM}
    agents.api.apply("agentpolicies", agents.policy(name, command=command, files=files, **spec))
    return agents.running(name)


def said(stream: Iterator[Object], what: str, *, above: int) -> Object:
    return next(line for line in stream if line.get(what, 0) > above)


@pytest.mark.world
@pytest.mark.alone
def test_a_host_that_is_named_no_more_costs_its_live_tunnel_within_seconds(agents: Agents, api: Api) -> None:
    pod = held(agents, "cut")
    stream = agents.lines(pod, seconds=CUTS * 12)
    took: list[float] = []
    number = 0
    for _ in range(CUTS):
        number = said(stream, "opened", above=number)["opened"]
        struck = time.time()
        api.merge("agentpolicies", agents.namespace, "cut", {"spec": {"egress": WITHOUT}})
        ended = said(stream, "ended", above=number - 1)
        assert ended["ended"] == number, "the control: it is the tunnel that was open"
        took.append(ended["last"] - struck)
        api.merge("agentpolicies", agents.namespace, "cut", {"spec": {"egress": NAMED}})
    print(f"cut: {len(took)} runs, max {max(took):.2f} s")
    assert max(took) <= GRANTED, sorted(took)[-5:]
    kept = api.get("pods", agents.namespace, pod["metadata"]["name"])
    assert kept["metadata"]["uid"] == pod["metadata"]["uid"], "the control: one pod lived through all of it"


def begun_within(stream: Iterator[Object], moment: float, seconds: float) -> list[Object]:
    """Give what was asked for and what was opened from that moment on, for so long or until the agent's end."""
    seen = itertools.takewhile(lambda line: line["begun"] < moment + seconds, stream)
    return [line for line in seen if line["begun"] > moment]


@pytest.mark.world
@pytest.mark.alone
def test_a_policy_that_is_gone_opens_no_new_tunnel_after_a_second(agents: Agents, api: Api) -> None:
    took: list[float] = []
    for name in (f"gone-{number}" for number in range(GONE)):
        pod = agents.run(name, ASK, egress=NAMED, limits=PATIENT, runaway=CALM)
        stream = agents.lines(pod)
        for _ in range(5):
            next(line for line in stream if line.get("opened"))
        struck = time.time()
        api.delete("agentpolicies", agents.namespace, name)
        after = begun_within(stream, struck, 3 * GRANTED_TO_NEW)
        assert after, "the control: it went on asking"
        took.append(max((line["begun"] - struck for line in after if line.get("opened")), default=0.0))
    print(f"gone: {len(took)} runs, max {max(took):.2f} s")
    assert max(took) <= GRANTED_TO_NEW, took


def requests(world: World, mark: int) -> list[float]:
    """Give when the requests that arrived were sent, by the agent's own words."""
    targets = [record["detail"].get("target", "") for record in world.since(mark) if record["proto"] == "https"]
    return [float(each.partition("sent=")[2].partition("&")[0]) for each in targets if "sent=" in each]


@pytest.mark.node
@pytest.mark.world
@pytest.mark.alone
def test_i08_the_outside_hears_nothing_that_was_said_after_the_watchdog_was_killed(
    agents: Agents, api: Api, world: World
) -> None:
    mark = world.mark()
    pod = held(agents, "killed", "once")
    stream = agents.lines(pod, seconds=60)
    said(stream, "opened", above=0)
    process = watchdog_pid(api.get("pods", agents.namespace, pod["metadata"]["name"]))
    os.kill(process, signal.SIGKILL)
    struck = time.time()
    # Its end is what the agent says, or that there is nobody to say it any more: a dead watchdog costs the pod.
    next((line for line in stream if line.get("ended")), None)
    threading.Event().wait(2.0)
    heard = requests(world, mark)
    assert heard
    assert struck - max(heard) < 2, f"the control: it was speaking until then, {json.dumps(heard[-3:])}"
    assert max(heard) <= struck
