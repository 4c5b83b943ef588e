"""`zaum suggest` against an API server on loopback, through the real client and a real kubeconfig."""

import http.server
import json
import socket
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from zaum_api import contract
from zaum_cli import __main__ as command
from zaum_watchdog.core import records

ROOT = Path(__file__).resolve().parents[3]
WRITER = records.Writer(namespace="agents", policy="researcher")
BY = records.BY_WATCHDOG
POLICY = f"/apis/{contract.API_VERSION}/namespaces/agents/agentpolicies/researcher"
PODS = "/api/v1/namespaces/agents/pods"


def line(host: str, rule: contract.Rule = contract.Rule.ALLOWED, *, would_deny: bool = False) -> str:
    return WRITER.decision(0, rule, host, 443, status=200, by=BY, would_deny=would_deny)


class ApiServer:
    """Answers GETs from a table; everything that was asked stands in `asked`."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, dict[str, str], str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                outer.asked.append((path, dict(urllib.parse.parse_qsl(query)), self.headers.get("Authorization", "")))
                status, text = outer.answers.get(path, (404, failure("not found")))
                raw = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def policy(self, spec: dict[str, Any]) -> None:
        self.answers[POLICY] = (200, json.dumps({"spec": spec}))

    def pods(self, **logs: str | None) -> None:
        items = [{"metadata": {"name": name}} for name in logs]
        self.answers[PODS] = (200, json.dumps({"items": items, "metadata": {}}))
        for name, log in logs.items():
            if log is not None:
                self.answers[f"{PODS}/{name}/log"] = (200, log)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def failure(message: str) -> str:
    return json.dumps({"kind": "Status", "message": message})


@pytest.fixture
def server() -> Iterator[ApiServer]:
    running = ApiServer()
    running.policy({})
    yield running
    running.close()


def kubeconfig(to: Path, url: str, *, namespace: str = "agents") -> Path:
    to.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": {"token": "made-for-this-test"}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
            }
        )
    )
    return to


Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> Run:
    status = command.main(["suggest", "researcher", "--kubeconfig", str(config), *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_section_covers_what_all_pods_logged(
    server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = kubeconfig(tmp_path / "config", server.url)
    one = line("a.example.com") + WRITER.event(0, "config", {"hosts": 1})
    two = line("new.example.com", contract.Rule.HOST_NOT_NAMED, would_deny=True)
    two += line("evil.example.com", contract.Rule.HOST_NOT_NAMED)
    server.pods(one=one * 3000, two=two, waiting=None)
    status, out, err = run(capsys, config)
    assert (status, err) == (0, "")
    assert [host["host"] for host in yaml.safe_load(out)["egress"]["hosts"]] == ["a.example.com", "new.example.com"]
    assert "3000 allowed, 1 let pass by the mode Report alone, 1 denied" in out
    assert "seen in 2 pods" in out
    queries = {path: query for path, query, _ in server.asked}
    assert queries[PODS]["labelSelector"] == f"{contract.LABEL_POLICY}=researcher"
    assert queries[f"{PODS}/one/log"] == {"container": "watchdog"}
    assert {token for *_, token in server.asked} == {"Bearer made-for-this-test"}


def test_json_and_spans_and_denied(server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = kubeconfig(tmp_path / "config", server.url, namespace="elsewhere")
    server.pods(one=line("n.example.com", contract.Rule.HOST_NOT_NAMED).removesuffix("\n"))
    status, out, _ = run(capsys, config, "-n", "agents", "-o", "json", "--since", "2h", "--denied")
    assert status == 0
    assert json.loads(out)["egress"] == {"hosts": [{"host": "n.example.com", "ports": [443]}]}
    assert server.asked[-1][1] == {"container": "watchdog", "sinceSeconds": "7200"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((POLICY, 404, "not found"), "there is no AgentPolicy researcher in namespace agents"),
        ((POLICY, 403, 'User "u" cannot get'), 'forbids it: User "u" cannot get; it takes get on agentpolicies'),
        ((PODS, 403, 'User "u" cannot list'), "list on pods"),
        ((f"{PODS}/one/log", 403, "no pods/log"), "get on pods/log"),
        ((POLICY, 401, "Unauthorized"), "log in again"),
        ((POLICY, 500, "it is broken"), "with 500: it is broken"),
    ],
)
def test_what_goes_wrong_is_said_in_one_sentence(
    server: ApiServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: tuple[str, int, str],
    said: str,
) -> None:
    path, status, message = answer
    server.pods(one=line("a.example.com"))
    server.answers[path] = (status, failure(message))
    found, out, err = run(capsys, kubeconfig(tmp_path / "config", server.url))
    assert (found, out) == (1, "")
    assert said in err
    assert err.startswith("zaum: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ({}, "has no pods"),
        ({"one": None}, "none of the 1 pods"),
        ({"one": WRITER.event(0, "config", {})}, "hold no decision"),
        ({"one": ""}, "hold no decision"),
    ],
)
def test_without_logs_nothing_is_suggested(
    server: ApiServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    logs: dict[str, str | None],
    said: str,
) -> None:
    server.pods(**logs)
    status, out, err = run(capsys, kubeconfig(tmp_path / "config", server.url))
    assert (status, out) == (1, "")
    assert said in err


def test_an_api_server_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    status, _, err = run(capsys, kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}"))
    assert status == 1
    assert f"127.0.0.1:{port} is not to be reached" in err


def test_a_kubeconfig_that_is_not_there_or_has_no_such_context_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no usable kubeconfig" in run(capsys, tmp_path / "none")[2]
    config = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    assert "no usable kubeconfig" in run(capsys, config, "--context", "nowhere")[2]


@pytest.mark.parametrize(
    "arguments", [[], ["suggest"], ["suggest", "p", "--since", "1w"], ["suggest", "p", "-o", "xml"]]
)
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage: zaum" in capsys.readouterr().err


def test_help_needs_no_client_and_the_programs_have_their_names() -> None:
    script = (
        "import sys; from zaum_cli import __main__ as m\ntry: m.main(['suggest', '--help'])\nexcept SystemExit: pass\n"
    )
    script += "assert 'kubernetes' not in sys.modules"
    environment = {"PYTHONPATH": f"{ROOT / 'crds'}:{ROOT / 'sandbox'}:{ROOT / 'cli'}"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True)
    scripts = (ROOT / "pyproject.toml").read_text()
    for name in ("zaum", "kubectl-zaum"):
        assert f'\n{name} = "zaum_cli.__main__:script"\n' in scripts
