"""TLS to an upstream inside a tunnel: bytes in, bytes out, no socket."""

import ssl
from typing import Final

READ_MAX: Final = 16 * 1024
"""One record (RFC 8446 §5.1): what is read at once."""


class Broken(Exception):  # noqa: N818 - an end, not an error of ours
    """The handshake or a record failed; the text is for people and repeats no content."""


class Session:
    """The client's end of one TLS connection. `ended`: the upstream has said that nothing more will come."""

    def __init__(self, context: ssl.SSLContext, name: str, resumed: ssl.SSLSession | None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name, session=resumed)
        self.ended = False

    @property
    def resumable(self) -> ssl.SSLSession | None:
        """Give what a later connection may resume; comes behind the handshake (RFC 8446 §4.6.1)."""
        return self._tls.session

    def shake(self, data: bytes) -> bool:
        """Take bytes of the handshake; say whether it is done. What is to be sent is taken from `pending`."""
        self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as error:
            raise Broken(f"its certificate is not valid: {error.verify_message}") from None
        except ssl.SSLError as error:
            raise Broken(f"the handshake failed: {error.reason}") from None
        return True

    def pending(self) -> bytes:
        """Give what is to be sent."""
        return self._outgoing.read()

    def seal(self, data: bytes) -> bytes:
        """Encrypt."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        return self._outgoing.read()

    def take(self, data: bytes) -> None:
        """Take encrypted bytes."""
        self._incoming.write(data)

    def next(self) -> bytes:
        """Give the content of the next record, empty when there is none yet or none any more."""
        try:
            data = self._tls.read(READ_MAX)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLError as error:
            raise Broken(f"a record is broken: {error.reason}") from None
        if not data:
            self.ended = True
        return data
