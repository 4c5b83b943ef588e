"""The floor: the objects of every policy, made beforehand, sent by a client that neither watches nor decides.

What it costs is what this machine, this Python and this API server charge for the requests themselves.
Run as a process of its own: `python -m bench.scale.floor REQUESTS` reads one JSON request per line.
"""

import asyncio
import base64
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yaml

from bench.scale.measure import Outcome
from tests.cluster import addresses
from tests.support import rendered
from tests.support.e2e import api as e2e
from zaum_api import contract
from zaum_operator.core import kinds

if TYPE_CHECKING:
    from bench.scale.rig import Key, Rig

WORKERS: Final = 16
APPLY: Final = "application/apply-patch+yaml"
QUERY: Final = f"fieldManager={contract.FIELD_MANAGER}&force=true"
RESOURCES: Final = {
    "ServiceAccount": "serviceaccounts",
    "PriorityClass": "priorityclasses",
    "ResourceQuota": "resourcequotas",
    "NetworkPolicy": "networkpolicies",
    "ConfigMap": "configmaps",
    "Pod": "pods",
    "AgentPolicy": "agentpolicies",
}


def requests(policy: dict[str, Any], status: dict[str, Any], *, guarded: bool) -> list[tuple[str, str]]:
    """Give path and body of what an operator sends for a policy: its children in order, and its status twice."""
    bodies = rendered.objects(policy)
    if guarded:
        bodies = [body for body in bodies if body["metadata"]["name"] != contract.GUARD_NAME]
    sent = [(path(body), json.dumps(body)) for body in bodies]
    kept = {name: policy["metadata"][name] for name in ("name", "namespace", "uid")}
    body = {"apiVersion": kinds.POLICY.api_version, "kind": kinds.POLICY.name, "metadata": kept}
    target = f"{e2e.url(contract.PLURAL_POLICY, kept['namespace'], kept['name'], 'status')}?{QUERY}"
    said = [json.dumps(body | {"status": status | {"observedGeneration": at}}) for at in (0, 1)]
    return [*sent, *((target, text) for text in said)]


def path(body: dict[str, Any]) -> str:
    """Give the path by which an object is applied."""
    meta = body["metadata"]
    return f"{e2e.url(RESOURCES[body['kind']], meta.get('namespace', ''), meta['name'])}?{QUERY}"


def run(rig: "Rig", keys: "list[Key]", status: dict[str, Any]) -> Outcome:
    """Create the policies, send everything for them, and clear up; `status` is one that an operator wrote."""
    rig.create(keys)
    live = rig.api.items(contract.PLURAL_POLICY)
    guarded: set[str] = set()
    folder = rig.installation.folder
    with (folder / "floor.jsonl").open("w") as lines:
        for policy in live:
            whole = {"apiVersion": kinds.POLICY.api_version, "kind": kinds.POLICY.name} | policy
            sent = requests(whole, status, guarded=policy["metadata"]["namespace"] in guarded)
            guarded.add(policy["metadata"]["namespace"])
            lines.write(json.dumps(sent) + "\n")
    before = rig.point_without_operator()
    config = rig.installation.kubeconfig(f"https://127.0.0.1:{addresses.API_PORT}")
    command = [sys.executable, "-m", "bench.scale.floor", str(folder / "floor.jsonl"), str(config)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    after, said = rig.point_without_operator(), json.loads(done.stdout)
    rig.delete(keys)
    for name in {namespace for namespace, _ in keys}:
        rig.api.delete("networkpolicies", name, contract.GUARD_NAME)
    for item in rig.api.items("priorityclasses", labels=contract.LABEL_POLICY):
        rig.api.delete("priorityclasses", "", item["metadata"]["name"])
    rig.until_gone(seconds=90 + 0.3 * len(keys))
    return Outcome(
        name="floor",
        policies=len(keys),
        seconds=said["seconds"],
        cpu_seconds=said["cpu"],
        writes=said["sent"],
        audited=after.writes - before.writes,
        reads=after.reads - before.reads,
        rss_mib=said["rss"],
        server_cpu_seconds=after.server_cpu - before.server_cpu,
        notes={"refused": said["refused"]},
    )


async def send(groups: list[list[list[str]]], server: str, trust: ssl.SSLContext, token: str) -> tuple[int, int]:
    """Send each group in order, sixteen groups at a time; give how many were sent and how many refused."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": APPLY, "Accept": "application/json"}
    queue, counts = list(reversed(groups)), [0, 0]
    connector = aiohttp.TCPConnector(limit=64, ssl=trust)
    async with aiohttp.ClientSession(server, connector=connector, headers=headers) as session:

        async def work() -> None:
            while queue:
                for target, body in queue.pop():
                    async with session.patch(target, data=body) as answer:
                        json.loads(await answer.read())
                        counts[0] += 1
                        counts[1] += answer.status >= 400

        await asyncio.gather(*(work() for _ in range(WORKERS)))
    return counts[0], counts[1]


def main() -> int:
    """Send, and print what it took."""
    groups = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    config = yaml.safe_load(Path(sys.argv[2]).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cadata=ssl_pem(cluster["certificate-authority-data"]))
    began, cpu = time.perf_counter(), time.process_time()
    sent, refused = asyncio.run(send(groups, cluster["server"], trust, user["token"]))
    spent = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    status = Path("/proc/self/status").read_text()
    rss = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps(spent | {"sent": sent, "refused": refused, "rss": rss}))
    return 0


def ssl_pem(data: str) -> str:
    """Decode a certificate of a kubeconfig."""

    return base64.b64decode(data).decode()


if __name__ == "__main__":
    sys.exit(main())
