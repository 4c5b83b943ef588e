"""Follow the server's certificate files: what they hold serves new connections, open ones stay as they are."""

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

log = logging.getLogger("zaum.gateway.certificates")

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
AUTHORITIES: Final = "ca.crt"
Identity = tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Material:
    """PEM: a pair that belongs together, and the authorities whose clients may call; `context` serves the pair."""

    key: bytes
    certificate: bytes
    authorities: bytes
    context: ssl.SSLContext

    def __repr__(self) -> str:
        """Say nothing: a key must not reach a log by a traceback."""
        return "Material(…)"


class UnusableError(ValueError):
    """Files that are missing, cannot be read, or do not belong together; the message names them, not what they hold."""


class Files:
    """The directory of a mounted Secret. The last good files are kept while newer ones are of no use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: Identity | None = None
        self._problem = ""

    def first(self) -> Material:
        """Read the files for the start; UnusableError says what is wrong with them."""
        self._seen = self._identity()
        return self._load()

    def fresh(self) -> Material | None:
        """Give the files if they changed and are usable, else None; asked before each handshake, so it costs a stat."""
        seen = self._identity()
        if seen is None or seen == self._seen:
            return None
        try:
            loaded = self._load()
        except UnusableError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("certificates refused, the last good ones stay", extra={"fields": {"error": str(error)}})
            return None
        self._seen, self._problem = seen, ""
        log.info("certificates changed")
        return loaded

    def _load(self) -> Material:
        # One directory for all three: the kubelet swaps the link to it, and a swap must not fall between two reads.
        link = self._directory / "..data"
        folder = link.resolve() if link.is_symlink() else self._directory
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
            context.load_verify_locations(folder / AUTHORITIES)
            key, certificate, authorities = ((folder / n).read_bytes() for n in (KEY, CERTIFICATE, AUTHORITIES))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
            names = f"{CERTIFICATE}, {KEY} and {AUTHORITIES}"
            raise UnusableError(f"{names} in {self._directory} cannot be used: {reason}") from error
        return Material(key, certificate, authorities, context)

    def _identity(self) -> Identity | None:
        try:
            found = [(self._directory / name).stat() for name in (CERTIFICATE, KEY, AUTHORITIES)]
        except OSError:
            return None
        return tuple((item.st_dev, item.st_ino, item.st_mtime_ns, item.st_size) for item in found)
