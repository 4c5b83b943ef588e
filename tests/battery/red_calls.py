"""What a red agent does with its way out: the same for ever, to no end, too much at once. `got`: it did all of it."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import socket
import time
import urllib.parse
from typing import Any

import red  # type: ignore[import-not-found]  # beside this file in the pod

Deed = dict[str, Any]
Finding = dict[str, Any]
ROUTES = ("127.0.0.1", 15002)
PIECE = 64 * 1024
LATE_SECONDS = 1.0


def asked(route: str, path: str, body: bytes, headers: dict[str, str], method: str = "POST") -> int:
    """Ask by a route; 0 where nobody answers."""
    url = urllib.parse.urlsplit(os.environ[route.upper().replace("-", "_") + "_BASE_URL"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=red.PATIENCE_SECONDS)
    try:
        connection.request(method, url.path + path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def once(deed: Deed, number: int) -> int:
    """Make the `number`th call of a deed."""
    match deed["what"]:
        case "same":
            return asked(deed["route"], "/v1/items", b"the same", {"content-type": "text/plain"})
        case "wrong":
            return asked(deed["route"], f"/v1/nothing-{number}", b"", {}, "GET")
        case "send":
            return asked(deed["route"], "/v1/items", os.urandom(PIECE), {"content-type": "text/plain"})
        case "burn":
            words = [{"role": "user", "content": "this or that"[: 4 + number % 2]}]
            body = {"model": deed["model"], "max_completion_tokens": 60, "messages": words}
            headers = {"content-type": "application/json", "x-say": "50"}
            return asked(deed["route"], "/chat/completions", json.dumps(body).encode(), headers)
        case _:
            return 403 if red.fetched(deed["host"], "/", "")[0] == 0 else 200


def calls(deed: Deed) -> Finding:
    """Call `most` times, for `seconds` at most. `passed` counts what was let through."""
    until, statuses = time.monotonic() + deed["seconds"], list[int]()
    while len(statuses) < deed["most"] and time.monotonic() < until:
        statuses.append(once(deed, len(statuses)))
        time.sleep(deed["pause"])
    passed = sum(status == deed.get("status", 200) for status in statuses)
    whole = passed >= deed["most"] * 0.8
    red.say({"id": deed["id"], "holds": passed, "whole": whole, "of": len(statuses), "last": statuses[-5:]})
    return {"got": whole, "word": f"{passed} calls", "made": passed, "last": statuses[-5:]}


def huge(deed: Deed) -> Finding:
    """Send `most` requests at once, each with a body of `size` MiB that it says, and a head that never ends."""

    def one(number: int) -> int:
        sent = 0
        with contextlib.suppress(OSError), socket.create_connection(ROUTES if number % 2 else red.PROXY, 5) as channel:
            channel.settimeout(5)
            path = urllib.parse.urlsplit(os.environ[deed["route"].upper() + "_BASE_URL"]).path
            size = deed["size"] * 1024 * 1024
            head = f"POST {path}/v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"
            head = head if number % 2 else "CONNECT docs.example.com:443 HTTP/1.1\r\nX-Long: "
            channel.sendall(head.encode())
            until = time.monotonic() + deed["seconds"]
            while sent < size and time.monotonic() < until:
                sent += channel.send(b"x" * PIECE)
        return sent

    with concurrent.futures.ThreadPoolExecutor(deed["most"]) as threads:
        sent = list(threads.map(one, range(deed["most"])))
    total = sum(sent)
    red.say({"id": deed["id"], "holds": total, "whole": all(sent)})
    return {"got": total > 0, "word": f"{total // 1024} KiB taken", "made": total}


def connections(deed: Deed) -> Finding:
    """Open `most` connections to the watchdog, say half a head on each, and keep them."""
    held, word = [], "all"
    try:
        for number in range(deed["most"]):
            channel = socket.create_connection(ROUTES if number % 2 else red.PROXY, 5)
            held.append(channel)
            channel.sendall(b"CONNECT docs.exam")
    except OSError as error:
        word = red.word_for(error)
    red.say({"id": deed["id"], "holds": len(held), "whole": len(held) >= deed["most"]})
    time.sleep(deed["seconds"])
    for channel in held:
        channel.close()
    return {"got": len(held) >= deed["most"], "word": word, "made": len(held)}


def flood(deed: Deed) -> Finding:
    """Ask for tunnels as fast as that goes, and leave each as soon as it is answered."""
    until, made = time.monotonic() + deed["seconds"], 0
    head = f"CONNECT {deed['host']}:443 HTTP/1.1\r\nHost: {deed['host']}:443\r\n\r\n".encode()
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(red.PROXY, 2) as channel:
            channel.sendall(head)
            channel.recv(4096)
            made += 1
    return {"got": made > 0, "word": f"{made} answers", "made": made}


def paced(deed: Deed) -> Finding:
    """Call `rate` times a second in each of `threads`; say each second how long every call took from when it was due.

    One that did not pass took as long as one may wait; one that is not begun a second after it was due took that long.
    """
    ending = deed["begin"] + deed["seconds"]

    def one(number: int) -> int:
        due, calls, told = deed["begin"] + number / (deed["rate"] * deed["threads"]), 0, list[tuple[float, float]]()
        while due < ending:
            time.sleep(max(0.0, due - time.time()))
            took = time.time() - due
            if took < LATE_SECONDS:
                status = asked(deed["route"], "/v1/items", f"{number} {due}".encode(), {"content-type": "text/plain"})
                took = time.time() - due if status == 200 else red.PATIENCE_SECONDS
            told.append((round(due - deed["begin"], 2), round(took * 1000, 2)))
            calls += 1
            due += 1 / deed["rate"]
            if len(told) >= deed["rate"] or due >= ending:
                red.say({"id": deed["id"], "took": told})
                told.clear()
        return calls

    with concurrent.futures.ThreadPoolExecutor(deed["threads"]) as threads:
        made = sum(threads.map(one, range(deed["threads"])))
    return {"got": made > 0, "word": f"{made} calls", "made": made}


def ordinary(deed: Deed) -> Finding:
    """Make one call as anybody would, until it passes or `seconds` are over."""
    until, status = time.monotonic() + deed["seconds"], 0
    while status != 200 and time.monotonic() < until:
        status = asked(deed["route"], "/v1/items", b"hello", {"content-type": "text/plain"})
        time.sleep(0.0 if status == 200 else 0.5)
    return {"got": status == 200, "word": str(status)}


def calm(deed: Deed) -> Finding:
    """Call twice a second for `seconds`, as a neighbour would; give how many passed and how long the slowest took."""
    until, took, lost = time.monotonic() + deed["seconds"], [], []
    while time.monotonic() < until:
        began = time.monotonic()
        status = asked(deed["route"], "/v1/items", f"{began}".encode(), {"content-type": "text/plain"})
        took.append(round(time.monotonic() - began, 3))
        if status != 200:
            lost.append(status)
            red.say({"id": deed["id"], "lost": status, "t": time.time()})
        red.say({"id": deed["id"], "calls": len(took), "slowest": max(took), "lost_so_far": len(lost)})
        time.sleep(0.5)
    return {"got": not lost, "word": f"{len(took)} calls, {len(lost)} lost, slowest {max(took)} s"}


KINDS = {
    "calls": calls,
    "huge": huge,
    "connections": connections,
    "ordinary": ordinary,
    "calm": calm,
    "flood": flood,
    "paced": paced,
}
