"""The operator as a process of this machine, against an API server where the chart is not installed.

What the chart would give it is made here: the CRDs, its ServiceAccount with exactly the rights of its table of access,
the gateway's Service, and the CA file. Callers run inside the node's namespace of a local cluster.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client import parser

from tests.cluster import addresses
from tests.support.authority import Authority
from tests.support.e2e.api import Api
from zaum_api import contract
from zaum_operator.core import access
from zaum_operator.core.access import Grant, Scope
from zaum_operator.core.certificates import session_keys, stored

ROOT: Final = Path(__file__).resolve().parents[2]
NAMESPACE: Final = "zaum-system"
ACCOUNT: Final = "zaum-operator"
USER: Final = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
WATCHDOG_IMAGE: Final = "registry.example/zaum-watchdog@sha256:" + "1" * 64
TOKEN_SECONDS: Final = 6 * 3600
READY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


class OperatorError(AssertionError):
    """The operator's process did not do what it was asked; the message ends with its last words."""


@dataclass(frozen=True)
class Installation:
    """What operators of one API server share: their token, the authority, and the folder of their files."""

    folder: Path
    server_ca: str
    token: str
    ca_file: Path

    def kubeconfig(self, server: str) -> Path:
        """Write the kubeconfig for one address of the API server."""
        path = self.folder / f"{server.rpartition('/')[2].replace(':', '-')}.conf"
        cluster = {"server": server, "certificate-authority-data": self.server_ca}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "zaum", "cluster": cluster}],
            "users": [{"name": "zaum", "user": {"token": self.token}}],
            "contexts": [{"name": "zaum", "context": {"cluster": "zaum", "user": "zaum"}}],
            "current-context": "zaum",
        }
        path.write_text(yaml.safe_dump(document))
        path.chmod(0o600)
        return path


def install(api: Api, folder: Path) -> Installation:
    """Make everything that the operator needs, and wait until its CRDs are served."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "crds").glob("zaum.dev_*.yaml")):
        crd = yaml.safe_load(path.read_text())
        api.apply("customresourcedefinitions", crd)
        name = crd["metadata"]["name"]
        api.until("customresourcedefinitions", "", name, _established, seconds=READY_SECONDS, what=f"{name} served")
    meta = {"name": NAMESPACE}
    api.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    for resource, body in _objects():
        api.apply(resource, body)
    spec = {"expirationSeconds": TOKEN_SECONDS}
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    asked |= {"metadata": {"namespace": NAMESPACE}}
    token = api.create("serviceaccounts", asked, name=ACCOUNT, sub="token")["status"]["token"]
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    server_ca = config["clusters"][0]["cluster"]["certificate-authority-data"]
    _show_session_keys(folder / contract.SESSION_SECRET)
    return Installation(folder, server_ca, token, Authority(folder).ca)


def _show_session_keys(volume: Path) -> None:
    """Show fresh ones, as a kubelet would: of what is not there the operator would write more at each start."""
    volume.mkdir(exist_ok=True)
    (volume / stored.REVISION).write_text("1")
    (volume / session_keys.MADE).write_text(str(int(time.time())))


def _established(seen: dict[str, Any]) -> bool:
    conditions = seen.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)


def _objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the ServiceAccount, its rights, and the gateway's Service."""
    meta = {"name": ACCOUNT, "namespace": NAMESPACE}
    yield "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(meta)}
    inside = [grant for grant in access.OPERATOR if grant.scope is Scope.RELEASE]
    across = [grant for grant in access.OPERATOR if grant.scope is not Scope.RELEASE]
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    for kind, resource, grants, where in (
        ("Role", "roles", inside, meta),
        ("ClusterRole", "clusterroles", across, {"name": ACCOUNT}),
    ):
        role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": dict(where)}
        yield resource, role | {"rules": [_rule(grant) for grant in grants]}
        binding = {"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": dict(where)}
        reference = {"apiGroup": group, "kind": kind, "name": ACCOUNT}
        plural = f"{resource.removesuffix('s')}bindings"
        yield plural, binding | {"roleRef": reference, "subjects": [dict(subject)]}
    service = {"ports": [{"name": "connect", "port": contract.GATEWAY_PORT}]}
    yield (
        "services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": contract.GATEWAY_SERVICE, "namespace": NAMESPACE},
            "spec": service,
        },
    )


