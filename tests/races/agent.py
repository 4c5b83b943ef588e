"""Call models from many threads until a moment, and print what came of each call, as JSON lines.

Runs in an agent's pod and on loopback, with nothing but the standard library. Its one argument is a JSON object: `urls`
(of the routes, by API), `pod` (a name that no other run has; the host's by default), `workers`, `until` (seconds since
the epoch), `seed`, `model` and `stay` (do not end). A call's line comes when it begins (`begun`), and when it is over.
"""

import http.client
import json
import random
import socket
import sys
import threading
import time
import urllib.parse
from typing import Any

WORDS = 400
MOST = 420
THOUGHT_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
FAULTS = ("truncated", "silent", "missing", "crashed", "overloaded")
FAULTY = 0.06
TEXT = "Say it in a few words, and then once more, but not at such a length, please."
LOCK = threading.Lock()


def say(**fields: object) -> None:
    """Print one line."""
    with LOCK:
        print(json.dumps(fields), flush=True)


def asked(dice: random.Random, model: str) -> tuple[str, str, dict[str, Any]]:
    """Draw what one call asks: its API, path and body, and how many words it wants to hear."""
    stream = dice.random() < 0.5
    more: dict[str, Any] = {"stream": True} if stream else {}
    message: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": TEXT[: dice.randint(9, len(TEXT))]}],
    }
    kind = dice.choice(("chat", "messages", "responses"))
    if kind == "messages":
        return "anthropic", "/v1/messages", message | {"max_tokens": MOST} | more
    if kind == "responses":
        return (
            "openai",
            "/responses",
            {"model": model, "input": message["messages"][0]["content"], "max_output_tokens": MOST} | more,
        )
    return "openai", "/chat/completions", message | {"max_completion_tokens": MOST} | more


def counted(kind: str, text: str) -> int | None:
    """Give the tokens that an answer says were used, None where it does not say."""
    found: dict[str, Any] = {}
    lines = [line.partition(":")[2] for line in text.splitlines() if line.startswith("data:")]
    for line in lines or [text]:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            inner = document.get("message") or document.get("response") or document
            found.update(inner.get("usage") or document.get("usage") or {})
    if "total_tokens" in found:
        return int(found["total_tokens"])
    names = ("input_tokens", "cache_read_input_tokens", "output_tokens")
    return sum(int(found.get(name, 0)) for name in names) if kind == "anthropic" and found else None


def call(url: str, kind: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    """Make one call; give what came of it."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE_SECONDS)
    seen: dict[str, Any] = {"status": 0, "rule": "", "whole": False, "tokens": None}
    try:
        connection.connect()
        seen["connected"] = True
        connection.request("POST", where.path + path, json.dumps(body), headers)
        answer = connection.getresponse()
        seen |= {"status": answer.status, "rule": answer.headers.get("x-zaum-rule", "")}
        text = answer.read().decode()
        seen["whole"] = True
        seen["tokens"] = counted(kind, text) if answer.status == 200 else None
    except (OSError, http.client.HTTPException) as error:
        seen["problem"] = repr(error)
    finally:
        connection.close()
    return seen


def away(dice: random.Random, seen: dict[str, Any]) -> float:
    """Say for how many seconds to make no call."""
    if seen["status"] == 200:
        return dice.uniform(0, 0.2)
    return dice.uniform(0.5, 2.0)


def work(given: dict[str, Any], number: int, gate: threading.Barrier) -> None:
    """Call again and again."""
    dice = random.Random(f"{given['seed']} {given['pod']} {number}")
    gate.wait()
    turn = 0
    while time.time() < given["until"]:
        turn += 1
        name = f"{given['pod']}.{number}.{turn}"
        api, path, body = asked(dice, given["model"])
        fault = dice.choice(FAULTS) if dice.random() < FAULTY else ""
        headers = {
            "content-type": "application/json", "x-call": name, "anthropic-version": "2023-06-01",
            "x-say": str(dice.randint(1, WORDS)), "x-wait": f"{dice.uniform(0, THOUGHT_SECONDS):.3f}",
        }  # fmt: skip
        if fault:
            headers["x-fault"] = fault
        say(call=name, begun=time.time())
        seen = call(given["urls"][api], api, path, body, headers)
        say(call=name, ended=time.time(), fault=fault, **seen)
        time.sleep(away(dice, seen))


def main() -> None:
    """Run all workers to their end, and say so."""
    given = {"pod": socket.gethostname(), **json.loads(sys.argv[1])}
    gate = threading.Barrier(given["workers"])
    threads = [threading.Thread(target=work, args=(given, number, gate)) for number in range(given["workers"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(over=True)
    if given.get("stay"):
        threading.Event().wait()


if __name__ == "__main__":
    main()
