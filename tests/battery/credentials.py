"""Make every credential that an agent could come by or forge for the gateway.

The tokens that Kubernetes itself would sign are asked of it; those that it would not (expired, another issuer) are
signed by the local cluster's own key, so that nothing but the claim in question is wrong with them.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.e2e.api import Api, Object
from zaum_api import contract

SECONDS: Final = 600
_API_AUDIENCE: Final = "https://kubernetes.default.svc.cluster.local"


def all_tokens(api: Api, pod: Object, other: Object, key_file: Path) -> dict[str, str]:
    """Give credential's name (as the lines of group 2 call it) → what an agent would send as its token."""
    own = issued(api, pod, contract.AUDIENCE_EGRESS)
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    head, claims, signature = own.split(".")
    now = int(time.time())
    header, body = read(head), read(claims)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    edited = body | {"kubernetes.io": body["kubernetes.io"] | {"pod": {"name": "x", "uid": "x"}}}
    none = {key_: value for key_, value in header.items() if key_ != "kid"}
    by_secret = header | {"alg": "HS256"}
    return {
        "own": own,
        "other policy": issued(api, other, contract.AUDIENCE_EGRESS),
        "other audience": issued(api, pod, contract.AUDIENCE_LEDGER),
        "api audience": issued(api, pod, _API_AUDIENCE),
        "other account": issued(api, pod, contract.AUDIENCE_EGRESS, account="default"),
        "unbound": issued(api, pod, contract.AUDIENCE_EGRESS, bound=False),
        "expired": signed(header, body | {"exp": now - 300, "iat": now - 900, "nbf": now - 900}, key),
        "early": signed(header, body | {"nbf": now + 3600, "iat": now + 3600, "exp": now + 7200}, key),
        "alg none": f"{write(none | {'alg': 'none'})}.{claims}.",
        "alg None": f"{write(none | {'alg': 'None'})}.{claims}.{signature}",
        "hs256": by_hmac(by_secret, body, public),
        "edited": f"{head}.{write(edited)}.{signature}",
        "cut signature": f"{head}.{claims}.{signature[:-4]}AAAA",
        "no signature": f"{head}.{claims}.",
        "other key": signed(header, body, stranger),
        "kid path": signed(header | {"kid": "../../../../dev/null"}, body, stranger),
        "other issuer": signed(header, body | {"iss": "https://issuer.example"}, key),
    }


def issued(api: Api, pod: Object, audience: str, *, account: str = "", bound: bool = True) -> str:
    """Ask the API server for a token of the pod's ServiceAccount, as the kubelet does."""
    meta = pod["metadata"]
    account = account or pod["spec"]["serviceAccountName"]
    spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": SECONDS}
    if bound and account == pod["spec"]["serviceAccountName"]:
        spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
    path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    token: str = json.loads(api.send("POST", path, body).data)["status"]["token"]
    return token


def signed(header: Mapping[str, Any], body: Mapping[str, Any], key: rsa.RSAPrivateKey) -> str:
    """Sign a JWT by RS256."""
    content = f"{write(header)}.{write(body)}"
    return f"{content}.{encode(key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def by_hmac(header: Mapping[str, Any], body: Mapping[str, Any], secret: bytes) -> str:
    """Sign a JWT by HS256, with what everybody knows as the secret."""
    content = f"{write(header)}.{write(body)}"
    return f"{content}.{encode(hmac.digest(secret, content.encode(), hashlib.sha256))}"


def read(part: str) -> dict[str, Any]:
    """Read one part of a JWT."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def write(part: Mapping[str, Any]) -> str:
    """Write one part of a JWT."""
    return encode(json.dumps(part, separators=(",", ":")).encode())


def encode(content: bytes) -> str:
    """Encode as JWTs do."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
