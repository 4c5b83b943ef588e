"""The loop's parts as processes of this machine: what each is given, how it is started again, how it is killed."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.chaos.history import Object
from tests.chaos.loop.plan import AUTHORIZERS, Part
from tests.chaos.loop.voices import Ear, Voice
from tests.cluster import addresses
from tests.support import localoperator
from tests.support.authority import Authority
from tests.support.e2e.api import Api
from tests.support.localoperator import NAMESPACE, ROOT, Installation, LocalOperator
from zaum_api import contract

ADDRESSES: Final = {Part.AUTHORIZER_1: "127.0.0.2", Part.AUTHORIZER_2: "127.0.0.3", Part.LEDGER: "127.0.0.4"}
"""Where the parts' pods say that they are."""
REPORTS: Final = {Part.AUTHORIZER_1: 25461, Part.AUTHORIZER_2: 25462}
HEALTH: Final = {Part.AUTHORIZER_1: 25471, Part.AUTHORIZER_2: 25472, Part.LEDGER: 25473}
READY_SECONDS: Final = 60.0
TOKEN_SECONDS: Final = 6 * 3600
KEYS: Final = {"nonResourceURLs": ["/.well-known/openid-configuration", "/openid/v1/jwks"], "verbs": ["get"]}
ACCOUNTS: Final[dict[str, list[Object]]] = {
    "zaum-authorizer": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        {"apiGroups": [contract.GROUP], "resources": ["agentpolicies", "incidents"], "verbs": ["list", "watch"]},
        KEYS,
    ],
    "zaum-ledger": [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
        {"apiGroups": [contract.GROUP], "resources": ["incidents"], "verbs": ["create"]},
        KEYS,
    ],
}
"""What the chart grants them."""


class PartError(AssertionError):
    """A part's process did not do what it was asked; the message ends with its last words."""


@dataclass
class Process:
    """One part that is no operator."""

    name: str
    module: str
    environment: Mapping[str, str]
    log: Path
    health: int
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and wait for nothing. It ends with whoever started it, however that ends."""
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", self.module]
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**kept, **self.environment},
                cwd="/",
            )

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ready(self) -> bool:
        """Ask whether it is ready."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@dataclass
