"""Record what the detectors see of ordinary work: `python -m tests.traces.record [git pip pytest build llm]`.

As root, for a PID namespace of its own in which the work's processes are counted, and nobody else's. Each kind of work
runs once beside a watchdog at whose detectors nothing trips; what they were fed goes to tests/traces/<work>.json. All
traffic stays on loopback: the provider is a fake.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.integration.watchdog import conftest, metering, rig, upstream
from tests.support.authority import Authority
from tests.traces import traces, watch, work
from zaum_api import contract, documents

_INSIDE: Final = "ZAUM_TRACE_INSIDE"


class Recorder(rig.Watchdog):
    """A watchdog that writes down what it sees."""

    def __init__(self, files: rig.Files, out: Path) -> None:
        os.environ[watch.OTHERS], os.environ[watch.OUT] = str(os.getpid()), str(out)
        super().__init__(files, uid=os.getuid(), module="tests.traces.watch")


def main(arguments: list[str]) -> int:
    """Record the named kinds of work, by default all."""
    if _INSIDE not in os.environ:
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--", sys.executable, "-m", "tests.traces.record"]
        return subprocess.run([*command, *arguments], env=os.environ | {_INSIDE: "1"}, check=False).returncode
    for name in arguments or [*work.ALL]:
        with tempfile.TemporaryDirectory() as folder:
            rows = record(name, Path(folder))
        traces.write(name, rows)
        sys.stdout.write(f"{name}: {len(rows)} looks\n")
    return 0


def record(name: str, folder: Path) -> list[traces.Row]:
    """Do the work once beside a watchdog; give what it saw."""
    made = Authority(folder)
    api = upstream.Upstream(made.server(conftest.NAMED))
    metering.Provider(api)
    ledger = metering.Ledger(made.server(contract.LEDGER_TLS_NAME))
    gateway = metering.Gateway(made.server(contract.GATEWAY_TLS_NAME), api)  # type: ignore[arg-type]  # its port counts
    gateway.ledger = ledger
    volume, place, out = folder / "volume", folder / "work", folder / "rows"
    volume.mkdir()
    place.mkdir()
    files = rig.Files(volume)
    files.ledger_token.write_text("ledger-token")
    files.write(config(made, gateway).dump())
    watchdog = Recorder(files, out)
    try:
        watchdog.record("ledger")
        work.ALL[name](place, watchdog)
    finally:
        watchdog.stop()
        for server in (gateway.server, ledger.server, api.server):
            server.close()
    return traces.rows(out.read_text("ascii"))


def config(authority: Authority, gateway: metering.Gateway) -> documents.WatchdogConfig:
    """Give a document without detectors: those see the trace later."""
    return documents.WatchdogConfig(
        namespace="agents",
        policy="ordinary",
        gateway=documents.GatewayPeer(("127.0.0.1",), gateway.server.port, contract.GATEWAY_TLS_NAME, authority.pem),
        hosts=(),
        requests=documents.RequestRate(60, 10),
        connections=32,
        runaway=documents.Runaway(None, None, None),
        routes=(metering.OPENAI,),
        upstream_ca_pem=authority.pem,
        limits=metering.limits((*metering.TOKENS_MINUTE, 1_000_000), (*metering.COST_DAY, 10_000_000)),
        ledger=documents.LedgerPeer(contract.LEDGER_TLS_NAME, contract.LEDGER_PORT, authority.pem),
        containment=documents.Containment(),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
