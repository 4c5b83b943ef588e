"""`zaum usage` against an API server on loopback, through the real client and a real kubeconfig."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import test_suggest as suggest
from zaum_api import contract
from zaum_cli import __main__ as command

ALL = f"/apis/{contract.API_VERSION}/agentpolicies"
HERE = f"/apis/{contract.API_VERSION}/namespaces/agents/agentpolicies"


@pytest.fixture
def server() -> Iterator[suggest.ApiServer]:
    running = suggest.ApiServer()
    yield running
    running.close()


def policy(namespace: str, name: str, cost: str) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "status": {"usage": {"cost": cost}}}


def page(*items: dict[str, Any], going_on: str = "") -> tuple[int, str]:
    return 200, json.dumps({"items": items, "metadata": {"continue": going_on}})


def run(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> suggest.Run:
    status = command.main(["usage", "--kubeconfig", str(config), *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_contexts_namespace_is_listed_and_all_of_them_where_that_is_asked(
    server: suggest.ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = suggest.kubeconfig(tmp_path / "config", server.url)
    server.answers[HERE] = page(policy("agents", "b", "1.00"), policy("agents", "a", "2.00"))
    server.answers[ALL] = page(policy("other", "c", "3.00"))
    status, out, _ = run(capsys, config)
    assert (status, [line.split()[1] for line in out.splitlines()[1:]]) == (0, ["a", "b"])
    status, out, _ = run(capsys, config, "-A", "-o", "json")
    assert [item["usage"]["cost"] for item in json.loads(out)] == ["3.00"]


def test_one_policy_is_looked_up_by_its_name(
    server: suggest.ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = suggest.kubeconfig(tmp_path / "config", server.url)
    server.answers[f"{HERE}/a"] = (200, json.dumps(policy("agents", "a", "2.00")))
    status, out, _ = run(capsys, config, "a")
    assert (status, out.splitlines()[1].split()[:2]) == (0, ["agents", "a"])
    assert run(capsys, config, "gone")[0] == 1


def test_where_there_is_nothing_it_says_so(
    server: suggest.ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = suggest.kubeconfig(tmp_path / "config", server.url)
    server.answers[HERE] = page()
    status, out, err = run(capsys, config)
    assert (status, out) == (1, "")
    assert "there is no AgentPolicy in agents" in err
    assert "leave out -A" in run(capsys, config, "a", "-A")[2]
