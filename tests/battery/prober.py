"""Make attempts from inside a pod and say what came of each: `python3 prober.py @ATTEMPTS.json`.

Standard library only: it comes into agent pods, and into unguarded ones as the positive control, by a ConfigMap. One
JSON line per attempt, `{"id", "got", "word", …}`: `got` is what the attempt is about, reached or not; `word` says how
it ended; `status` and `rule` are of an HTTP answer where there was one. Each attempt ends within BOUND_SECONDS.

`got` is strict. A direct attempt got through when anything at all came back, a reset too: then the packet arrived. A
request got through when any 2xx came back. Bytes in a tunnel got through when any byte came back from its far end.
"""

import argparse
import base64
import concurrent.futures
import ctypes
import errno
import json
import os
import pathlib
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import hello  # type: ignore[import-not-found]  # beside this file in the pod

BOUND_SECONDS = 2.5
ANSWER_LIMIT = 128 * 1024
PROXY = ("127.0.0.1", 15001)
ROUTES = ("127.0.0.1", 15002)
STAY_SECONDS = 1800.0
ORDERS_SECONDS = 60.0
HELD_SECONDS = 90.0
TELL_SECONDS = 0.2
CONTROL = "c"
"""How the ids of positive controls begin."""
HELD, ENDED = threading.Event(), threading.Event()
"""A tunnel of this pod stands; one that stood has ended."""

Attempt = Mapping[str, Any]
Finding = dict[str, Any]


