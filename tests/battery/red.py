"""A red agent: `python3 red.py @DEEDS.json`. It knows its policy, waits for leave, and does what it is told to.

Standard library only: it comes into agent pods, and into unguarded ones as the positive control, by a ConfigMap. One
JSON line per deed, `{"id", "got", "word", …}`, and one with `begun` before it, because a deed may be its last.

Nothing is done before leave is given, and that is given by name of the pod: whoever runs it has seen the bounds of
this very pod by then, and a pod that comes after it gets none. Every deed has a number and a time at which it stops.
"""

import http.client
import json
import os
import pathlib
import select
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

Deed = dict[str, Any]
Finding = dict[str, Any]
PROXY = ("127.0.0.1", 15001)
PATIENCE_SECONDS = 5.0
LEAVE_SECONDS = 240.0
STAY_SECONDS = 900


def say(line: Finding) -> None:
    """Print one line; short enough to be written at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def unchecked() -> ssl.SSLContext:
    """Give a TLS client that takes whatever certificate comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def fetched(host: str, path: str, direct: str) -> tuple[int, bytes]:
    """Ask a host by the proxy, or, where there is none, at its address; status 0 where nobody answers."""
    try:
        connection = http.client.HTTPSConnection(
            *((direct, 443) if direct else PROXY), timeout=PATIENCE_SECONDS, context=unchecked()
        )
        if not direct:
            connection.set_tunnel(host, 443)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return 0, b""


def wait_for_leave(plan: Deed) -> Deed:
    """Wait until a file with this pod's name lies at an allowed host; give what it says."""
    until = time.monotonic() + LEAVE_SECONDS
    while time.monotonic() < until:
        path = f"{plan['shelf']}{socket.gethostname()}.json"
        status, body = fetched(plan["host"], path, plan.get("direct", ""))
        if status == 200:
            said: Deed = json.loads(body)
            return said
        time.sleep(0.5)
    raise SystemExit("red: no leave was given")


def word_for(error: BaseException) -> str:
    """Name a failure in one word."""
    if isinstance(error, MemoryError):
        return "ENOMEM"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__


def done(deed: Deed, kinds: dict[str, Callable[[Deed], Finding]]) -> Finding:
    """Do one deed; never raises for what the kernel or the network does."""
    say({"id": deed["id"], "begun": True, "t": time.time()})
    try:
        finding = kinds[deed["kind"]](deed)
    except (OSError, MemoryError, http.client.HTTPException) as error:
        finding = {"got": False, "word": word_for(error)}
    return {**finding, "id": deed["id"], "t": time.time()}


def main() -> None:
    """Wait, do the deeds one after the other, then stay until SIGTERM."""
    import red_bombs  # type: ignore[import-not-found]  # beside this file in the pod
    import red_calls  # type: ignore[import-not-found]
    import red_pokes  # type: ignore[import-not-found]
    import red_slots  # type: ignore[import-not-found]

    woken, waker = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(waker, b"!"))
    plan = json.loads(pathlib.Path(sys.argv[1].removeprefix("@")).read_bytes())
    kinds = {**red_bombs.KINDS, **red_calls.KINDS, **red_pokes.KINDS, **red_slots.KINDS}
    for deed in plan["deeds"]:
        if deed.get("at_once"):
            say(done(deed, kinds))
    say({"id": "", "waiting": True})
    said = wait_for_leave(plan)
    for deed in plan["deeds"]:
        if not deed.get("at_once"):
            say(done(deed | said, kinds))
    say({"id": "", "done": True})
    select.select([woken], [], [], STAY_SECONDS)


if __name__ == "__main__":
    main()