class Parts:
    """All of them. `heard` is what the authorizers have said."""

    api: Api
    folder: Path
    heard: list[Voice] = field(default_factory=list)
    authority: Authority = field(init=False)
    installation: Installation = field(init=False)
    processes: "dict[Part, Process | LocalOperator]" = field(default_factory=dict)
    ears: list[Ear] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    """Parts that ended by themselves."""

    def install(self) -> None:
        """Make what the chart would give them, and the objects of their pods."""
        self.installation = localoperator.install(self.api, self.folder)
        # Its authority again, whose key signs the other parts' certificates too.
        self.authority = Authority(self.folder)
        for name, rules in ACCOUNTS.items():
            self._account(name, rules)
        for part, component in (
            *((part, contract.COMPONENT_AUTHORIZER) for part in AUTHORIZERS),
            (Part.LEDGER, contract.COMPONENT_LEDGER),
        ):
            self._pod(part, component)
        service = {"ports": [{"name": "ledger", "port": contract.LEDGER_PORT}]}
        meta = {"name": contract.LEDGER_SERVICE, "namespace": NAMESPACE}
        self.api.apply("services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service})
        self._made()

    def start(self) -> None:
        """Start all, the ears among them, and wait until they are ready."""
        for ear in self.ears:
            ear.start()
        for part in Part:
            self.processes[part].start()
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until every part serves. PartError when one does not."""
        deadline = time.monotonic() + READY_SECONDS
        for part, process in self.processes.items():
            if isinstance(process, LocalOperator):
                process.wait_ready(seconds=READY_SECONDS)
                continue
            while not process.ready():
                if time.monotonic() > deadline:
                    raise PartError(f"{part} is not ready:\n{self.last_words(part)}")
                time.sleep(0.05)

    def alive(self, part: Part) -> bool:
        """Tell whether a part's process runs; note one that ended by itself."""
        process = self.processes[part].process
        return process is not None and process.poll() is None

    def serves(self, part: Part) -> bool:
        """Tell whether a part has begun to serve."""
        process = self.processes[part]
        if isinstance(process, Process):
            return process.ready()
        try:
            return bool(process.metrics())
        except OSError:
            return False

    def forgiven(self) -> dict[str, float]:
        """Give when the ledger heard of each release, by the Incident's name: its own log says so."""
        found: dict[str, float] = {}
        for at, said in self._ledger_says("order"):
            if said["action"] == "release":
                found.setdefault(said["incident"], at)
        return found

    def decided(self) -> dict[str, float]:
        """Give when the ledger heard of each breach of which it made an Incident, by its name."""
        return {said["incident"]: at - said["seconds"] for at, said in self._ledger_says("incident")}

    def _ledger_says(self, event: str) -> Iterator[tuple[float, Object]]:
        """Give what its log has of an event, each with when. A line may be cut off by a kill."""
        for line in self.processes[Part.LEDGER].log.read_text(errors="replace").splitlines():
            if f'"event": "{event}"' in line and line.endswith("}"):
                said = json.loads(line)
                yield datetime.fromisoformat(said["time"]).timestamp(), said

    def kill(self, part: Part) -> None:
        """End one by SIGKILL."""
        if not self.alive(part):
            self.deaths.append(f"{part} ended by itself:\n{self.last_words(part)}")
        self.processes[part].kill()

    def restart(self, part: Part) -> None:
        """Start one again, from a thread that lives as long as the process is to."""
        self.processes[part].start()

    def stop(self) -> None:
        """End all."""
        for process in self.processes.values():
            process.kill()
        for ear in self.ears:
            ear.stop()

    def last_words(self, part: Part, lines: int = 12) -> str:
        """Give the end of its log."""
        log = self.processes[part].log
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def token(self, account: str, audience: str, *, namespace: str = NAMESPACE, pod: Object | None = None) -> str:
        """Have the API server sign a token; with `pod` one that is bound to it."""
        spec: Object = {"audiences": [audience] if audience else [], "expirationSeconds": TOKEN_SECONDS}
        if pod is not None:
            meta = pod["metadata"]
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        asked |= {"metadata": {"namespace": namespace}}
        made = self.api.create("serviceaccounts", asked, name=account, sub="token")
        return str(made["status"]["token"])

    def _made(self) -> None:
        tokens = {
            "reports": self.token(localoperator.ACCOUNT, contract.AUDIENCE_AUTHORIZER),
            "books": self.token(localoperator.ACCOUNT, contract.AUDIENCE_LEDGER_READ),
            "ledger": self.token("zaum-ledger", ""),
        }
        for name, text in tokens.items():
            (self.folder / f"{name}.token").write_text(text)
        self.processes[Part.OPERATOR] = LocalOperator(
            self.installation,
            settings={
                "ZAUM_LEDGER": "true",
                "ZAUM_RESYNC_SECONDS": "60",
                "ZAUM_REPORTS_TOKEN_FILE": str(self.folder / "reports.token"),
                "ZAUM_LEDGER_TOKEN_FILE": str(self.folder / "books.token"),
            },
        )
        self.processes[Part.LEDGER] = self._ledger()
        for part in AUTHORIZERS:
            tls = self._tls(part, contract.AUTHORIZER_TLS_NAME)
            self.processes[part] = self._authorizer(part, tls)
            self.ears.append(Ear(part, ADDRESSES[part], REPORTS[part], self.heard, self.authority, tls))

    def _tls(self, part: str, name: str) -> Path:
        folder = self.folder / f"tls-{part}"
        folder.mkdir(exist_ok=True)
        certificate, key = self.authority.issue(name, part)
        (folder / "tls.crt").write_bytes(certificate.read_bytes())
        (folder / "tls.key").write_bytes(key.read_bytes())
        (folder / "ca.crt").write_bytes(self.authority.ca.read_bytes())
        return folder

    def _ledger(self) -> Process:
        environment = {
            "PYTHONPATH": f"{ROOT / 'ledger'}:{ROOT / 'crds'}",
            "ZAUM_SQLITE_FILE": str(self.folder / "ledger.db"),
            "ZAUM_TLS_DIR": str(self._tls(Part.LEDGER, contract.LEDGER_TLS_NAME)),
            "ZAUM_HOST": ADDRESSES[Part.LEDGER],
            "ZAUM_HEALTH_HOST": "127.0.0.1",
            "ZAUM_HEALTH_PORT": str(HEALTH[Part.LEDGER]),
            "ZAUM_API_URL": f"https://127.0.0.1:{addresses.API_PORT}",
            "ZAUM_API_TOKEN_FILE": str(self.folder / "ledger.token"),
            "ZAUM_API_CA_FILE": str(self.api._client.configuration.ssl_ca_cert),
            "ZAUM_NAMESPACE": NAMESPACE,
            "ZAUM_OPERATOR_ACCOUNT": localoperator.ACCOUNT,
        }
        return Process(Part.LEDGER, "zaum_ledger", environment, self.folder / "ledger.log", HEALTH[Part.LEDGER])

    def _authorizer(self, part: Part, tls: Path) -> Process:
        own = Installation(
            self.folder / f"as-{part}", self.installation.server_ca, self.token("zaum-authorizer", ""), tls / "ca.crt"
        )
        own.folder.mkdir(exist_ok=True)
        sessions = own.folder / "sessions"
        sessions.mkdir(exist_ok=True)
        environment = {
            "PYTHONPATH": f"{ROOT / 'gateway'}:{ROOT / 'crds'}:{ROOT / 'sandbox'}",
            "KUBECONFIG": str(own.kubeconfig(f"https://127.0.0.1:{addresses.API_PORT}")),
            "ZAUM_NAMESPACE": NAMESPACE,
            "ZAUM_OPERATOR_ACCOUNT": localoperator.ACCOUNT,
            "ZAUM_TLS_DIR": str(tls),
            "ZAUM_SESSIONS_DIR": str(sessions),
            "ZAUM_GRPC_ADDRESS": "127.0.0.1:0",
            "ZAUM_HEALTH_HOST": "127.0.0.1",
            "ZAUM_HEALTH_PORT": str(HEALTH[part]),
            "ZAUM_REPORTS_HOST": "127.0.0.1",
            "ZAUM_REPORTS_PORT": str(REPORTS[part]),
        }
        return Process(part, "zaum_gateway", environment, self.folder / f"{part}.log", HEALTH[part])

    def _account(self, name: str, rules: list[Object]) -> None:
        group = "rbac.authorization.k8s.io"
        meta = {"name": name, "namespace": NAMESPACE}
        self.api.apply("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
        self.api.apply("clusterroles", role)
        binding = {
            "apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        }  # fmt: skip
        self.api.apply("clusterrolebindings", binding)

    def _pod(self, part: Part, component: str) -> None:
        """Show the pod in which the process would run, bound to no node, so that nobody plays it but we."""
        labels = {contract.LABEL_NAME: contract.APP_NAME, contract.LABEL_COMPONENT: component}
        body = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": str(part), "namespace": NAMESPACE, "labels": labels},
            "spec": {
                "schedulerName": "nobody", "automountServiceAccountToken": False,
                "containers": [{"name": component, "image": "registry.example/part"}],
            },
        }  # fmt: skip
        self.api.apply("pods", body)
        address = ADDRESSES[part]
        running = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
        self.api.merge("pods", NAMESPACE, str(part), {"status": running}, sub="status")
