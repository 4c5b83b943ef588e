"""A ledger's process on loopback, and what stands around it: an API server that signs and reviews, and clients."""

import contextlib
import http.client
import http.server
import itertools
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.support.authority import Authority
from zaum_api import contract, documents
from zaum_api.v1alpha1.incident import Incident

ROOT: Final = Path(__file__).resolve().parents[2]
ISSUER: Final = "https://issuer.test"
READER: Final = "system:serviceaccount:zaum-system:zaum-reader"
OPERATOR: Final = "system:serviceaccount:zaum-system:zaum-operator"
METERS: Final = (
    documents.Meter("policy", documents.Kind.REQUESTS, documents.Window.MINUTE, 600, 100),
    documents.Meter("policy", documents.Kind.CONNECTIONS, documents.Window.NOW, 32),
    documents.Meter("policy", documents.Kind.TOKENS, documents.Window.DAY, 1_000),
    documents.Meter("policy", documents.Kind.COST, documents.Window.DAY, 10_000_000),
)
TOKENS: Final = METERS[2].id


class FakeApi:
    """An API server: keys, TokenReview by `ended` (uids) and `down`, and Incidents, as far as `refusing` lets them."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ended: set[str] = set()
        self.down = False
        self.reviews = 0
        self.incidents: dict[str, dict[str, Any]] = {}
        """By `namespace/name`."""
        self.made: list[str] = []
        self.refusing: list[tuple[int, str]] = []
        """What the next attempts to make an Incident are answered with: status and reason; 0: it is made, not said."""
        self._serial = itertools.count(1)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._send(outer.document(self.path))

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.path.endswith("/incidents"):
                    self._send(outer.review(asked))
                    return
                status, body = outer.make(self.path.split("/")[-2], asked)
                if status:
                    self._send(body, status)
                else:
                    self.close_connection = True

            def _send(self, body: Mapping[str, Any] | None, status: int = 200) -> None:
                raw = json.dumps(body or {}).encode()
                self.send_response(503 if body is None else status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def document(self, path: str) -> Mapping[str, Any] | None:
        if self.down:
            return None
        if path == "/.well-known/openid-configuration":
            return {"issuer": ISSUER}
        if path != "/openid/v1/jwks":
            return None
        return {"keys": [json.loads(RSAAlgorithm.to_jwk(self.key.public_key())) | {"kid": "one", "alg": "RS256"}]}

    def review(self, asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.reviews += 1
        if self.down:
            return None
        claims = jwt.decode(asked["spec"]["token"], options={"verify_signature": False})
        uid = claims["kubernetes.io"]["pod"]["uid"]
        stands = uid not in self.ended and asked["spec"]["audiences"] == claims["aud"]
        return {"status": {"authenticated": True, "audiences": claims["aud"]} if stands else {"error": "ended"}}

    def make(self, namespace: str, incident: dict[str, Any]) -> tuple[int, Mapping[str, Any] | None]:
        """Make an Incident as the API server does: one of a name, checked by the kind's own model."""
        if self.down:
            return 503, None
        status, reason = self.refusing.pop(0) if self.refusing else (201, "")
        if status >= 400:
            return status, {"kind": "Status", "reason": reason, "message": f"refused: {reason}", "code": status}
        key = f"{namespace}/{incident['metadata']['name']}"
        if key in self.incidents:
            return 409, {"kind": "Status", "reason": "AlreadyExists", "message": f"{key} already exists", "code": 409}
        Incident.model_validate(incident)
        self.incidents[key] = incident
        self.made.append(key)
        return status, incident

    def token(self, policy: str = "agents/researcher", ordinal: int = 0, uid: str = "uid-0", **more: Any) -> str:
        """Sign a watchdog's token; `more` are claims in place of its own, `key` another key."""
        namespace, _, name = policy.partition("/")
        account = contract.child_name(name)
        now = int(time.time())
        key = more.pop("key", self.key)
        claims = {
            "iss": ISSUER,
            "aud": [contract.AUDIENCE_LEDGER],
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "jti": str(next(self._serial)),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": "sa"},
                "pod": {"name": contract.pod_name(name, ordinal, "0a1b2"), "uid": uid},
            },
        } | more
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})

    def reader(self, subject: str = READER) -> str:
        return self.token(aud=[contract.AUDIENCE_LEDGER_READ], sub=subject)


