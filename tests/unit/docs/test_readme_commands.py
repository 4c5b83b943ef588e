"""Every command of the README is one: its target, chart, resource, condition or option is there."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from zaum_api import conditions, contract
from zaum_cli import __main__ as cli

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
READERS = MAKEFILE + "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    *(line.split("  #")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()),
    *re.findall(
        r"`((?:[A-Z_]+=\S+ )*(?:make|kubectl|helm|zaum) [^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    ),
]
POLICY = next(yaml.safe_load(text.replace("…", "0" * 64)) for kind, text in BLOCKS if kind == "yaml")
RESOURCE = contract.KIND_POLICY.lower()


def make(words: list[str]) -> None:
    target, *settings = words
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), "no such target"
    for name, value in (setting.split("=", 1) for setting in settings):
        assert f"$({name})" in MAKEFILE or f"$(or $({name})" in MAKEFILE, f"nothing reads {name}"
        if name == "BENCH":
            assert any((ROOT / f"bench/{value}{end}").exists() for end in (".py", "/__main__.py"))


def helm(words: list[str]) -> None:
    verb, release, chart, *options = words
    assert (verb, release) == ("install", "zaum")
    assert (ROOT / chart / "Chart.yaml").exists()
    assert options == ["--namespace", "zaum-system", "--create-namespace"]


def kubectl(words: list[str]) -> None:
    match words:
        case ["explain", path]:
            assert path == f"{RESOURCE}.spec"
        case ["get", resource, *options]:
            assert resource == RESOURCE or (resource, options) == (contract.PLURAL_INCIDENT, ["-A", "-o", "wide"])
        case ["apply", "-f", file]:
            assert file.endswith(".yaml")
        case ["wait", "-n", namespace, named, condition]:
            assert {"namespace": namespace, "name": named.removeprefix(f"{RESOURCE}/")} == POLICY["metadata"]
            assert condition.removeprefix("--for=condition=") in set(conditions.ConditionType)
        case _:
            pytest.fail(f"nothing here knows kubectl {words}")


def zaum(words: list[str]) -> None:
    read = cli._options().parse_args(words)
    assert read.namespace == POLICY["metadata"]["namespace"]
    if read.command == "release":
        assert re.fullmatch(rf"{POLICY['metadata']['name']}-[0-9a-f]{{10}}", read.incident)
    else:
        assert read.policy in {POLICY["metadata"]["name"], None}


TOOLS = {"make": make, "helm": helm, "kubectl": kubectl, "zaum": zaum}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    words = shlex.split(command)
    while re.fullmatch(r"[A-Z_]+=\S+", words[0]):
        name = words.pop(0).partition("=")[0]
        assert name in READERS, f"nothing reads {name}"
    TOOLS[words[0]](words[1:])


def test_commands_of_every_tool_are_found() -> None:
    found = {word for command in COMMANDS for word in shlex.split(command) if word in TOOLS}
    assert found == set(TOOLS)
    assert len(COMMANDS) > 20


def test_an_odd_command_is_told() -> None:
    for wrong in ("make nothing", "make bench BENCH=nothing", "helm install zaum charts/none", "kubectl delete ns x"):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            test_every_command_is_one(wrong)
