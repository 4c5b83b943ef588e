"""An agent at work through a metered route, until it runs away: the same question for ever, at full speed.

Where its questions are refused, because a minute's worth was asked before, it hammers at what it may not ask instead.

It knows nothing of Zaum but the address that its environment gives the model. Its lines: `{"t", "phase": "work" |
"runaway", "outcome", "rule", …}`, of the loop only where the outcome changes. With RUNAWAY=no it only works.
Environment: MODELS_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import openai
import probe

WORKS: Final = 3
PAUSE_SECONDS: Final = 0.4
LOOP_SECONDS: Final = 120.0
"""The loop ends by itself, should nobody end it."""


def ask(client: openai.OpenAI, question: str) -> dict[str, Any]:
    """Ask the model once."""
    return outcome(
        lambda: client.chat.completions.create(
            model=os.environ["OPENAI_MODEL"],
            messages=[{"role": "user", "content": question}],
            max_completion_tokens=5,
            extra_headers={"x-call": socket.gethostname()},
        )
    )


def pry(client: openai.OpenAI) -> dict[str, Any]:
    """Ask once for what the policy does not allow."""
    return outcome(lambda: client.embeddings.create(model=os.environ["OPENAI_MODEL"], input="Let me in."))


def outcome(call: Callable[[], object]) -> dict[str, Any]:
    """Say how a call ends; what the route refuses comes as the error that the library has for it."""
    try:
        call()
    except openai.APIStatusError as error:
        return {"outcome": str(error.status_code), "rule": error.response.headers.get("x-zaum-rule", "")}
    except openai.APIError as error:
        return {"outcome": type(error).__name__, "rule": ""}
    return {"outcome": "200", "rule": ""}


def work(client: openai.OpenAI, number: int) -> bool:
    """Ask something new; say whether it was answered."""
    found = ask(client, f"What is {number} times {number}?")
    probe.say("work", found["outcome"], rule=found["rule"])
    time.sleep(PAUSE_SECONDS)
    return bool(found["outcome"] == "200")


def run_away(again: Callable[[], dict[str, Any]]) -> None:
    """Do the same again and again, whatever comes back."""
    until, before, calls = time.monotonic() + LOOP_SECONDS, ("", ""), 0
    while time.monotonic() < until:
        found, calls = again(), calls + 1
        now = found["outcome"], found["rule"]
        if now != before:
            probe.say("runaway", found["outcome"], rule=found["rule"], calls=calls)
        before = now


def main() -> None:
    """Work; then run away, or work on."""
    with openai.OpenAI(base_url=os.environ["MODELS_BASE_URL"], max_retries=0, timeout=20) as client:
        answered = [work(client, number) for number in range(WORKS)]
        if os.environ.get("RUNAWAY") != "no":
            run_away((lambda: ask(client, "Are we there yet?")) if all(answered) else (lambda: pry(client)))
        while True:
            work(client, int(time.time()))


if __name__ == "__main__":
    main()
