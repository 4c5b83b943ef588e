"""Whom routes' upstreams are trusted by: the image's CAs and those of the document, never the gateway's."""

import asyncio
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

_INDEXED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Trust:
    """Holds the one context for all upstreams.

    Made only when a route needs it, and without holding the event loop: the image's bundle is read in a thread (which
    OpenSSL does without the interpreter's lock), the document's CAs one by one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pem: str | None = None
        self._making: asyncio.Task[None] | None = None
        self._waiting: list[Callable[[], None]] = []
        self.context: ssl.SSLContext | None = None
        self.problem = ""
        """Which CAs could not be read; what else is trusted stays trusted."""

    def want(self, pem: str) -> bool:
        """Trust these beside the image's; say whether that is a change, after which nothing open is to be reused."""
        if pem == self._pem:
            return False
        self._pem, self.context = pem, None
        if self._making is not None:
            self._making.cancel()
        self._making = self._loop.create_task(self._make(pem))
        return True

    def when_ready(self, then: Callable[[], None]) -> None:
        """Call when there is a context: now, or soon."""
        if self.context is not None:
            then()
        else:
            self._waiting.append(then)

    async def _make(self, pem: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Verifies, and the name too.
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self.problem = ""
        try:
            await self._loop.run_in_executor(None, _load_images, context)
        except OSError as error:
            self.problem = f"the image's own CAs cannot be read: {error.strerror}"
        for found in _CERTIFICATE.findall(pem):
            try:
                context.load_verify_locations(cadata=found)
            except ssl.SSLError as error:
                self.problem = f"upstreamCAPEM holds a certificate that cannot be read: {error.reason}"
            await asyncio.sleep(0)
        self.context = context
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


def _load_images(context: ssl.SSLContext) -> None:
    """Trust what OpenSSL does by default; a folder that is indexed by hash costs no memory before it is needed."""
    paths = ssl.get_default_verify_paths()
    indexed = paths.capath is not None and any(_INDEXED.fullmatch(entry.name) for entry in Path(paths.capath).iterdir())
    file = None if indexed and paths.openssl_cafile_env not in os.environ else paths.cafile
    if file or indexed:
        context.load_verify_locations(cafile=file, capath=paths.capath if indexed else None)
