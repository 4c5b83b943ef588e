"""Try doors from inside a pod and say for each what happened: `python3 probe.py '<JSON list of attempts>'`.

Standard library only, so that it runs in any image with Python. One JSON line per attempt:
`{"t", "probe", "name", "target", "outcome", "ms", "rule", …}`; `t` in seconds since the epoch, `rule` is Zaum's own
word for why ("" where nobody said). Each attempt ends within BOUND_SECONDS. The kinds of attempt (key `probe`):

- `tcp {address, port}`: `open`, `refused`, `timeout`, `unreachable` or the errno's name
- `udp {address, port}` and `dns {address, name}`: `open` when anything comes back, else as above
- `resolve {name}`: by the pod's own resolver: `open` with `answer`, `failed`, `timeout`
- `http {url}`: without any proxy: the status, or as above
- `proxy {host, port?, sni?, path?, proxy?}`: a CONNECT; the proxy's status. With `path` also a GET in the tunnel:
  its status or failure in `inner`. `proxy` defaults to $HTTPS_PROXY; an https proxy's certificate is not checked.
- `absolute {url, proxy?}`: a plain GET at the proxy: the status
"""

import argparse
import concurrent.futures
import errno
import http.client
import json
import os
import pathlib
import select
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Final
from urllib.parse import urlsplit

BOUND_SECONDS: Final = 2.0
STAY_SECONDS: Final = 3600.0
TRAP_SECONDS: Final = 60.0
HEAD_LIMIT: Final = 64 * 1024

Attempt = Mapping[str, Any]
Finding = dict[str, Any]

_WORDS: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
}


def word_for(error: OSError) -> str:
    """Name a failure in one word."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLEOFError):
        return "reset"
    if isinstance(error, ssl.SSLError):
        return f"tls:{error.reason or 'failed'}"
    code = error.errno or 0
    return _WORDS.get(code) or errno.errorcode.get(code, "failed")


def dial_tcp(attempt: Attempt) -> Finding:
    """Open a connection by address."""
    with socket.create_connection((attempt["address"], attempt["port"]), timeout=BOUND_SECONDS):
        return {"outcome": "open"}


def udp_echo(attempt: Attempt) -> Finding:
    """Send a datagram and wait for any answer."""
    return _datagram(attempt["address"], attempt["port"], b"zaum probe")


def udp_dns(attempt: Attempt) -> Finding:
    """Ask a server at an address for a name's A record."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in attempt["name"].split("."))
    question = struct.pack("!6H", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\x01\0\x01"
    return _datagram(attempt["address"], attempt.get("port", 53), question)


def _datagram(address: str, port: int, content: bytes) -> Finding:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.settimeout(BOUND_SECONDS)
        channel.connect((address, port))
        channel.send(content)
        return {"outcome": "open", "bytes": len(channel.recv(4096))}


def resolve(attempt: Attempt) -> Finding:
    """Ask the pod's own resolver, which has no time limit of its own: hence a thread that may be left behind."""
    answers: list[str] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(attempt["name"], 443, proto=socket.IPPROTO_TCP)
        except socket.gaierror:
            answers.append("")
        else:
            answers.append(str(found[0][4][0]))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(BOUND_SECONDS)
    if not answers:
        return {"outcome": "timeout"}
    return {"outcome": "open", "answer": answers[0]} if answers[0] else {"outcome": "failed"}


def http_get(attempt: Attempt) -> Finding:
    """GET a URL straight, whatever the environment says about proxies. TLS is checked against $SSL_CERT_FILE."""
    url = urlsplit(attempt["url"])
    host, path = url.hostname or "", url.path or "/"
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(host, url.port, timeout=BOUND_SECONDS)
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=BOUND_SECONDS)
    try:
        connection.request("GET", path)
        return {"outcome": str(connection.getresponse().status)}
    finally:
        connection.close()


def connect_via_proxy(attempt: Attempt) -> Finding:
    """Ask the proxy for a tunnel and, when a path is given, fetch it through the tunnel."""
    host, port = attempt["host"], attempt.get("port", 443)
    with _to_proxy(attempt) as channel:
        channel.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        finding = _read_answer(channel)
        if finding["outcome"] == "200" and "path" in attempt:
            finding["inner"] = _inner(channel, attempt)
        return finding


