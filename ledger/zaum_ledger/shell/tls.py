"""Serve by the certificate files as they stand at each handshake; the last good pair stays while newer is of no use."""

import logging
import ssl
from pathlib import Path
from typing import Final

log = logging.getLogger("zaum.ledger.tls")

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
Identity = tuple[tuple[int, int, int], ...]


class UnusableError(ValueError):
    """Files that are missing or do not belong together; the message names them, not what they hold."""


class Files:
    """The directory of a mounted Secret."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._problem = ""
        self._seen = self._identity()
        self._serving = self._load()

    def context(self) -> ssl.SSLContext:
        """Give the context to listen with."""
        front = self._load()

        def renew(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
            connection.context = self._current()

        front.sni_callback = renew
        return front

    def _current(self) -> ssl.SSLContext:
        seen = self._identity()
        if seen is None or seen == self._seen:
            return self._serving
        try:
            self._serving = self._load()
        except UnusableError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("certificate refused, the last good one stays", extra={"fields": {"error": str(error)}})
            return self._serving
        self._seen, self._problem = seen, ""
        log.info("certificate changed")
        return self._serving

    def _load(self) -> ssl.SSLContext:
        # One directory for both: the kubelet swaps the link to it, and a swap must not fall between two reads.
        link = self._directory / "..data"
        folder = link.resolve() if link.is_symlink() else self._directory
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
            raise UnusableError(f"{CERTIFICATE} and {KEY} in {self._directory} cannot be used: {reason}") from error
        return context

    def _identity(self) -> Identity | None:
        try:
            found = [(self._directory / name).stat() for name in (CERTIFICATE, KEY)]
        except OSError:
            return None
        return tuple((item.st_ino, item.st_mtime_ns, item.st_size) for item in found)
