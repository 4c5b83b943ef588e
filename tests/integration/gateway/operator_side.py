"""What the operator does at the authorizer: one question over HTTPS."""

import http.client
import json
import socket
import ssl
import time
from typing import Any

import jwt

from tests.integration.gateway import conftest, lab, simulated_cluster
from zaum_api import contract

SUBJECT = f"system:serviceaccount:{lab.NAMESPACE}:zaum-operator"


def token(world: conftest.World, *, key: Any = None, algorithm: str = "RS256", **changes: Any) -> str:
    """Sign what the API server would for the operator, with changes to the claims."""
    now = int(time.time())
    claims = {
        "iss": simulated_cluster.ISSUER,
        "aud": [contract.AUDIENCE_AUTHORIZER],
        "sub": SUBJECT,
        "iat": now,
        "nbf": now,
        "exp": now + contract.TOKEN_SECONDS,
    }
    signing = world.key if key is None else key
    return jwt.encode(claims | changes, signing, algorithm=algorithm, headers={"kid": conftest.KEY_ID})


def connect(running: lab.Lab, *, port: int | None = None) -> ssl.SSLSocket:
    """Open TLS to the authorizer, checking its name."""
    context = ssl.create_default_context(cafile=str(running.ca))
    plain = socket.create_connection(("127.0.0.1", port or running.reports_port), timeout=10)
    running.connections.append(plain)
    connection = context.wrap_socket(plain, server_hostname=contract.AUTHORIZER_TLS_NAME)
    running.connections.append(connection)
    return connection


def ask(
    running: lab.Lab,
    bearer: str | None,
    *,
    path: str = contract.PATH_REPORTS,
    method: str = "GET",
    port: int | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Ask, and give status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.sock = connect(running, port=port)
    try:
        connection.request(method, path, headers={} if bearer is None else {"Authorization": f"Bearer {bearer}"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def read(world: conftest.World, *, port: int | None = None) -> Any:
    """Give what the authorizer holds."""
    status, _, body = ask(world.lab, token(world), port=port)
    assert status == 200, body
    return json.loads(body)