def absolute_via_proxy(attempt: Attempt) -> Finding:
    """Send the proxy a plain request in absolute form."""
    host = urlsplit(attempt["url"]).netloc
    with _to_proxy(attempt) as channel:
        channel.sendall(f"GET {attempt['url']} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return _read_answer(channel)


def _to_proxy(attempt: Attempt) -> socket.socket:
    proxy = urlsplit(attempt.get("proxy") or os.environ.get("HTTPS_PROXY") or os.environ["https_proxy"])
    channel = socket.create_connection((proxy.hostname or "", proxy.port or 80), timeout=BOUND_SECONDS)
    if proxy.scheme != "https":
        return channel
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # who answers does not matter here, only what
    return context.wrap_socket(channel, server_hostname=attempt.get("proxyName", "gateway.zaum.dev"))


def _inner(channel: socket.socket, attempt: Attempt) -> str:
    name = attempt.get("sni", attempt["host"])
    context = ssl.create_default_context()
    if name != attempt["host"]:
        context.check_hostname = False
    try:
        with context.wrap_socket(channel, server_hostname=name) as inside:
            request = f"GET {attempt['path']} HTTP/1.1\r\nHost: {attempt['host']}\r\nConnection: close\r\n\r\n"
            inside.sendall(request.encode())
            return str(_read_answer(inside)["outcome"])
    except OSError as error:
        return word_for(error)


def _read_answer(channel: socket.socket) -> Finding:
    """Read a status and the headers that Zaum's answers carry."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD_LIMIT:
        part = channel.recv(4096)
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "the proxy hung up")
        head += part
    status, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    finding: Finding = {"outcome": status.split(" ")[1], "rule": headers.get("x-zaum-rule", "")}
    if "retry-after" in headers:
        finding["retryAfter"] = headers["retry-after"]
    return finding


KINDS: Final[dict[str, Callable[[Attempt], Finding]]] = {
    "tcp": dial_tcp,
    "udp": udp_echo,
    "dns": udp_dns,
    "resolve": resolve,
    "http": http_get,
    "proxy": connect_via_proxy,
    "absolute": absolute_via_proxy,
}


def say(phase: str, outcome: str, **more: object) -> None:
    """Print one line about a step that is no attempt: `{"t", "phase", "outcome", …}`."""
    print(json.dumps({"t": round(time.time(), 3), "phase": phase, "outcome": outcome, **more}), flush=True)


def target_of(attempt: Attempt) -> str:
    """Say in one word what an attempt aims at."""
    for key in ("url", "host", "address", "name"):
        if key in attempt:
            port = f":{attempt['port']}" if "port" in attempt else ""
            return f"{attempt[key]}{port}"
    return ""


def try_one(attempt: Attempt) -> Finding:
    """Make one attempt and describe it; never raises for what the network does."""
    began = time.monotonic()
    try:
        finding = KINDS[attempt["probe"]](attempt)
    except (OSError, http.client.HTTPException) as error:
        finding = {"outcome": word_for(error) if isinstance(error, OSError) else "malformed"}
    return {
        "t": round(time.time(), 3),
        "probe": attempt["probe"],
        "name": attempt.get("label", ""),
        "target": target_of(attempt),
        "rule": "",
        **finding,
        "ms": round((time.monotonic() - began) * 1000, 1),
    }


def report(attempts: Sequence[Attempt], *, together: bool = False) -> Iterator[Finding]:
    """Make the attempts one after the other, or all at once; print each finding as a line and give it, in order."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(attempts) if together else 1)) as threads:
        for finding in threads.map(try_one, attempts):
            print(json.dumps(finding), flush=True)
            yield finding


def read_attempts(text: str) -> list[Attempt]:
    """Read a JSON list of attempts, or `@FILE` that holds one."""
    attempts: list[Attempt] = json.loads(pathlib.Path(text[1:]).read_text() if text.startswith("@") else text)
    unknown = {attempt["probe"] for attempt in attempts} - KINDS.keys()
    if unknown:
        raise SystemExit(f"probe: unknown kinds {sorted(unknown)}; known are {sorted(KINDS)}")
    return attempts


def main() -> None:
    """Make the attempts; then end, stay, or go on through SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attempts", type=read_attempts, help="a JSON list, or @FILE")
    parser.add_argument("--together", action="store_true", help="make all attempts at once")
    parser.add_argument("--stay", action="store_true", help="stay after the attempts, until SIGTERM")
    parser.add_argument(
        "--trap", action="store_true", help="stay, and answer SIGTERM with the attempts again and again until killed"
    )
    arguments = parser.parse_args()
    woken, waker = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: _wake(waker, received, frame))
    for _ in report(arguments.attempts, together=arguments.together):
        pass
    if not (arguments.stay or arguments.trap):
        return
    say("probe", "staying")
    select.select([woken], [], [], STAY_SECONDS)
    if arguments.trap:
        until = time.monotonic() + TRAP_SECONDS
        say("probe", "trapped")
        while time.monotonic() < until:
            for _ in report(arguments.attempts):
                pass


def _wake(waker: int, number: int, frame: FrameType | None) -> None:
    del number, frame
    os.write(waker, b"!")


if __name__ == "__main__":
    main()
