"""How watchdogs reach the gateway: looked at now and then, for all policies at once."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds
from zaum_operator.core.snapshot import Gateway

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class GatewayLook:
    """The last look at the gateway's Service and at its CA. `gateway` None: something of it is missing."""

    api: Api
    release_namespace: str
    ca_file: Path
    gateway: Gateway | None = None
    looked: bool = False

    async def look(self) -> bool:
        """Look again; say whether something has changed. An API server that does not answer changes nothing."""
        try:
            service = await self.api.get(kinds.SERVICE, self.release_namespace, contract.GATEWAY_SERVICE)
        except errors.RequestError as error:
            logger.warning("the gateway's Service could not be looked at: %s", error)
            return False
        spec = (service or {}).get("spec") or {}
        addresses = tuple(item for item in spec.get("clusterIPs") or () if item and item != "None")
        pem = await asyncio.to_thread(_read, self.ca_file)
        found = Gateway(addresses, pem) if addresses and pem.strip() else None
        changed, self.gateway, self.looked = found != self.gateway, found, True
        return changed


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""  # said by the condition GatewayMissing
