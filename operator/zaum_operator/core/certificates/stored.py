"""How the state stands in Secrets: names, keys, and the patches that write only on top of what was seen.

The chart names the Secrets and leaves them empty; it never writes data, so neither an upgrade nor a tool that renders
again takes any away. A patch tests the revision that was seen (RFC 6902), so of two writers one is refused.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zaum_api import contract
from zaum_operator.core.kinds import Operations

REVISION: Final = "revision"
ROOT: Final = "root-revision"
BUNDLE: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"

Data = Mapping[str, bytes]
"""The data of a Secret, decoded."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A leaf: its files are `<stem>.crt` and `<stem>.key`; it is a server's certificate, or a client's."""

    stem: str
    dns_name: str
    server: bool


HOLDERS: Final[dict[str, tuple[Wanted, ...]]] = {
    contract.GATEWAY_TLS_SECRET: (
        Wanted("tls", contract.GATEWAY_TLS_NAME, server=True),
        Wanted("client", contract.GATEWAY_CLIENT_TLS_NAME, server=False),
    ),
    contract.AUTHORIZER_TLS_SECRET: (Wanted("tls", contract.AUTHORIZER_TLS_NAME, server=True),),
    contract.LEDGER_TLS_SECRET: (Wanted("tls", contract.LEDGER_TLS_NAME, server=True),),
}
"""Which Secret holds which leafs."""

SHOWN: Final[dict[str, tuple[str, ...]]] = {
    contract.CA_SECRET: (REVISION, BUNDLE, CERTIFICATE, KEY),
    **{
        name: (REVISION, ROOT, BUNDLE, *(f"{leaf.stem}.crt" for leaf in leafs))
        for name, leafs in HOLDERS.items()
    },
}  # fmt: skip
"""What of each Secret the operator looks at: of the holders no key."""


def patches(*, seen: int, data: Data) -> tuple[Operations, ...]:
    """Give the patches that write `data`, to be tried in order until one is taken; refused where `seen` is not there.

    `seen` is the revision that was seen, 0 for a Secret that is empty. An empty Secret has no `data` at all, or data
    of somebody else's without a revision: each needs a test of its own, because a test below nothing is an error.
    """
    encoded = {key: base64.b64encode(value).decode("ascii") for key, value in data.items()}
    onto: Operations = [{"op": "add", "path": f"/data/{key}", "value": value} for key, value in encoded.items()]
    if seen:
        expected = base64.b64encode(str(seen).encode("ascii")).decode("ascii")
        return ([{"op": "test", "path": f"/data/{REVISION}", "value": expected}, *onto],)
    return (
        [{"op": "test", "path": "/data", "value": None}, {"op": "add", "path": "/data", "value": encoded}],
        [{"op": "test", "path": f"/data/{REVISION}", "value": None}, *onto],
    )


def decoded(data: Mapping[str, str], *, name: str) -> dict[str, bytes]:
    """Give what is looked at of a Secret's data as the API server writes it."""
    return {key: base64.b64decode(value) for key, value in data.items() if key in SHOWN[name]}


def number(data: Data, key: str) -> int:
    """Read a revision; 0 where there is none that can be read."""
    text = data.get(key, b"").strip()
    return int(text) if text.isdigit() and len(text) <= 18 else 0
