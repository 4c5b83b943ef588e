"""An agent with a budget: it asks a model through the openai SDK, again and again, and does not look at what it costs.

Each call is one JSON line: `{"t", "phase": "call", "outcome", "type", "rule", "tokens", …}`. It knows nothing of Zaum
but the address that its environment gives the model. Environment: MODELS_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL.
"""

import os
import time
from typing import Any, Final

import openai
import probe

PAUSE_SECONDS: Final = 0.3
WORDS: Final = "one two three four five six seven eight"


def ask(client: openai.OpenAI) -> dict[str, Any]:
    """Ask once; what the route refuses comes as the error that the library has for it."""
    try:
        answer = client.chat.completions.create(
            model=os.environ["OPENAI_MODEL"],
            messages=[{"role": "user", "content": WORDS}],
            max_completion_tokens=10,
            extra_headers={"x-call": "demo-spender"},
        )
    except openai.APIStatusError as error:
        told = error.body if isinstance(error.body, dict) else {}
        rule = error.response.headers.get("x-zaum-rule", "")
        return {"outcome": str(error.status_code), "type": told.get("type", ""), "rule": rule}
    except openai.APIError as error:
        return {"outcome": type(error).__name__}
    return {"outcome": "200", "tokens": answer.usage.total_tokens if answer.usage else 0}


def main() -> None:
    """Ask for ever."""
    with openai.OpenAI(base_url=os.environ["MODELS_BASE_URL"], max_retries=0, timeout=20) as client:
        while True:
            found = ask(client)
            probe.say("call", found.pop("outcome"), **found)
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
