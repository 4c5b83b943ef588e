"""I07 as real SDKs meet it, with their own retries: told to wait they wait, told that it is spent they stop.

What their answers say was used, whole and streamed, is what the watchdog charges and what the provider's books say.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.e2e.test_clients import PYTHON, done
from tests.races.running import route
from tests.support.e2e.agents import Agents
from tests.support.e2e.api import NotSeenError, Object
from tests.support.e2e.spending import NO_VERDICT, credential
from tests.support.e2e.world import World
from zaum_api import contract

PATHS: Final = ("/chat/completions", "/responses", "/embeddings")
GENEROUS: Final[Object] = {"requests": {"perMinute": 6000, "burst": 1000}, "cost": {"perDay": "1000.00"}}
SPENT: Final[Object] = GENEROUS | {"cost": {"perDay": "0.10"}}
"""Enough for a few calls."""
PACED: Final[Object] = {"requests": {"perMinute": 60, "burst": 1}, "cost": {"perDay": "1000.00"}}
"""One every second."""

OPEN: Final = """
import asyncio, json, openai, anthropic
seen = []
def saw(answer):
    seen.append(answer.status_code)
async def saw_later(answer):
    seen.append(answer.status_code)
def client(kind, http):
    hooks = {"response": [saw]}
    return kind(http_client=http(event_hooks=hooks), default_headers={"x-call": "sdk call"})
def gpt():
    return client(openai.OpenAI, openai.DefaultHttpxClient)
def claude():
    return client(anthropic.Anthropic, anthropic.DefaultHttpxClient)
MODEL, TEXT = "world-1", [{"role": "user", "content": "one two three"}]
"""
"""Every answer's status is seen, also of those that the SDK asks again for."""
CALLS: Final[Mapping[str, str]] = {
    "openai": """
answer = gpt().chat.completions.create(model=MODEL, messages=TEXT, max_completion_tokens=9)
text, used = answer.choices[0].message.content, answer.usage.total_tokens
""",
    "openai, streamed": """
text, used = "", 0
for part in gpt().chat.completions.create(
    model=MODEL, messages=TEXT, max_completion_tokens=9, stream=True, stream_options={"include_usage": True}
):
    text += part.choices[0].delta.content or "" if part.choices else ""
    used = part.usage.total_tokens if part.usage else used
""",
    "openai, streamed by a helper": """
with gpt().chat.completions.stream(model=MODEL, messages=TEXT, max_completion_tokens=9) as stream:
    for _ in stream:
        pass
    answer = stream.get_final_completion()
text, used = answer.choices[0].message.content, answer.usage.total_tokens
""",
    "openai, responses": """
answer = gpt().responses.create(model=MODEL, input="one two three", max_output_tokens=16)
text, used = answer.output_text, answer.usage.total_tokens
""",
    "openai, embeddings": """
answer = gpt().embeddings.create(model=MODEL, input="one two three", encoding_format="float")
text, used = "You said: one two three" if answer.data[0].embedding else "", answer.usage.total_tokens
""",
    "openai, asynchronous": """
async def main():
    http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [saw_later]})
    async with openai.AsyncOpenAI(http_client=http, default_headers={"x-call": "sdk call"}) as own:
        return await own.chat.completions.create(model=MODEL, messages=TEXT, max_completion_tokens=9)
answer = asyncio.run(main())
text, used = answer.choices[0].message.content, answer.usage.total_tokens
""",
    "anthropic": """
answer = claude().messages.create(model=MODEL, messages=TEXT, max_tokens=9)
text = answer.content[0].text
used = answer.usage.input_tokens + answer.usage.cache_read_input_tokens + answer.usage.output_tokens
""",
    "anthropic, streamed": """
with claude().messages.stream(model=MODEL, messages=TEXT, max_tokens=9) as stream:
    text = "".join(stream.text_stream)
    answer = stream.get_final_message()
used = answer.usage.input_tokens + answer.usage.cache_read_input_tokens + answer.usage.output_tokens
""",
}
TWICE: Final = OPEN + "for _ in range(2):\n    exec({call!r})\nsay(json.dumps([text, seen]))\n"
ONCE: Final = OPEN + "exec({call!r})\nsay(json.dumps([text, seen, used]))\n"
UNTIL_REFUSED: Final = (
    OPEN
    + """
for _ in range(60):
    del seen[:]
    try:
        exec({call!r})
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        say(json.dumps([error.status_code, seen, error.body, error.response.headers["x-zaum-rule"]]))
        break
    except openai.LengthFinishReasonError:
        pass  # What is left was enough for a shorter answer only.
"""
)


