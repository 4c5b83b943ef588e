"""Run the world: `python -m tests.cluster.world --state DIR`, inside the world's network namespace.

Writes into DIR: `ca.crt` (trust this), `log.jsonl` (what arrived), `places.json` (which socket stands for which
place), and `ready` once every place answers. Files put into DIR/shelf are the website's. SIGTERM and SIGINT end it.
"""

import argparse
import asyncio
import datetime
import json
import pathlib
import signal
import socket
import ssl
import sys
import time

from tests.cluster.world import certificates, interfaces, listeners, names, plan, shelf, witness

READY_NAME = "ready"
CA_NAME = "ca.crt"
PLACES_NAME = "places.json"


def main() -> int:
    """Check that the real internet is out of reach, then play it until told to stop."""
    parser = argparse.ArgumentParser(prog="world", description=__doc__)
    parser.add_argument("--state", type=pathlib.Path, required=True, help="folder for its files; made when missing")
    parser.add_argument("--loopback-test", action="store_true", help="use loopback addresses and ports of the system")
    arguments = parser.parse_args()
    refusal = None if arguments.loopback_test else interfaces.refusal(interfaces.present())
    if refusal:
        print(f"world: refused: {refusal}", file=sys.stderr)
        return 2
    arguments.state.mkdir(parents=True, exist_ok=True)
    (arguments.state / READY_NAME).unlink(missing_ok=True)
    return asyncio.run(_run(arguments.state, loopback=arguments.loopback_test))


async def _run(state: pathlib.Path, *, loopback: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound: list[tuple[plan.Place, socket.socket]] = []
    for place in plan.PLACES:
        try:
            bound.append((place, listeners.bind(place, loopback=loopback)))
        except OSError as error:
            print(f"world: cannot bind {place.kind} [{place.address}]:{place.port}: {error}", file=sys.stderr)
            return 1
    authority = certificates.Authority(now=datetime.datetime.now(datetime.UTC))
    (state / CA_NAME).write_bytes(authority.certificate_pem())
    (state / PLACES_NAME).write_text(json.dumps([_described(*pair) for pair in bound], indent=1))
    record = witness.Witness(state)
    stage = listeners.Stage(names.Names(time.monotonic), shelf.Shelf(state / shelf.FOLDER))
    serving = listeners.Listeners(record, _contexts(authority, loopback=loopback), stage)
    for place, sock in bound:
        await serving.start(place, sock)
    (state / READY_NAME).touch()
    print("world: ready", flush=True)
    await stop.wait()
    (state / READY_NAME).unlink(missing_ok=True)
    await serving.stop()
    record.close()
    return 0


def _contexts(authority: certificates.Authority, *, loopback: bool) -> dict[plan.Service, ssl.SSLContext]:
    return {
        service: authority.server_context(names, sorted(_reached_by(service, loopback=loopback)))
        for service, names in plan.CERTIFICATE_NAMES.items()
    }


def _reached_by(service: plan.Service, *, loopback: bool) -> set[str]:
    own = {place.address for place in plan.PLACES if place.service is service}
    return {plan.loopback_address(address) for address in own} if loopback else own


def _described(place: plan.Place, sock: socket.socket) -> dict[str, str | int]:
    address, port = sock.getsockname()[:2]
    return {
        "service": place.service.value,
        "kind": place.kind.value,
        "address": place.address,
        "port": place.port,
        "boundAddress": address,
        "boundPort": port,
    }


if __name__ == "__main__":
    sys.exit(main())
