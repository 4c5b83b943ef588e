"""An HTTP server that does not ask for its own name: the library's does, for 10 s where nobody resolves any."""

import http.server
import socketserver


class Server(http.server.ThreadingHTTPServer):
    """Listens where it is told to."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind, and be called by the address."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
