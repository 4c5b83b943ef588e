"""An API server on loopback that keeps Incidents, as far as the command line asks for them."""

import http.server
import json
import threading
import urllib.parse
from typing import Any, Final

from zaum_api import contract

API: Final = f"/apis/{contract.API_VERSION}/namespaces/agents"
INCIDENTS: Final = f"{API}/{contract.PLURAL_INCIDENT}"
POLICIES: Final = f"{API}/{contract.PLURAL_POLICY}"
REVIEWS: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
Answer = tuple[int, Any]


class IncidentServer:
    """Keeps Incidents by name. `refusals`: what the next writes answer instead; `sent`: what was written."""

    def __init__(self) -> None:
        self.incidents: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {"researcher": made("researcher")}
        self.refusals: list[Answer] = []
        self.sent: list[tuple[str, str, str, Any]] = []
        self.looks = 0
        self.served = True
        """Whether the kind Incident is known."""
        self.on_look: dict[int, tuple[str, dict[str, Any]]] = {}
        """What the status of an Incident becomes at the n-th look at one."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*outer._read(self.path.partition("?")[0]))

            def do_POST(self) -> None:
                self._answer(*outer._written("POST", self.path, self.headers["Content-Type"], self._body()))

            def do_PATCH(self) -> None:
                self._answer(*outer._written("PATCH", self.path, self.headers["Content-Type"], self._body()))

            def _body(self) -> Any:
                return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, status: int, said: Any) -> None:
                raw = json.dumps(said if status < 300 else {"kind": "Status", "message": said}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _read(self, path: str) -> Answer:
        folder, _, name = path.rpartition("/")
        name = urllib.parse.unquote(name)
        if path == "/api/v1/namespaces/agents/pods":
            return 200, {"items": [], "metadata": {}}
        if not self.served and contract.PLURAL_INCIDENT in path:
            return 404, "the server could not find the requested resource"
        for place, kept in ((INCIDENTS, self.incidents), (POLICIES, self.policies)):
            if path == place:
                return 200, {"items": list(kept.values()), "metadata": {}}
            if folder == place:
                self._look()
                return (200, kept[name]) if name in kept else (404, "not found")
        return 404, "not found"

    def _look(self) -> None:
        self.looks += 1
        if self.looks in self.on_look:
            name, status = self.on_look[self.looks]
            self.incidents[name]["status"] = status

    def _written(self, verb: str, path: str, content: str, body: Any) -> Answer:
        if path == REVIEWS:
            return 201, {"status": {"userInfo": {"username": "jane@example.com"}}}
        self.sent.append((verb, path, content, body))
        if self.refusals:
            return self.refusals.pop(0)
        name = body["metadata"]["name"] if verb == "POST" else path.rpartition("/")[2]
        if verb == "POST":
            if name in self.incidents:
                return 409, f'incidents.zaum.dev "{name}" already exists'
            self.incidents[name] = body
            return 201, body
        self.incidents[name]["spec"] |= body["spec"]
        return 200, self.incidents[name]


def made(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "agents", "name": name}, "spec": {}, "status": {}}
