"""Name every address of the local cluster and of the world that plays the internet.

All of them exist only inside the two network namespaces that the cluster makes, which have no route out.
The world lives in the documentation ranges (RFC 5737, RFC 3849); the node, pods and Services live in private
ranges, so that a gateway which refuses private addresses refuses them without being told.
"""

from typing import Final

from tests.cluster import instance

NODE_NETNS: Final = f"zaum-node{instance.SUFFIX}"
WORLD_NETNS: Final = f"zaum-world{instance.SUFFIX}"

NODE_NAME: Final = "zaum-node"
FAKE_NODES: Final = tuple(f"fake-{number}" for number in range(10))
"""The nodes of a light instance, which nobody runs containers on."""
NODE_IPV4: Final = "10.90.0.1"
NODE_IPV6: Final = "fd00:90::1"
LINK_IPV4_PREFIX: Final = 24
LINK_IPV6_PREFIX: Final = 64
WORLD_LINK_IPV4: Final = "10.90.0.254"
WORLD_LINK_IPV6: Final = "fd00:90::254"

POD_CIDR_IPV4: Final = "10.244.0.0/24"
FAKE_POD_CIDR: Final = "10.245.0.0/16"
"""What pods on played nodes say; nothing answers there."""
POD_CIDR_IPV6: Final = "fd00:10:244::/64"
SERVICE_CIDR_IPV4: Final = "10.96.0.0/16"
SERVICE_CIDR_IPV6: Final = "fd00:10:96::/112"
API_SERVICE_IPV4: Final = "10.96.0.1"
CLUSTER_DNS_IPV4: Final = "10.96.0.10"
API_PORT: Final = 6443
GRANTED_SERVICE_IPV4: Final = "10.96.77.77"
"""The battery asks for it, for a Service that a route is granted."""

WORLD_DNS_IPV4: Final = "198.51.100.53"
WORLD_DNS_IPV6: Final = "2001:db8:100::53"
WEBSITE_IPV4: Final = "198.51.100.10"
WEBSITE_IPV6: Final = "2001:db8:100::10"
LLM_IPV4: Final = "203.0.113.10"
LLM_IPV6: Final = "2001:db8:113::10"
OUTLAW_IPV4: Final = "198.51.100.66"
OUTLAW_IPV6: Final = "2001:db8:100::66"
METADATA_IPV4: Final = "169.254.169.254"
METADATA_IPV6: Final = "fd00:ec2::254"
API_IPV4: Final = "203.0.113.20"
API_IPV6: Final = "2001:db8:113::20"
FORGE_IPV4: Final = "203.0.113.30"
FORGE_IPV6: Final = "2001:db8:113::30"

WORLD_ADDRESSES_IPV4: Final = (
    WORLD_DNS_IPV4,
    WEBSITE_IPV4,
    LLM_IPV4,
    OUTLAW_IPV4,
    METADATA_IPV4,
    API_IPV4,
    FORGE_IPV4,
)
WORLD_ADDRESSES_IPV6: Final = (
    WORLD_DNS_IPV6,
    WEBSITE_IPV6,
    LLM_IPV6,
    OUTLAW_IPV6,
    METADATA_IPV6,
    API_IPV6,
    FORGE_IPV6,
)

WEBSITE_NAME: Final = "docs.example.com"
LLM_NAME: Final = "llm.example.com"
OUTLAW_NAME: Final = "outlaw.example.net"
INWARD_NAME: Final = "inward.example.com"
"""A public name that resolves to the node's private address."""
API_NAME: Final = "api.example.com"
PACKAGES_NAME: Final = "packages.example.com"
GIT_NAME: Final = "git.example.com"
LURE_PARENT: Final = "lure.example.com"
"""Names below it resolve to where no gateway may go, each in its own way."""
REBINDING_PARENT: Final = "rebind.example.com"
"""Each name below it is public when it is first asked for, and the node's a moment later."""
REBINDING: Final = ((WEBSITE_IPV4, WEBSITE_IPV6), (NODE_IPV4, NODE_IPV6))
REBINDING_SECONDS: Final = 3.0

WORLD_RECORDS: Final[dict[str, tuple[str, ...]]] = {
    WEBSITE_NAME: (WEBSITE_IPV4, WEBSITE_IPV6),
    "www.example.com": (WEBSITE_IPV4, WEBSITE_IPV6),
    LLM_NAME: (LLM_IPV4, LLM_IPV6),
    OUTLAW_NAME: (OUTLAW_IPV4, OUTLAW_IPV6),
    INWARD_NAME: (NODE_IPV4, NODE_IPV6),
    API_NAME: (API_IPV4, API_IPV6),
    PACKAGES_NAME: (FORGE_IPV4, FORGE_IPV6),
    GIT_NAME: (FORGE_IPV4, FORGE_IPV6),
    f"node.{LURE_PARENT}": (NODE_IPV4, NODE_IPV6),
    f"mixed.{LURE_PARENT}": (WEBSITE_IPV4, NODE_IPV4, WEBSITE_IPV6, NODE_IPV6),
    f"loopback.{LURE_PARENT}": ("127.0.0.1", "::1"),
    f"unspecified.{LURE_PARENT}": ("0.0.0.0", "::"),
    f"metadata.{LURE_PARENT}": (METADATA_IPV4,),
    f"service.{LURE_PARENT}": (API_SERVICE_IPV4,),
    f"resolver.{LURE_PARENT}": (CLUSTER_DNS_IPV4,),
    f"mapped.{LURE_PARENT}": (f"::ffff:{NODE_IPV4}",),
    f"translated.{LURE_PARENT}": ("64:ff9b::a5a:1",),
    f"sixtofour.{LURE_PARENT}": ("2002:a5a:1::1",),
    f"linklocal.{LURE_PARENT}": ("fe80::1",),
    f"granted.{LURE_PARENT}": (GRANTED_SERVICE_IPV4,),
    f"dead-granted.{LURE_PARENT}": (WEBSITE_IPV4, GRANTED_SERVICE_IPV4),
    f"granted-dead.{LURE_PARENT}": (GRANTED_SERVICE_IPV4, WEBSITE_IPV4),
}
WORLD_ALIASES: Final[dict[str, str]] = {
    f"alias.{LURE_PARENT}": INWARD_NAME,
    f"chain.{LURE_PARENT}": f"alias.{LURE_PARENT}",
    f"cluster.{LURE_PARENT}": "kubernetes.default.svc.cluster.local",
}
"""Names that are other names (CNAME)."""