def _rule(grant: Grant) -> dict[str, Any]:
    rule: dict[str, Any] = {"apiGroups": [grant.group], "resources": [grant.resource], "verbs": [grant.verb.value]}
    return rule | ({"resourceNames": list(grant.names)} if grant.names else {})


@dataclass
class LocalOperator:
    """One operator process. `in_world` puts it into the other namespace, so that two of them share no port."""

    installation: Installation
    name: str = "operator"
    in_world: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def server(self) -> str:
        """The API server as this process reaches it."""
        return f"https://{addresses.NODE_IPV4 if self.in_world else '127.0.0.1'}:{addresses.API_PORT}"

    @property
    def log(self) -> Path:
        """Where its output goes, over all its starts."""
        return self.installation.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The process's id; OperatorError when it does not run."""
        if self.process is None or self.process.poll() is not None:
            raise OperatorError(f"{self.name} does not run:\n{self.last_words()}")
        return self.process.pid

    def start(self) -> None:
        """Start the process and do not wait for anything."""
        enter = ["nsenter", f"--net=/run/netns/{addresses.WORLD_NETNS}", "--"] if self.in_world else []
        # It ends with whoever started it, however that ends.
        command = [*enter, "setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "zaum_operator"]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment(), cwd="/"
            )

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "VIRTUAL_ENV"}}
        return kept | {
            "PYTHONPATH": f"{ROOT / 'crds'}:{ROOT / 'operator'}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "KUBECONFIG": str(self.installation.kubeconfig(self.server)),
            "ZAUM_NAMESPACE": NAMESPACE,
            "ZAUM_WATCHDOG_IMAGE": WATCHDOG_IMAGE,
            "ZAUM_GATEWAY_CA_FILE": str(self.installation.ca_file),
            "ZAUM_IDENTITY": self.name,
            # No kubelet brings Secrets here: what the operator would make of certificates it could not see.
            "ZAUM_CERTIFICATES": "External",
            "ZAUM_CERTIFICATES_DIR": str(self.installation.folder),
            **self.settings,
        }

    def stop(self) -> None:
        """End it as the kubelet does, by SIGTERM; OperatorError when it does not obey."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise OperatorError(f"{self.name} lived {STOP_SECONDS:.0f} s after SIGTERM:\n{self.last_words()}") from None

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def wait_ready(self, *, seconds: float = READY_SECONDS) -> None:
        """Wait until it serves its metrics, which is after its workers started."""
        deadline = time.monotonic() + seconds
        while True:
            _ = self.pid
            with contextlib.suppress(OSError):
                self.metrics()
                return
            if time.monotonic() > deadline:
                raise OperatorError(f"{self.name} served nothing for {seconds:.0f} s:\n{self.last_words()}")
            time.sleep(0.05)

    def metrics(self) -> dict[str, float]:
        """Read its metrics: `name{label="value",…}` → value, labels in alphabetical order; OSError when it is deaf."""
        host = addresses.WORLD_LINK_IPV4 if self.in_world else "127.0.0.1"
        found = {}
        with urllib.request.urlopen(f"http://{host}:{contract.OPERATOR_METRICS_PORT}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for family in parser.text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
        return found

    def cpu_seconds(self) -> float:
        """Give its user and system time (proc_pid_stat(5)); 10 ms is the unit."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self, *, peak: bool = False) -> float:
        """Give its resident memory in MiB, or its peak since `forget_peak`."""
        wanted = "VmHWM:" if peak else "VmRSS:"
        return int(Path(f"/proc/{self.pid}/status").read_text().split(wanted)[1].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Start the peak of resident memory anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def open_files(self) -> int:
        """Count its file descriptors."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def last_words(self, lines: int = 15) -> str:
        """Give the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


@contextlib.contextmanager
def running(operator: LocalOperator) -> Iterator[LocalOperator]:
    """Start the operator, wait until it serves, and end it with the block."""
    operator.start()
    try:
        operator.wait_ready()
        yield operator
    finally:
        operator.kill()