@pytest.fixture
def people(agents: Agents, images: dict[str, str]) -> Agents:
    """Agents that run the image of clients, with a credential for their models."""
    agents.image = images["clients"]
    credential(agents)
    return agents


def asked(people: Agents, name: str, program: str, limits: Object, calls: Mapping[str, str] = CALLS) -> list[Any]:
    """Have each SDK make its calls in one agent; give what each said."""
    routes = [route("gpt", "OpenAI", "/v1", *PATHS), route("claude", "Anthropic", "", "/v1/messages")]
    work = [program.replace("{call!r}", repr(call)) for call in calls.values()]
    found = done(people, name, PYTHON, work, {}, egress={"routes": routes}, limits=limits, runaway=NO_VERDICT)
    assert [each["err"] for each in found if each["code"]] == []
    return [json.loads(each["out"]) for each in found]


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i07_an_sdk_that_is_told_to_wait_waits_and_is_served(people: Agents) -> None:
    for name, (text, seen) in zip(CALLS, asked(people, "paced", TWICE, PACED), strict=True):
        assert text == "You said: one two three", name
        assert seen.count(200) == 2, (name, seen)
        assert seen.count(429) in range(1, 4), f"{name} was told to wait, and when is enough: {seen}"


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i07_an_sdk_that_is_told_that_the_budget_is_spent_does_not_ask_again(people: Agents) -> None:
    # Embeddings have no answer that is reserved, so one may still fit where nothing else does.
    calls = {name: call for name, call in CALLS.items() if "embeddings" not in name}
    outcomes = asked(people, "spent", UNTIL_REFUSED, SPENT, calls)
    for name, (status, seen, body, rule) in zip(calls, outcomes, strict=True):
        assert (status, seen) == (402, [402]), f"{name} asked once: {seen}"
        assert rule == contract.Rule.COST_PER_DAY.value
        kind = body["error"]["type"] if name.startswith("anthropic") else body["type"]
        assert kind == ("billing_error" if name.startswith("anthropic") else "insufficient_quota"), body


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_i07_what_an_sdk_is_told_was_used_is_charged_and_stands_in_the_providers_books(
    people: Agents, world: World
) -> None:
    mark = world.mark()
    outcomes = asked(people, "counted", ONCE, GENEROUS)
    assert [(text, seen) for text, seen, _ in outcomes] == [("You said: one two three", [200])] * len(CALLS)
    pod = people.running("counted")
    used = [total for _, _, total in outcomes]
    told = [record["detail"] for record in world.since(mark) if record["detail"].get("call", "").startswith("sdk ")]
    assert [detail["input"] + detail["output"] for detail in told] == used
    assert charged(people, pod, len(CALLS)) == used


def charged(people: Agents, pod: Object, count: int) -> list[int]:
    """Read what the watchdog charged for so many calls."""
    found = []
    for line in people.lines(pod, seconds=30, container=contract.CONTAINER_WATCHDOG):
        if line.get("kind") == "request" and "reservedTokens" in line:
            assert line["doubt"] == "", line
            found.append(line["tokens"])
        if len(found) == count:
            return found
    raise NotSeenError(f"{len(found)} of {count} charges")