def family_of(address: str) -> socket.AddressFamily:
    """Tell the family of a literal."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def place_of(address: str, port: int) -> tuple[Any, ...]:
    """Give the socket address of a literal, its zone understood."""
    bare, _, zone = address.partition("%")
    if ":" not in bare:
        return (bare, port)
    return (bare, port, 0, socket.if_nametoindex(zone) if zone else 0)


# Direct: past the proxy.


def dial(attempt: Attempt) -> Finding:
    """Connect; `protocol` is the number of another stream protocol than TCP, `fast` sends data in the SYN."""
    address, port = attempt["address"], attempt["port"]
    kind = getattr(socket, attempt.get("type", "SOCK_STREAM"))
    with socket.socket(family_of(address), kind, attempt.get("protocol", 0)) as channel:
        channel.settimeout(BOUND_SECONDS)
        if attempt.get("fast"):
            hurry(channel, place_of(address, port))
        else:
            channel.connect(place_of(address, port))
        return {"got": True, "word": "open"}


def hurry(channel: socket.socket, place: tuple[Any, ...]) -> None:
    """Connect with data in the first packet, as far as the kernel has a cookie for it."""
    try:
        channel.sendto(b"GET / HTTP/1.0\r\n\r\n", 0x20000000, place)  # MSG_FASTOPEN
    except BlockingIOError:
        if not select.select([], [channel], [], BOUND_SECONDS)[1]:
            raise TimeoutError from None
        failed = channel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, "connect") from None


def datagram(attempt: Attempt) -> Finding:
    """Send a datagram and wait for any answer; `payload` in hex."""
    address = attempt["address"]
    with socket.socket(family_of(address), socket.SOCK_DGRAM, attempt.get("protocol", 0)) as channel:
        channel.settimeout(BOUND_SECONDS)
        if attempt.get("broadcast"):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        channel.connect(place_of(address, attempt["port"]))
        channel.send(bytes.fromhex(attempt["payload"]))
        return {"got": True, "word": "open", "bytes": len(channel.recv(4096))}


def ping(attempt: Attempt) -> Finding:
    """Send an echo request by the kernel's unprivileged ping sockets."""
    six = ":" in attempt["address"]
    protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    request = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 1, 1) + b"battery!"
    total = sum(struct.unpack("!8H", request)) if not six else 0
    total = (total & 0xFFFF) + (total >> 16)
    request = request[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + request[4:]
    kind = socket.SOCK_RAW if attempt.get("raw") else socket.SOCK_DGRAM
    with socket.socket(family_of(attempt["address"]), kind, protocol) as channel:
        channel.settimeout(BOUND_SECONDS)
        channel.sendto(request, place_of(attempt["address"], 0))
        channel.recv(4096)
        return {"got": True, "word": "open"}


def make_socket(attempt: Attempt) -> Finding:
    """Make a socket of a kind that could pass by the guard, and send nothing."""
    with socket.socket(attempt["family"], attempt["type"], attempt["protocol"]):
        return {"got": True, "word": "made"}


def change_network(attempt: Attempt) -> Finding:
    """Ask the kernel by netlink to change the pod's network; `message` in hex, without its header."""
    body = bytes.fromhex(attempt["message"])
    head = struct.pack("=IHHII", 16 + len(body), attempt["command"], attempt.get("flags", 0x405), 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, attempt.get("netlink", 0)) as channel:
        channel.settimeout(BOUND_SECONDS)
        channel.bind((0, 0))
        channel.send(head + body)
        answer = channel.recv(65536)
    kind, code = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != 2:
        return {"got": True, "word": f"type {kind}"}
    return {"got": code == 0, "word": "changed" if code == 0 else errno.errorcode.get(-code, str(code))}


def make_ring(attempt: Attempt) -> Finding:
    """Make an io_uring, by which sockets can be used without the socket system calls."""
    del attempt
    parameters = ctypes.create_string_buffer(120)
    libc = ctypes.CDLL(None, use_errno=True)
    made = libc.syscall(425, 1, parameters)
    if made < 0:
        return {"got": False, "word": errno.errorcode.get(ctypes.get_errno(), "failed")}
    os.close(made)
    return {"got": True, "word": "made"}


# Through the proxy, the gateway, or a route.


def connected(attempt: Attempt) -> socket.socket:
    """Open the connection that an attempt speaks over: to the proxy unless it says otherwise; TLS where it says so."""
    to = attempt.get("to")
    place = ROUTES if to == "routes" else tuple(to) if to else PROXY
    channel = socket.create_connection(place, timeout=BOUND_SECONDS)
    if "tls" not in attempt:
        return channel
    context = unchecked()
    if attempt["tls"].get("alpn"):
        context.set_alpn_protocols(attempt["tls"]["alpn"])
    return context.wrap_socket(channel, server_hostname=attempt["tls"].get("sni"))


def unchecked() -> ssl.SSLContext:
    """Give a TLS client that takes whatever certificate comes: what matters here is whether anything comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def receive(channel: socket.socket, *, enough: bytes = b"", seconds: float = BOUND_SECONDS) -> tuple[bytes, str]:
    """Read until the peer ends, time is up, or `enough` is in it; give the bytes and the word for the end."""
    got, until = b"", time.monotonic() + seconds
    while len(got) < ANSWER_LIMIT and (left := until - time.monotonic()) > 0:
        channel.settimeout(left)
        try:
            part = channel.recv(16384)
        except TimeoutError:
            return got, "silent"
        except OSError as error:
            return got, word_for(error)
        if not part:
            return got, "closed"
        got += part
        if enough and enough in got:
            return got, "enough"
    return got, "limit"


def send_parts(channel: socket.socket, parts: list[bytes], pause: float) -> None:
    """Send part by part, reading nothing; a peer that hangs up meanwhile is read afterwards."""
    try:
        for place, part in enumerate(parts):
            if place:
                time.sleep(pause)
            channel.sendall(part)
    except OSError:
        pass  # the answer may have come before all was sent


def answers_of(raw: bytes) -> list[tuple[int, dict[str, str]]]:
    """Find the HTTP answers in a stream: status and headers of each, as far as they look like answers."""
    found = []
    for piece in raw.split(b"HTTP/1.")[1:]:
        head = piece.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        status = head[0][2:5]
        pairs = (line.partition(":") for line in head[1:])
        if status.isdigit():
            found.append((int(status), {name.lower(): value.strip() for name, _, value in pairs}))
    return found


def described(raw: bytes, end: str) -> Finding:
    """Describe what came back to a request. Any 2xx got through."""
    found = answers_of(raw)
    got = any(200 <= status < 300 for status, _ in found)
    if not found:
        return {"got": False, "word": end if not raw else "garbage"}
    refusal = next(((status, headers) for status, headers in found if status >= 300), found[0])
    status, headers = found[0] if got else refusal
    return {
        "got": got, "word": str(status), "status": status, "rule": headers.get("x-zaum-rule", ""),
        "answers": len(found), "statuses": [each for each, _ in found][:8], "body": len(raw),
        "text": raw.partition(b"\r\n\r\n")[2][:200].decode("latin-1"),
    }  # fmt: skip


def head(attempt: Attempt) -> Finding:
    """Send bytes as they are (`parts`, latin-1, `pause` seconds between them) and describe what comes back."""
    parts = [part.encode("latin-1") for part in attempt["parts"]]
    if "times" in attempt:
        parts = parts * attempt["times"]
    with connected(attempt) as channel:
        send_parts(channel, parts, attempt.get("pause", 0.0))
        if attempt.get("end"):
            channel.shutdown(socket.SHUT_WR)
        raw, end = receive(channel, seconds=attempt.get("seconds", BOUND_SECONDS))
    finding = described(raw, end)
    return finding | {"got": bool(raw)} if attempt.get("any") else finding


def pipeline(attempt: Attempt) -> Finding:
    """Send an allowed CONNECT with more behind it at once; got: anything came back but the one answer to it."""
    finding = head(attempt)
    extra = finding.get("answers", 0) > 1 or finding.get("body", 0) > 200
    return finding | {
        "got": extra,
        "broken": finding.get("status") != 200,
        "word": f"{finding.get('answers', 0)} answers",
    }


def leak(attempt: Attempt) -> Finding:
    """Send a request and look for `secret` (raw or base64) in all that comes back; got: it is there."""
    parts = [part.encode("latin-1") for part in attempt["parts"]]
    with connected(attempt) as channel:
        send_parts(channel, parts, 0.0)
        raw, end = receive(channel)
    key = attempt["secret"].encode("latin-1")
    there = key in raw.replace(b"\r\n", b"") or key in raw or base64.b64encode(key) in raw
    return described(raw, end) | {"got": there, "broken": not raw}


def upgraded(attempt: Attempt) -> Finding:
    """Ask for another protocol; got: it was granted."""
    finding = head(attempt)
    return finding | {"got": finding.get("status") == 101}


def opened(attempt: Attempt) -> tuple[socket.socket, Finding]:
    """Open a tunnel by CONNECT; the finding is of the CONNECT alone."""
    host, port = attempt["host"], attempt.get("port", 443)
    channel = connected(attempt)
    channel.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("latin-1"))
    raw, end = receive(channel, enough=b"\r\n\r\n", seconds=attempt.get("patience", BOUND_SECONDS))
    return channel, described(raw, end)


def tunnel(attempt: Attempt) -> Finding:
    """Open a tunnel, speak TLS in it (`sni`, default the host) and fetch `path`; got: the far end's 2xx."""
    channel, finding = opened(attempt)
    with channel:
        if not finding["got"]:
            return finding
        finding |= {"got": False, "connect": finding["word"]}
        channel.settimeout(BOUND_SECONDS)
        try:
            inside = unchecked().wrap_socket(channel, server_hostname=attempt.get("sni", attempt["host"]))
        except OSError as error:
            return finding | {"word": word_for(error), "status": 0}
        with inside:
            name = attempt.get("header", attempt["host"])
            more = "".join(f"{line}\r\n" for line in attempt.get("headers", []))
            request = f"GET {attempt.get('path', '/')} HTTP/1.1\r\nHost: {name}\r\n{more}Connection: close\r\n\r\n"
            inside.sendall(request.encode("latin-1"))
            raw, end = receive(inside)
        return finding | described(raw, end) | {"headers": dict(answers_of(raw)[0][1]) if answers_of(raw) else {}}


def raw_tunnel(attempt: Attempt) -> Finding:
    """Open a tunnel and send bytes in it; got: any byte from the far end. `hello` names a shape of module hello."""
    if "hello" in attempt:
        parts = hello.shape(attempt["hello"], attempt["host"], attempt.get("other", "outlaw.example.net"))
    else:
        parts = [part.encode("latin-1") for part in attempt["parts"]]
    channel, finding = opened(attempt)
    with channel:
        if not finding["got"]:
            return finding
        send_parts(channel, parts, attempt.get("pause", 0.05))
        raw, end = receive(channel, enough=b"\x16\x03", seconds=attempt.get("seconds", BOUND_SECONDS))
    return finding | {"got": bool(raw), "connect": "200", "status": 0, "word": f"{len(raw)} bytes" if raw else end}


def chained(attempt: Attempt) -> Finding:
    """Do what a client does with the answer to `first` (a tunnel): read `header` of it, go where that points."""
    first = tunnel(attempt["first"])
    target = first.get("headers", {}).get(attempt["header"], "")
    if attempt["word"] not in target:
        return {"got": False, "word": "the first answer does not point there", "broken": True, "first": first}
    return tunnel(attempt["then"]) | {"pointed": target}


def resolve(attempt: Attempt) -> Finding:
    """Ask the pod's own resolver, which has no time limit of its own: in a process that can be ended.

    A program of its own: a copy of this one, with its threads, may hold a lock of the resolver's for ever.
    """
    program = "import socket, sys; socket.getaddrinfo(sys.argv[1], 443)"
    command = [sys.executable, "-c", program, attempt["name"]]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        try:
            resolved = child.wait(attempt.get("seconds", BOUND_SECONDS)) == 0
        except subprocess.TimeoutExpired:
            child.kill()
            return {"got": False, "word": "silent"}
    return {"got": resolved, "word": "resolved" if resolved else "failed"}


def twice(attempt: Attempt) -> Finding:
    """Make the first attempt, which must succeed, wait, and make the second: its outcome is this one's."""
    first = try_one(attempt["first"])
    if not first["got"]:
        said = first.get("text", "")
        return {"got": False, "word": f"the first failed: {first['word']} {said}", "broken": True}
    time.sleep(attempt["wait"])
    return try_one(attempt["then"])


def hold(attempt: Attempt) -> Finding:
    """Keep a tunnel busy until it ends or `seconds` are over; `last` is when the last byte came (epoch, seconds)."""
    channel, finding = opened(attempt)
    with channel:
        if not finding["got"]:
            return finding
        channel.settimeout(BOUND_SECONDS)
        inside = unchecked().wrap_socket(channel, server_hostname=attempt["host"])
        inside.sendall(f"GET {attempt['path']} HTTP/1.1\r\nHost: {attempt['host']}\r\n\r\n".encode("latin-1"))
        until, last, total, told = time.monotonic() + attempt["seconds"], 0.0, 0, 0.0
        word = "bound"
        while time.monotonic() < until:
            inside.settimeout(max(0.05, until - time.monotonic()))
            try:
                part = inside.recv(65536)
            except OSError as error:
                word = word_for(error)
                break
            if not part:
                word = "closed"
                break
            last, total = time.time(), total + len(part)
            if last - told > TELL_SECONDS:
                told = last
                HELD.set()
                say({"id": attempt["id"], "held": True, "last": last})
    ENDED.set()
    return {"got": word in {"bound", "timeout"}, "word": word, "last": last, "bytes": total, "ended": time.time()}


def later(attempt: Attempt) -> Finding:
    """Ask for a tunnel once a held one stands (`after` is "held"), or `delay` seconds after one has ended."""
    (HELD if attempt["after"] == "held" else ENDED).wait(HELD_SECONDS)
    time.sleep(attempt["delay"])
    host, _, port = attempt["target"].rpartition(":")
    channel, finding = opened({"host": host, "port": int(port)})
    channel.close()
    return finding


def word_for(error: BaseException) -> str:
    """Name a failure in one word."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "closed"
    if isinstance(error, ssl.SSLError):
        return f"tls:{error.reason or 'failed'}"
    return errno.errorcode.get(getattr(error, "errno", 0) or 0, type(error).__name__)


KINDS: dict[str, Callable[[Attempt], Finding]] = {
    "dial": dial, "datagram": datagram, "ping": ping, "socket": make_socket, "netlink": change_network,
    "ring": make_ring, "head": head, "tunnel": tunnel, "bytes": raw_tunnel, "chained": chained, "resolve": resolve,
    "twice": twice, "hold": hold, "pipeline": pipeline, "leak": leak, "later": later,
    "upgraded": upgraded,
}  # fmt: skip
ARRIVED = {"ECONNREFUSED", "ECONNRESET"}
"""For direct attempts: somebody answered."""
DIRECT = {"dial", "datagram", "ping"}


def try_one(attempt: Attempt) -> Finding:
    """Make one attempt; never raises for what the network or the kernel does. `tries`: until it succeeds, so often."""
    began = time.monotonic()
    for last in range(attempt.get("tries", 1)):
        if last:
            time.sleep(1)
        try:
            finding = KINDS[attempt["kind"]](attempt)
        except OSError as error:
            word = word_for(error)
            finding = {"got": attempt["kind"] in DIRECT and word in ARRIVED, "word": word}
        if finding["got"]:
            break
    return {**finding, "id": attempt.get("id", ""), "ms": round((time.monotonic() - began) * 1000, 1)}


def say(line: Finding) -> None:
    """Print one line; short enough to be written at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def take_orders(url: str) -> list[Attempt]:
    """Wait for attempts that are laid out at an allowed host, and take them."""
    host, _, path = url.partition("/")
    until = time.monotonic() + ORDERS_SECONDS
    while time.monotonic() < until:
        try:
            channel, finding = opened({"host": host})
            with channel:
                if finding["got"]:
                    with unchecked().wrap_socket(channel, server_hostname=host) as inside:
                        inside.sendall(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                        raw = b""
                        while part := inside.recv(65536):
                            raw += part
                    top, _, body = raw.partition(b"\r\n\r\n")
                    if b" 200 " in top.split(b"\r\n")[0]:
                        taken: list[Attempt] = json.loads(body)
                        return taken
        except OSError:
            pass  # not yet
        time.sleep(0.5)
    raise SystemExit("prober: no orders came")


def decoded(text: str) -> list[Attempt]:
    """Read attempts: `@FILE`, or base64 of JSON."""
    raw = pathlib.Path(text[1:]).read_bytes() if text.startswith("@") else base64.b64decode(text)
    attempts: list[Attempt] = json.loads(raw)
    return attempts


def main() -> None:
    """Make the attempts, then stay until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attempts", nargs="?", help="@FILE")
    parser.add_argument("--orders", help="HOST/PATH to take attempts from, through the proxy")
    parser.add_argument("--threads", type=int, default=8)
    arguments = parser.parse_args()
    woken, waker = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(waker, b"!"))
    attempts = take_orders(arguments.orders) if arguments.orders else decoded(arguments.attempts)
    # Controls first: after some attempts the gateway has nothing more to do with this pod.
    controls = [each for each in attempts if each["id"].startswith(CONTROL)]
    for some in (controls, [each for each in attempts if each not in controls]):
        with concurrent.futures.ThreadPoolExecutor(arguments.threads) as threads:
            for finding in concurrent.futures.as_completed([threads.submit(try_one, each) for each in some]):
                say(finding.result())
    say({"id": "", "done": True, "t": time.time()})
    select.select([woken], [], [], STAY_SECONDS)


if __name__ == "__main__":
    main()
