"""What metering costs a route: python -m bench.metered

The same calls of a model by a watchdog that meters nothing and by one that limits tokens and cost, one after the other
and by turns: processor's time of the watchdog per call, and how long a call takes. Loopback; a provider that answers at
once. The last line: `bench: metered ratio X added p50 X ms`.
"""

import contextlib
import dataclasses
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.integration.watchdog import conftest, metering, rig, upstream
from tests.support.authority import Authority
from zaum_api import contract, documents

CALLS: Final = 200
ROUNDS: Final = 4
RATIO: Final = 1.5
ADDED_MILLIS: Final = 0.5
ANSWER: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"world-1","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hello there, how can I help you today?"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":30,"completion_tokens":9,"total_tokens":39}}'
)
REPLY: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER


class Side:
    """One watchdog, and a connection to it that is kept."""

    def __init__(self, watchdog: rig.Watchdog) -> None:
        self._watchdog = watchdog
        self._socket = socket.create_connection(("127.0.0.1", watchdog.routes), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cpu: list[float] = []
        self.took: list[float] = []

    def _ticks(self) -> float:
        stat = Path(f"/proc/{self._watchdog.process.pid}/schedstat").read_text()
        return int(stat.split()[0]) / 1e3

    def go(self) -> None:
        """Make a round of calls."""
        body = metering.body("chat", temperature=0.2)
        said = "Host: 127.0.0.1\r\nContent-Type: application/json"
        head = f"POST {metering.PATHS['chat']} HTTP/1.1\r\n{said}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        before = self._ticks()
        for _ in range(CALLS):
            begun = time.perf_counter()
            self._socket.sendall(head + body)
            got = self._socket.recv(65536)
            while not got.endswith(ANSWER):
                got += self._socket.recv(65536)
                assert got.startswith(b"HTTP/1.1 200"), got
            self.took.append(time.perf_counter() - begun)
        self.cpu.append((self._ticks() - before) / CALLS)


@contextlib.contextmanager
def started(authority: Authority, gateway: metering.Gateway, *, limited: bool) -> Iterator[Side]:
    """Start a watchdog that meters, or one that does not."""
    config = documents.WatchdogConfig(
        namespace="agents",
        policy="bench",
        gateway=documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem),
        hosts=(),
        requests=documents.RequestRate(1_000_000, 100_000),
        connections=64,
        runaway=documents.Runaway(None, None, None),
        routes=(metering.OPENAI,),
        upstream_ca_pem=authority.pem,
    )
    if limited:
        config = dataclasses.replace(
            config,
            limits=metering.limits((*metering.TOKENS_DAY, 10**12), (*metering.COST_DAY, 10**14)),
            ledger=documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, authority.pem),
        )
    with tempfile.TemporaryDirectory() as directory:
        files = rig.Files(Path(directory))
        files.write(config.dump())
        (Path(directory) / "ledger-token").write_text("token")
        watchdog = rig.Watchdog(files)
        if limited:
            watchdog.record("ledger")
        try:
            yield Side(watchdog)
        finally:
            watchdog.stop()


def main() -> int:
    """Measure, and say whether it is as little as it is to be."""
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(Path(directory))
        api = upstream.Upstream(authority.server(conftest.NAMED))
        api.answer = lambda asked: asked.send(REPLY)
        ledger = metering.Ledger(authority.server(contract.LEDGER_TLS_NAME))
        gateway = metering.Gateway(authority.server(contract.GATEWAY_TLS_NAME), api)  # type: ignore[arg-type]  # its port counts
        gateway.ledger = ledger
        with (
            started(authority, gateway, limited=False) as plain,
            started(authority, gateway, limited=True) as limited,
        ):
            for _ in range(ROUNDS + 1):
                plain.go()
                limited.go()
        for server in (gateway.server, ledger.server, api.server):
            server.close()
    ratio = min(limited.cpu[1:]) / min(plain.cpu[1:])
    added = 1000 * (statistics.median(limited.took[CALLS:]) - statistics.median(plain.took[CALLS:]))
    sys.stdout.write(f"CPU per call: plain {min(plain.cpu[1:]):.0f} us, metered {min(limited.cpu[1:]):.0f} us\n")
    sys.stdout.write(f"p50: plain {1000 * statistics.median(plain.took):.2f} ms\n")
    sys.stdout.write(f"bench: metered ratio {ratio:.2f} added p50 {added:.2f} ms\n")
    return 0 if ratio <= RATIO and added <= ADDED_MILLIS else 1


if __name__ == "__main__":
    sys.exit(main())
