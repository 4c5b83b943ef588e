"""Names of Services as routes write them: `<name>.<namespace>.svc.<cluster domain>`, and no other spelling."""

import functools
import re
from dataclasses import dataclass
from typing import Final

SYSTEM: Final = "kube-system"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class Service:
    """One Service."""

    namespace: str
    name: str

    def reserved(self, own: str) -> bool:
        """Say whether nothing may lead there, whatever a policy says; `own` is the namespace of this release."""
        return self.namespace in {SYSTEM, own} or (self.namespace, self.name) == ("default", "kubernetes")


def parse(host: str, cluster_domain: str) -> Service | None:
    """Read a Service's full name; None for any other text."""
    found = _pattern(cluster_domain).fullmatch(host)
    return Service(namespace=found[2], name=found[1]) if found else None


def parse_authority(text: str, cluster_domain: str) -> tuple[Service, int] | None:
    """Read `<full name>:<port>`; None for any other text."""
    host, _, port = text.rpartition(":")
    service = parse(host, cluster_domain)
    if service is None or not _PORT.fullmatch(port) or int(port) > 65535:
        return None
    return service, int(port)


@functools.lru_cache(maxsize=4)
def _pattern(cluster_domain: str) -> re.Pattern[str]:
    return re.compile(rf"({_LABEL})\.({_LABEL})\.svc\.{re.escape(cluster_domain)}")
