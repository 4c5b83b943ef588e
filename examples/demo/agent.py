"""A small agent that works and is curious: it knows nothing of Zaum but what its environment says.

It reads a website with httpx and asks a model through the openai SDK; both find the proxy in the environment. Then it
tries what its policy does not name, dials around the proxy, and asks for more than its limit.
Each step is one JSON line on stdout: `{"t", "phase", "outcome", "ms", …}`.

Environment: WEBSITE_URL, UNNAMED_URL, OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, DOORS_FILE (attempts for probe),
REQUESTS_PER_MINUTE (to know when to stop asking).
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import openai
import probe

TIMEOUT_SECONDS: Final = 10.0
REST_SECONDS: Final = 600.0


def step(phase: str, work: Callable[[], dict[str, Any]]) -> None:
    """Do one step and print what came of it; what the network or the proxy refuses is an outcome, no crash."""
    began = time.monotonic()
    try:
        result = work()
    except (httpx.HTTPError, openai.APIError) as error:
        result = {"outcome": type(error).__name__, "detail": str(error) + _cause(error)}
    probe.say(phase, result.pop("outcome"), **result, ms=round((time.monotonic() - began) * 1000, 1))


def _cause(error: BaseException) -> str:
    """Tell why, where the SDK wraps what happened below it."""
    told = str(error.__cause__ or "")
    return f" ({told})" if told and told != str(error) else ""


def read_website() -> dict[str, Any]:
    """Fetch the page that the policy names."""
    answer = httpx.get(os.environ["WEBSITE_URL"], timeout=TIMEOUT_SECONDS)
    return {"outcome": str(answer.status_code), "detail": answer.text.strip()[:80]}


def ask_model() -> dict[str, Any]:
    """Ask once and take the whole answer."""
    with openai.OpenAI(timeout=TIMEOUT_SECONDS, max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=os.environ["OPENAI_MODEL"],
            messages=[{"role": "user", "content": "Is the horse bridled?"}],
        )
    chat = answer.parse()
    tokens = chat.usage.total_tokens if chat.usage else 0
    return {"outcome": str(answer.status_code), "detail": chat.choices[0].message.content, "tokens": tokens}


def stream_model() -> dict[str, Any]:
    """Ask once and take the answer as it comes."""
    words, tokens = "", 0
    with openai.OpenAI(timeout=TIMEOUT_SECONDS, max_retries=0) as client:
        stream = client.chat.completions.create(
            model=os.environ["OPENAI_MODEL"],
            messages=[{"role": "user", "content": "Tell it slowly."}],
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            words += "".join(choice.delta.content or "" for choice in chunk.choices)
            tokens = chunk.usage.total_tokens if chunk.usage else tokens
    return {"outcome": "200", "detail": words, "tokens": tokens}


def visit_unnamed() -> dict[str, Any]:
    """Ask for a host that the policy does not name, as a library does; the proxy's 403 arrives as its error."""
    answer = httpx.get(os.environ["UNNAMED_URL"], timeout=TIMEOUT_SECONDS)
    return {"outcome": str(answer.status_code)}


def tunnel_unnamed() -> dict[str, Any]:
    """Ask for the same host by hand, to see the rule in the answer."""
    return _tunnel(os.environ["UNNAMED_URL"])


def ask_too_much() -> dict[str, Any]:
    """Ask for tunnels until the limit answers; one more than a minute's worth is the bound."""
    least = int(os.environ.get("REQUESTS_PER_MINUTE", "60"))
    for granted in range(least + 1):
        finding = _tunnel(os.environ["WEBSITE_URL"])
        if finding["outcome"] != "200":
            return {**finding, "granted": granted}
    return {"outcome": "never limited", "granted": least + 1}


def _tunnel(url: str) -> dict[str, Any]:
    finding = probe.try_one({"probe": "proxy", "host": urlsplit(url).hostname})
    return {key: finding[key] for key in ("outcome", "rule", "retryAfter") if key in finding}


def main() -> None:
    """Work, be curious, rest."""
    step("website", read_website)
    step("model", ask_model)
    step("model, streamed", stream_model)
    step("unnamed host", visit_unnamed)
    step("unnamed host, by hand", tunnel_unnamed)
    attempts = probe.read_attempts("@" + os.environ["DOORS_FILE"])
    with ThreadPoolExecutor(len(attempts)) as threads:  # Most of them only wait.
        for finding in threads.map(probe.try_one, attempts):
            shown = {key: finding[key] for key in ("target", "rule", "ms")}
            probe.say("door", finding["outcome"], label=finding["name"], **shown)
    step("over the limit", ask_too_much)
    time.sleep(REST_SECONDS)


if __name__ == "__main__":
    main()
