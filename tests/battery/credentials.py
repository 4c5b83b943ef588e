"""Make every credential that an agent could come by or forge for the gateway.

They are signed by the local cluster's own key, so that nothing but the claim in question is wrong with them.
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
    """Give credential's name (as the lines of group 2 call it) → what an agent would send as its token.

    Admission lets nobody but nodes ask for tokens of agents' ServiceAccounts: hence the key.
    """
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    header, body = likeness(api, pod)
    strange = likeness(api, other)[1]
    own = signed(header, body, key)
    head, claims, signature = own.split(".")
    now = int(time.time())
    unbound = {name: value for name, value in body["kubernetes.io"].items() if name != "pod"}
    account = body["kubernetes.io"] | {"serviceaccount": {"name": "default", "uid": "0"}}
    namespace = pod["metadata"]["namespace"]
    default = f"system:serviceaccount:{namespace}:default"
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    edited = body | {"kubernetes.io": body["kubernetes.io"] | {"pod": {"name": "x", "uid": "x"}}}
    none = {key_: value for key_, value in header.items() if key_ != "kid"}
    by_secret = header | {"alg": "HS256"}
    return {
        "own": own,
        "other policy": signed(header, strange, key),
        "other audience": signed(header, body | {"aud": [contract.AUDIENCE_LEDGER]}, key),
        "api audience": signed(header, body | {"aud": [_API_AUDIENCE]}, key),
        "other account": signed(header, body | {"sub": default, "kubernetes.io": account}, key),
        "unbound": signed(header, body | {"kubernetes.io": unbound}, key),
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


def likeness(api: Api, pod: Object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give header and claims as the kubelet's token for a pod has them; the rest is as in a token of another kind."""
    meta, account = pod["metadata"], pod["spec"]["serviceAccountName"]
    spec = {"audiences": [contract.AUDIENCE_EGRESS], "expirationSeconds": SECONDS}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = "/api/v1/namespaces/kube-system/serviceaccounts/default/token"
    token = json.loads(api.send("POST", path, request).data)["status"]["token"]
    header, body = (read(part) for part in token.split(".")[:2])
    own = {
        "namespace": meta["namespace"],
        "pod": {"name": meta["name"], "uid": meta["uid"]},
        "serviceaccount": {
            "name": account,
            "uid": api.get("serviceaccounts", meta["namespace"], account)["metadata"]["uid"],
        },
    }
    return header, body | {"sub": f"system:serviceaccount:{meta['namespace']}:{account}", "kubernetes.io": own}


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
