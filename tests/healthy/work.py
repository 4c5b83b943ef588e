"""Ordinary work of agents on a cluster, one policy for each kind, every detector and limit at its default.

Each agent prints one JSON line for each thing that it has done: `{"did", "at", "took", "ok", "said"}`, with `at` the
seconds since the epoch at which it began, and `said` what went wrong.
"""

from collections.abc import Iterator
from typing import Final

from tests.cluster import addresses
from tests.cluster.world import llm
from tests.e2e.test_limits_ledger import model
from tests.support.e2e.agents import FILES, Agents
from tests.support.e2e.api import Object

REPORTING: Final = "reporter"
"""The policy in the mode Report, whose watchdog says what it would have ended. A ceiling has to grant the mode."""
_CHEAP: Final = {"model": llm.MODELS[0], "input": "2.00", "output": "8.00"}
_SAYING: Final = """
import http.client, json, os, subprocess, sys, threading, time, urllib.error, urllib.request
sys.path.insert(0, "/files")

def say(did, began, problem=""):
    took = round(time.time() - began, 3)
    print(json.dumps({"did": did, "at": began, "took": took, "ok": not problem, "said": problem}), flush=True)
"""
_THINKS: Final = """
said = []
for turn in range(10**6):
    said = [*said[-6:], {"role": "user", "content": f"Result of step {turn}: " + "a line of a tool's output. " * 8}]
    body = json.dumps({"model": MODEL, "max_completion_tokens": 64, "messages": said}).encode()
    began = time.time()
    request = urllib.request.Request(
        os.environ["MODELS_BASE_URL"] + "/chat/completions", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            said.append(json.load(answer)["choices"][0]["message"])
        say("call", began)
    except urllib.error.HTTPError as error:
        say("call", began, f"{error.code} {error.headers.get('x-zaum-rule', '')}")
    except (OSError, http.client.HTTPException) as error:
        say("call", began, repr(error))
    subprocess.run([sys.executable, "-c", "print(sum(range(10**5)))"], check=True, stdout=subprocess.DEVNULL)
    time.sleep(1.3)
"""
_FETCHES: Final = """
import probe, shutil
SIZES = (2_000, 40_000, 300_000, 9_000)
for turn in range(10**6):
    began = time.time()
    path = f"/bytes/{SIZES[turn % len(SIZES)]}"
    found = probe.try_one({"probe": "proxy", "host": HOST, "path": path})
    well = found["outcome"] == found.get("inner") == "200"
    say("fetch", began, "" if well else f"{found['outcome']} {found.get('inner', '')} {found['rule']}")
    if turn % 4 == 3:
        shutil.copytree("/files", "/workspace/unpacked", dirs_exist_ok=True)
        subprocess.run([sys.executable, "-m", "compileall", "-qf", "/workspace/unpacked"], check=True)
    time.sleep(1.4)
"""
_BUILDS: Final = """
import compileall, pathlib, shutil
here = pathlib.Path("/workspace/tree")
here.mkdir(exist_ok=True)
for source in sorted(pathlib.Path(os.__file__).parent.glob("*.py"))[:60]:
    shutil.copy(source, here / source.name)
ONE = "import compileall, sys; sys.exit(not compileall.compile_dir(sys.argv[1], force=True, quiet=2))"
while True:
    began = time.time()
    jobs = [subprocess.Popen([sys.executable, "-c", ONE, str(here)]) for _ in range(3)]
    failed = [job.wait() for job in jobs if job.wait()]
    say("build", began, f"exit codes {failed}" if failed else "")
    time.sleep(2)
"""
_IDLES: Final = """
import http.server

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Health)
threading.Thread(target=server.serve_forever, daemon=True).start()
while True:
    began = time.time()
    time.sleep(2)
    say("idle", began)
"""


def policies(agents: Agents) -> Iterator[Object]:
    """Give the policies, their programs stored."""
    thinks = f"MODEL = {llm.MODELS[0]!r}\n{_THINKS}"
    metered = {"routes": [model(prices=[_CHEAP])]}
    yield _policy(agents, "thinker", thinks, egress=metered)
    yield _policy(agents, REPORTING, thinks, egress=metered, mode="Report")
    named = {"hosts": [{"host": addresses.WEBSITE_NAME}]}
    yield _policy(agents, "fetcher", f"HOST = {addresses.WEBSITE_NAME!r}\n{_FETCHES}", egress=named)
    yield _policy(agents, "builder", _BUILDS)
    health = {"httpGet": {"port": 8080, "path": "/"}}
    yield _policy(agents, "idler", _IDLES, agent={"liveness": health})


def _policy(agents: Agents, name: str, program: str, **spec: Object | str) -> Object:
    files = agents.files(name, main_py=_SAYING + program)
    return agents.policy(name, command=["python3", "-u", f"{FILES}/main.py"], files=files, **spec)
