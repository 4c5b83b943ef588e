"""Look for what only few may hold: a route's credential, and tokens of ServiceAccounts.

The searcher runs in a pod and is not told what to look for: it knows how such canaries begin and how a token is made,
and says what it found by hashes. What it finds by itself must be planted for it: decoys.
"""

import base64
import hashlib
import http.client
import json
import secrets
from collections.abc import Iterator
from typing import Final

from tests.support.e2e import install
from tests.support.e2e.api import Api, Object
from zaum_api import contract

KINDS: Final = (
    "configmaps", "events", "pods", "services", "serviceaccounts", "deployments", "networkpolicies", "leases",
    "agentpolicies", "resourcequotas", "namespaces",
)  # fmt: skip
METRICS: Final = {
    contract.COMPONENT_OPERATOR: contract.OPERATOR_METRICS_PORT,
    contract.COMPONENT_AUTHORIZER: contract.AUTHORIZER_HEALTH_PORT,
}

SAYING: Final = """
import json
def say(**line):
    print(json.dumps(line), flush=True)
"""

ASKING: Final = """
import http.client, json, os, urllib.parse, hashlib
BASE = urllib.parse.urlsplit(os.environ["API_BASE_URL"])

def ask(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection(BASE.hostname, BASE.port, timeout=20)
    try:
        connection.request(method, BASE.path + path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, {}, type(error).__name__.encode()
    finally:
        connection.close()

status, _, body = ask("GET", "/v1/headers/backwards")
sent = json.loads(body).get("authorization", "") if status == 200 else ""
say(step="used", status=status, sent=hashlib.sha256(sent.encode()).hexdigest())
kept = [body]
for path in ("/v1/credential", "/v1/credential/split", "/v1/credential/base64", "/v1/credential/header", "/v1/none"):
    kept.append(ask("GET", path))
kept.append(ask("POST", "/v1/items", b"x" * 100_000, {"Authorization": "Bearer of-my-own"}))
kept.append(ask("DELETE", "/v1/items"))
say(step="answers", statuses=[item[0] for item in kept[1:]])
"""
"""Uses a route in many ways, and keeps what comes back."""

SEARCHING: Final = """
import hashlib, json, os, re, time
kept = globals().get("kept", [])
LIKE = re.compile(b"zaum-" + b"canary-[A-Za-z0-9_-]{43}")
ENCODED = re.compile(b"emF1bS" + b"1jYW5hcnkt[A-Za-z0-9+/]{57}")
TOKEN = re.compile(b"ey" + b"J[A-Za-z0-9_-]{10,}[.]ey" + b"J[A-Za-z0-9_-]{10,}[.][A-Za-z0-9_-]{16,}")
found, looked = {}, [0]

def look(place, data):
    looked[0] += 1
    for hit in LIKE.findall(data) + ENCODED.findall(data) + TOKEN.findall(data):
        found.setdefault(hashlib.sha256(hit).hexdigest(), []).append(place)

def read(path, most=8 << 20):
    try:
        with open(path, "rb") as opened:
            look(path, opened.read(most))
    except OSError:
        pass

look("environ", json.dumps(dict(os.environ)).encode())
look("answers", repr(kept).encode())
for top, folders, files in os.walk("/"):
    if top in ("/proc", "/sys", "/dev"):
        folders.clear()
        continue
    for name in files:
        read(os.path.join(top, name))
for process in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "mountinfo", "status"):
        read(f"/proc/{process}/{name}")
memory = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as mem:
    for line in maps.read().splitlines():
        span, mode = line.split()[:2]
        first, last = (int(part, 16) for part in span.split("-"))
        if mode[0] == "r" and "[v" not in line:
            try:
                mem.seek(first)
                data = mem.read(min(last - first, 64 << 20))
            except (OSError, ValueError):
                continue
            memory += len(data)
            look("memory", data)
say(step="searched", found={key: sorted(set(places)) for key, places in found.items()}, looked=looked[0], memory=memory)
time.sleep(3600)
"""
"""Searches the environment, every path, what /proc shows of every process, and its own memory."""

PROGRAM: Final = SAYING + ASKING + SEARCHING


def canary() -> str:
    """Make what looks like a credential: 43 random characters behind a beginning that tells it."""
    return f"zaum-canary-{secrets.token_urlsafe(32)}"


def sha(text: str) -> str:
    """Say what the searcher says of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def forms(key: str) -> list[bytes]:
    """Give what any copy of a key would hold: itself, or its base64 at each of three places, and backwards."""
    raw = key.encode()
    encoded = [base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, raw[::-1], raw.hex().encode(), *encoded]


def hits(key: str, places: Iterator[tuple[str, bytes]]) -> tuple[list[str], int]:
    """Name the places that hold a key in any form, and say how many were looked at."""
    wanted, found, looked = forms(key), [], 0
    for name, data in places:
        looked += 1
        if any(form in data for form in wanted):
            found.append(name)
    return found, looked


def objects(api: Api, *kinds: str) -> Iterator[tuple[str, bytes]]:
    """Give every object of some kinds."""
    for kind in kinds:
        for item in api.items(kind):
            meta = item["metadata"]
            yield f"{kind} {meta.get('namespace', '')}/{meta['name']}", json.dumps(item).encode()


def logs(api: Api, *namespaces: str) -> Iterator[tuple[str, bytes]]:
    """Give what every container of some namespaces printed."""
    for namespace in namespaces:
        for pod in api.items("pods", namespace):
            spec, name = pod["spec"], pod["metadata"]["name"]
            for container in [*spec.get("initContainers", ()), *spec["containers"]]:
                lines = api.log_so_far(namespace, name, container=container["name"])
                yield f"log of {name}/{container['name']}", "\n".join(lines).encode()


def metrics(api: Api, agent: Object) -> Iterator[tuple[str, bytes]]:
    """Give what the operator, the authorizer and an agent's watchdog count."""
    pods = [(agent, contract.PROBE_PORT)]
    for component, port in METRICS.items():
        found = api.items("pods", install.NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={component}")
        pods += [(pod, port) for pod in found]
    for pod, port in pods:
        # From the node, as the kubelet calls: the API server's proxy into agents' pods is denied to everybody.
        connection = http.client.HTTPConnection(pod["status"]["podIP"], port, timeout=10)
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError(f"{pod['metadata']['name']}: metrics answer {answer.status}")
        yield f"metrics of {pod['metadata']['name']}", answer.read()
        connection.close()
