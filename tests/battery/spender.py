"""Spend what a policy allows, from inside a pod: `python3 spender.py @ORDERS.json`.

Standard library only: it comes into agent pods by a ConfigMap. An order is a line of the battery: so many threads that
ask the same again and again, by a route (`route`) or a tunnel (`host`), until they have been refused often enough. One
JSON line per answer: `{"line", "status", "rule"}`; status 0 where there was none.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import select
import signal
import ssl
import sys
import time
import urllib.parse
from typing import Any

Order = dict[str, Any]
PROXY = ("127.0.0.1", 15001)
PATIENCE_SECONDS = 30.0
PIECE = 8 * 1024
STAY_SECONDS = 600


def say(line: dict[str, Any]) -> None:
    """Print one line; short enough to be written at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def by_route(order: Order) -> tuple[int, str]:
    """Ask a model by a route; an order that aborts leaves when the answer has begun."""
    url = urllib.parse.urlsplit(os.environ[order["route"].upper().replace("-", "_") + "_BASE_URL"])
    text = "one two three four five six seven eight"
    body = {"model": order["model"], "max_completion_tokens": 10, "messages": [{"role": "user", "content": text}]}
    headers = {"content-type": "application/json", "x-call": order["line"], **order.get("headers", {})}
    raw = json.dumps(body | ({"stream": True} if order.get("stream") else {}))
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("POST", f"{url.path}/chat/completions", raw, headers)
        answer = connection.getresponse()
        if order.get("abort"):
            answer.read(1)
        else:
            answer.read()
        return answer.status, answer.headers.get("x-zaum-rule", "")
    finally:
        connection.close()


def by_tunnel(order: Order) -> tuple[int, str]:
    """Send a piece to a host by a tunnel of its own."""
    connection = http.client.HTTPSConnection(*PROXY, timeout=PATIENCE_SECONDS, context=unchecked())
    connection.set_tunnel(order["host"], 443)
    try:
        connection.request("POST", f"/echo?line={order['line']}", bytes(PIECE))
        answer = connection.getresponse()
        answer.read()
        return answer.status, ""
    finally:
        connection.close()


def unchecked() -> ssl.SSLContext:
    """Give a TLS client that takes whatever certificate comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def ask(order: Order) -> tuple[int, str]:
    """Ask once; what the network or the proxy does is an answer, too."""
    try:
        return by_route(order) if "route" in order else by_tunnel(order)
    except OSError as error:  # http.client says a refused CONNECT by one: "Tunnel connection failed: 402 …"
        words = str(error).split()
        status = next((int(word) for word in words if word.isdigit() and len(word) == 3), 0)
        return status if "Tunnel" in words else 0, ""
    except http.client.HTTPException:
        return 0, ""


def spend(order: Order) -> None:
    """Ask until refused as often as told, or until the time is over."""
    until, refused = time.monotonic() + order["seconds"], 0
    while refused < order["stop"] and time.monotonic() < until:
        status, rule = ask(order)
        refused += status in order["refusals"]
        say({"line": order["line"], "status": status, "rule": rule})
        time.sleep(order.get("pause", 0.0) if status == 200 else max(0.3, order.get("pause", 0.0)))


def main() -> None:
    """Follow all orders beside each other, then stay until SIGTERM."""
    woken, waker = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(waker, b"!"))
    orders: list[Order] = json.loads(pathlib.Path(sys.argv[1].removeprefix("@")).read_bytes())
    threads = sum(order["threads"] for order in orders)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for order in orders:
            for _ in range(order["threads"]):
                pool.submit(spend, order)
    say({"line": "", "done": True})
    select.select([woken], [], [], STAY_SECONDS)


if __name__ == "__main__":
    main()
