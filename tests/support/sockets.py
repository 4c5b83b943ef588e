"""Sockets that leave nothing open.

Up to Python 3.12 a TLS socket whose connection is reset before its handshake begins raises what it met and is left
open. That meets whoever asks a server that is being killed, and the ResourceWarning then fails the test that runs when
the garbage collector comes by. Python 3.13 closes it (ssl.SSLSocket._create).
"""

import ssl
import sys


class TidySocket(ssl.SSLSocket):
    """Closes what was reset: nothing more can come of it."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive, as the handshake's maker does first where there is no connection any more."""
        try:
            return super().recv(buflen, flags)
        except ConnectionError:
            self.close()
            raise


def load() -> None:
    """Let all contexts of this process make such sockets where Python itself does not close them."""
    if sys.version_info < (3, 13):
        ssl.SSLContext.sslsocket_class = TidySocket
