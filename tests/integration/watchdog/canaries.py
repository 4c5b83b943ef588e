"""What a cage test may dial, all of it on loopback: what answers, what refuses, what is silent, what leads nowhere."""

import contextlib
import socket
import threading

from zaum_api import documents

TCP, DNS = documents.Transport.TCP, documents.Transport.DNS
NOWHERE = documents.CageTarget("nowhere", TCP, "127.255.255.255", 80)
"""A broadcast address: no TCP connection is ever tried (ENETUNREACH)."""


class Silent:
    """A TCP port whose queue of connections is full: the kernel drops what else asks, until `open` is called."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port: int = self._listening.getsockname()[1]
        self._queued = [socket.socket() for _ in range(4)]
        for each in self._queued:
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect(("127.0.0.1", self.port))
        self._thread: threading.Thread | None = None

    @property
    def target(self) -> documents.CageTarget:
        return documents.CageTarget("silent", TCP, "127.0.0.1", self.port)

    def open(self) -> None:
        """Accept whatever comes from now on."""
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._listening.accept()[0].close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for each in (*self._queued, self._listening):
            each.close()
        if self._thread is not None:
            self._thread.join()


class Names:
    """A UDP port that answers nothing, or whatever is asked with one datagram."""

    def __init__(self, *, answers: bool) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._answers = answers
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def target(self) -> documents.CageTarget:
        return documents.CageTarget("dns", DNS, "127.0.0.1", self._socket.getsockname()[1])

    def _serve(self) -> None:
        while True:
            asked, by = self._socket.recvfrom(512)
            if not asked:
                return
            self.asked.append(asked)
            if self._answers:
                self._socket.sendto(asked, by)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


def refusing() -> documents.CageTarget:
    """Give a TCP port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return documents.CageTarget("refusing", TCP, "127.0.0.1", port)
