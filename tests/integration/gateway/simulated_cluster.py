"""A loopback stand-in for the API server: discovery, keys, list and watch of pods, policies and Incidents."""

import http.server
import json
import queue
import threading
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://kubernetes.default.svc.test"
Body = dict[str, Any]


class Collection:
    """One kind of object with a watch; events reach every open watch in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, Body] = {}
        self._version = 1
        self._watches: list[queue.Queue[Body | None]] = []

    def put(self, body: Body) -> None:
        with self._lock:
            uid = body["metadata"]["uid"]
            kind = "MODIFIED" if uid in self._objects else "ADDED"
            self._objects[uid] = body
            self._send(kind, body)

    def delete(self, body: Body) -> None:
        with self._lock:
            self._send("DELETED", self._objects.pop(body["metadata"]["uid"]))

    def listing(self) -> Body:
        with self._lock:
            return {"metadata": {"resourceVersion": str(self._version)}, "items": list(self._objects.values())}

    def watch(self, version: str) -> "queue.Queue[Body | None] | None":
        """Open a watch; None when the version is not the newest (the caller then says 410)."""
        with self._lock:
            if version != str(self._version):
                return None
            opened: queue.Queue[Body | None] = queue.Queue()
            self._watches.append(opened)
            return opened

    def close(self) -> None:
        """End every watch."""
        with self._lock:
            for opened in self._watches:
                opened.put(None)
            self._watches.clear()

    def _send(self, kind: str, body: Body) -> None:
        self._version += 1
        event = {
            "type": kind,
            "object": {**body, "metadata": {**body["metadata"], "resourceVersion": str(self._version)}},
        }
        for opened in self._watches:
            opened.put(event)


class SimulatedCluster:
    """Serves on a loopback port of its own until `close`.

    With `namespaces` the authorizer holds rights in these alone: nothing is listed across namespaces.
    """

    def __init__(self, keys: Mapping[str, rsa.RSAPublicKey], namespaces: tuple[str, ...] = ()) -> None:
        self.pods, self.policies = Collection(), Collection()
        self.shares = {name: (Collection(), Collection()) for name in namespaces}
        self.incidents = Collection()
        self.incident_shares = {name: Collection() for name in namespaces}
        self.keys = dict(keys)
        self.key_fetches = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        shares = (*(each for share in self.shares.values() for each in share), *self.incident_shares.values())
        for collection in (self.pods, self.policies, self.incidents, *shares):
            collection.close()
        self._thread.join()
        self._server.server_close()

    def kubeconfig(self) -> str:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": {"server": self.url}}],
            "users": [{"name": "it", "user": {"token": "simulated"}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }
        return json.dumps(config)

    def document(self, path: str) -> Body | None:
        match path:
            case "/.well-known/openid-configuration":
                return {"issuer": ISSUER, "jwks_uri": f"{self.url}/openid/v1/jwks"}
            case "/openid/v1/jwks":
                self.key_fetches += 1
                keys = [json.loads(RSAAlgorithm.to_jwk(key)) for key in self.keys.values()]
                return {
                    "keys": [
                        {**key, "kid": kid, "use": "sig", "alg": "RS256"}
                        for kid, key in zip(self.keys, keys, strict=True)
                    ]
                }
            case _:
                return None

    def collection(self, path: str) -> Collection | None:
        paths = {
            "/api/v1/pods": self.pods,
            "/apis/zaum.dev/v1alpha1/agentpolicies": self.policies,
            "/apis/zaum.dev/v1alpha1/incidents": self.incidents,
        }
        if self.shares:
            paths = {}
        for name, (pods, policies) in self.shares.items():
            paths[f"/api/v1/namespaces/{name}/pods"] = pods
            paths[f"/apis/zaum.dev/v1alpha1/namespaces/{name}/agentpolicies"] = policies
            paths[f"/apis/zaum.dev/v1alpha1/namespaces/{name}/incidents"] = self.incident_shares[name]
        return paths.get(path)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing: the tests read the product's log, not this one's."""

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                kind = "application/jwk-set+json" if path == "/openid/v1/jwks" else "application/json"
                if kind not in self.headers.get("Accept", ""):
                    self._write(406, {})
                    return
                collection = cluster.collection(path)
                if collection is None:
                    document = cluster.document(path)
                    self._write(404 if document is None else 200, document or {})
                elif "watch=true" in query:
                    version = next(pair[16:] for pair in query.split("&") if pair.startswith("resourceVersion="))
                    self._stream(collection.watch(version))
                else:
                    self._write(200, collection.listing())

            def _write(self, status: int, document: Body) -> None:
                raw = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def _stream(self, events: "queue.Queue[Body | None] | None") -> None:
                if events is None:
                    self._write(410, {})
                    return
                self.send_response(200)
                self.end_headers()
                while (event := events.get()) is not None:
                    try:
                        self.wfile.write(json.dumps(event).encode() + b"\n")
                    except OSError:
                        return

        return Handler
