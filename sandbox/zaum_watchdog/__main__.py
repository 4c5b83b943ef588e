"""Start the watchdog: `python3 -m zaum_watchdog`. Exits 0 after SIGTERM, 1 when it cannot start or a tick fails."""

import argparse
import gc
import os
import sys
from pathlib import Path

import uvloop

from zaum_api import contract
from zaum_watchdog import supervisor
from zaum_watchdog.core import cage
from zaum_watchdog.shell import files, listen, log


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; give the exit status."""
    options = _options().parse_args(arguments)
    settings = supervisor.Settings(
        options.config,
        options.digest,
        options.token,
        options.credentials,
        options.agent_uid,
        options.termination_log,
        options.heartbeat_millis,
        cage.node_addresses(os.environ.get(contract.ENV_NODE_ADDRESSES, "")),
        options.ledger_token,
        _ordinal(os.environ.get(contract.ENV_ORDINAL, "")),
    )
    config = files.ConfigFile(settings.config, settings.digest)
    loop = uvloop.new_event_loop()
    first = loop.run_until_complete(config.poll())
    if first is None:
        return _fail(f"no usable config: {config.problem}")
    try:
        data, routed = listen.loopback(options.proxy_port), listen.loopback(options.routes_port)
        probes = listen.everywhere(options.probe_port)
    except OSError as error:
        ports = f"{options.proxy_port}, {options.routes_port} and {options.probe_port}"
        return _fail(f"cannot listen on {ports}: {error.strerror}")
    out = log.Log(loop, sys.stdout.fileno())
    running = supervisor.Supervisor(loop, settings, first, config, out)
    # Everything that lives now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    loop.run_until_complete(running.run(data=data, routed=routed, probes=probes))
    out.flush()
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zaum_watchdog", description="The sidecar that keeps one agent in check.")
    parser.add_argument("--config", type=Path, default=Path(contract.CONFIG_PATH), help="the config document")
    parser.add_argument("--digest", type=Path, default=Path(contract.CONFIG_DIGEST_PATH), help="its promised digest")
    parser.add_argument("--token", type=Path, default=Path(contract.TOKEN_PATH), help="the token for the gateway")
    parser.add_argument(
        "--ledger-token", type=Path, default=Path(contract.LEDGER_TOKEN_PATH), help="the token for the ledger"
    )
    parser.add_argument(
        "--credentials", type=Path, default=Path(contract.CREDENTIALS_DIR), help="the folder with the routes' keys"
    )
    parser.add_argument("--routes-port", type=int, default=contract.ROUTES_PORT, help="on loopback; 0 takes any")
    parser.add_argument("--proxy-port", type=int, default=contract.PROXY_PORT, help="on loopback; 0 takes any")
    parser.add_argument("--probe-port", type=int, default=contract.PROBE_PORT, help="on every address; 0 takes any")
    parser.add_argument("--agent-uid", type=int, default=contract.AGENT_UID, help="whose processes are watched")
    parser.add_argument(
        "--termination-log", type=Path, default=Path(contract.TERMINATION_LOG), help="gets the reason of a breach"
    )
    parser.add_argument(
        "--heartbeat-millis", type=int, default=supervisor.HEARTBEAT_MILLIS, help="how finely lateness is measured"
    )
    return parser


def _ordinal(said: str) -> int:
    """Read the pod's ordinal. One that is no number has a floor of nothing, which is the least that there is."""
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 3 else (99 if said else 0)


def _fail(problem: str) -> int:
    sys.stderr.write(f"zaum_watchdog: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