@dataclass
class Process:
    """A running ledger."""

    process: subprocess.Popen[str]
    port: int
    health: int
    context: ssl.SSLContext
    lines: list[dict[str, Any]] = field(default_factory=list)

    def connect(self) -> http.client.HTTPConnection:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.context.wrap_socket(plain, server_hostname=contract.LEDGER_TLS_NAME)
        return connection

    def page(self, path: str) -> tuple[int, str]:
        """Get a page of the health port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health, timeout=30)
        connection.request("GET", path)
        response = connection.getresponse()
        try:
            return response.status, response.read().decode()
        finally:
            connection.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def running(
    folder: Path,
    api: FakeApi,
    authority: Authority,
    books: Mapping[str, str] | None = None,
    *,
    wrapper: tuple[str, ...] = (),
    **variables: str,
) -> Iterator[Process]:
    """Run a ledger with its books in a folder, or in the database that `books` names; end it in the end."""
    tls = folder / "tls"
    if not tls.exists():
        tls.mkdir()
        certificate, key = authority.issue(contract.LEDGER_TLS_NAME, "ledger")
        (tls / "tls.crt").write_bytes(certificate.read_bytes())
        (tls / "tls.key").write_bytes(key.read_bytes())
        (folder / "api-token").write_text("own")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("ledger", "crds")),
        "ZAUM_SQLITE_FILE": str(folder / "ledger.db"),
        "ZAUM_TLS_DIR": str(tls),
        "ZAUM_HOST": "127.0.0.1",
        "ZAUM_PORT": "0",
        "ZAUM_HEALTH_HOST": "127.0.0.1",
        "ZAUM_HEALTH_PORT": "0",
        "ZAUM_API_URL": api.url,
        "ZAUM_API_TOKEN_FILE": str(folder / "api-token"),
        "ZAUM_READERS": READER,
        "ZAUM_NAMESPACE": "zaum-system",
        "ZAUM_OPERATOR_ACCOUNT": "zaum-operator",
        **(books or {}),
        **variables,
    }
    command = [*wrapper, sys.executable, "-m", "zaum_ledger"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        assert process.stdout is not None
        lines: list[dict[str, Any]] = []
        try:
            for line in process.stdout:
                lines.append(json.loads(line))
                if lines[-1]["event"] == "started":
                    break
            else:
                raise RuntimeError(f"the ledger did not start: {lines}")
            threading.Thread(target=_follow, args=(process, lines), daemon=True).start()
            found = Process(process, lines[-1]["port"], lines[-1]["health"], authority.client(), lines)
            deadline = time.monotonic() + 20
            while found.page("/readyz")[0] != 200:
                assert time.monotonic() < deadline, found.page("/readyz")
                time.sleep(0.05)
            yield found
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _follow(process: subprocess.Popen[str], lines: list[dict[str, Any]]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in process.stdout or ():
            lines.append(json.loads(line))


class Watchdog:
    """A watchdog's side of one session."""

    def __init__(self, ledger: Process, token: str, *, ordinal: int = 0, replicas: int = 1) -> None:
        self.ledger, self.token, self.ordinal, self.replicas = ledger, token, ordinal, replicas
        self.session, self.sequence = "", 0
        self.spent: dict[str, int] = {}
        self._connection: http.client.HTTPConnection | None = None

    def said(self, **more: Any) -> documents.Sync:
        self.sequence += 1
        fields: dict[str, Any] = {
            "session": self.session,
            "sequence": self.sequence,
            "config": "sha256:00",
            "generation": 1,
            "replicas": self.replicas,
            "ordinal": self.ordinal,
            "meters": METERS,
            "spent": tuple(documents.Spent(lease, amount) for lease, amount in self.spent.items()),
        }
        return documents.Sync(**(fields | more))

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self.ledger.connect()
        self._connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"} | headers)
        response = self._connection.getresponse()
        raw = response.read()
        if response.will_close:
            self.close()
        return response.status, raw

    def post(self, sync: documents.Sync) -> documents.Synced | documents.LedgerError:
        status, raw = self.ask("POST", contract.PATH_LEDGER_SYNC, sync.dump())
        return documents.Synced.parse(raw) if status == 200 else documents.LedgerError.parse(raw)

    def sync(self, **more: Any) -> documents.Synced:
        """Say one thing, and be answered."""
        synced = self.post(self.said(**more))
        assert isinstance(synced, documents.Synced), synced
        self.session = synced.session
        return synced

    def want(self, amount: int, meter: str = TOKENS) -> documents.Lease | documents.Refused:
        """Ask for a lease in a session that is open, or opened for it."""
        if not self.session:
            self.sync()
        synced = self.sync(wants=(documents.Want(meter, amount),))
        return synced.leases[0] if synced.leases else synced.refused[0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
