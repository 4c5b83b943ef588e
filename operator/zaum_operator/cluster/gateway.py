"""How watchdogs reach the gateway: looked at now and then, for all policies at once."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zaum_api import contract, documents
from zaum_operator import errors
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds, prices
from zaum_operator.core.kinds import Object
from zaum_operator.core.snapshot import Gateway

logger = logging.getLogger(__name__)

UPSTREAM_CA_MAX: Final = 48 * 1024
"""Some thirty certificates. A document of ours has 512 KiB, and hosts and routes may fill the rest."""


@dataclass(slots=True)
class GatewayLook:
    """The last look at the gateway's Service and at its CA. `gateway` None: something of it is missing."""

    api: Api
    release_namespace: str
    ca_file: Path
    upstream_ca_file: Path | None = None
    """CAs of routes' upstreams; None: those of the watchdog's image alone."""
    prices_file: Path | None = None
    """What models cost; None: the installation says nothing of it."""
    gateway: Gateway | None = None
    looked: bool = False

    async def look(self) -> bool:
        """Look again; say whether something has changed. An API server that does not answer changes nothing."""
        try:
            service = await self.api.get(kinds.SERVICE, self.release_namespace, contract.GATEWAY_SERVICE)
            authorizer = await self.api.get(kinds.SERVICE, self.release_namespace, contract.AUTHORIZER_SERVICE)
        except errors.RequestError as error:
            logger.warning("the gateway's Service could not be looked at: %s", error)
            return False
        addresses = _addresses(service)
        pem = await asyncio.to_thread(_read, self.ca_file)
        upstream = await self._upstream_ca()
        table = await self._prices()
        whole = addresses and pem.strip()
        found = Gateway(addresses, pem, upstream, _addresses(authorizer), table) if whole else None
        changed, self.gateway, self.looked = found != self.gateway, found, True
        return changed

    async def _upstream_ca(self) -> str:
        """Read the CAs of upstreams; those that were good last when they cannot be used."""
        if self.upstream_ca_file is None:
            return ""
        try:
            return await asyncio.to_thread(_bundle, self.upstream_ca_file)
        except (OSError, ValueError) as error:
            logger.warning("%s holds no CAs and is ignored: %s", self.upstream_ca_file, error)
            return self.gateway.upstream_ca_pem if self.gateway else ""

    async def _prices(self) -> tuple[documents.PriceTable, ...]:
        """Read the table of prices; the one that was good last when it cannot be used."""
        if self.prices_file is None:
            return ()
        try:
            return prices.read(await asyncio.to_thread(self.prices_file.read_bytes))
        except (OSError, ValueError) as error:
            logger.warning("%s holds no prices and is ignored: %s", self.prices_file, error)
            return self.gateway.prices if self.gateway else ()


def _addresses(service: Object | None) -> tuple[str, ...]:
    spec = (service or {}).get("spec") or {}
    return tuple(item for item in spec.get("clusterIPs") or () if item and item != "None")


def _bundle(path: Path) -> str:
    """Read CAs. A watchdog refuses a whole config for one that is none, so it must not get that far."""
    text = path.read_text("ascii")
    if len(text) > UPSTREAM_CA_MAX:
        raise ValueError(f"larger than {UPSTREAM_CA_MAX} bytes")
    if text.strip():
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""  # said by the condition GatewayMissing
