"""The list of guards fits the tree, and the runner tells a test that fails from one that breaks."""

import ast
import dataclasses
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import guards
from tests.guards import Guard, Verdict

LISTED = guards.read(guards.LIST.read_bytes())
IN_SOURCE = [guard for guard in LISTED if not guard.on_cluster]
NAME = "name = 'one'\ntest = 'tests/x.py::test_x'\n"
TEXT = NAME + "file = 'a.py'\nfind = 'x'\n"


def test_there_are_enough() -> None:
    assert len(LISTED) >= 20
    assert len(LISTED) - len(IN_SOURCE) >= 5


@pytest.mark.parametrize("guard", IN_SOURCE, ids=lambda guard: guard.name)
def test_what_is_removed_stands_in_its_file_once(guard: Guard) -> None:
    whole = (guards.ROOT / guard.file).read_text()
    removed = guards.without(whole, guard)
    assert removed != whole
    if guard.file.endswith(".py"):
        ast.parse(removed)


@pytest.mark.parametrize("guard", LISTED, ids=lambda guard: guard.name)
def test_the_test_that_must_turn_red_is_there(guard: Guard) -> None:
    file, _, name = guard.test.partition("::")
    tree = ast.parse((guards.ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert file.startswith("tests/e2e/") is guard.on_cluster


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (f"[[guard]]\n{NAME}", "name either"),
        (f"[[guard]]\n{TEXT}object = 'o'\nresource = 'r'", "name either"),
        (f"[[guard]]\n{NAME}file = 'a.py'", "name either"),
        (f"[[guard]]\n{NAME}resource = 'r'", "name either"),
        (f"[[guard]]\n{TEXT}namespace = 'n'", "name either"),
        (f"[[guard]]\n{TEXT}\n[[guard]]\n{TEXT}", "twice"),
    ],
)
def test_half_a_guard_is_refused(raw: str, problem: str) -> None:
    with pytest.raises(guards.GuardError, match=problem):
        guards.read(raw.encode())
    assert guards.read(f"[[guard]]\n{TEXT}".encode())


@pytest.mark.parametrize("text", ["", "y", "x x"])
def test_a_text_that_does_not_stand_there_once_is_not_removed(text: str) -> None:
    (guard,) = guards.read(f"[[guard]]\n{TEXT}".encode())
    assert guards.without("a x b", guard) == "a  b"
    with pytest.raises(guards.GuardError, match="times, not once"):
        guards.without(text, guard)


def test_a_name_that_is_not_listed_is_refused() -> None:
    assert guards.chosen(LISTED, []) == LISTED
    assert guards.chosen(LISTED, [LISTED[3].name]) == [LISTED[3]]
    with pytest.raises(guards.GuardError, match="not in the list"):
        guards.chosen(LISTED, ["no guard"])


def report(*results: str) -> bytes:
    cases = "".join(f"<testcase>{one}</testcase>" for one in results)
    return f"<testsuites><testsuite>{cases}</testsuite></testsuites>".encode()


@pytest.mark.parametrize(
    ("status", "printed", "verdict"),
    [
        (0, report(""), Verdict.GREEN),
        (1, report("", '<failure message="assert 1 == 2&#10; +  where"/>'), Verdict.RED),
        (1, report('<failure message="AssertionError: no"/>'), Verdict.RED),
        (1, report("<failure message=\"Failed: DID NOT RAISE &lt;class 'E'&gt;\"/>"), Verdict.RED),
        (1, report('<failure message="ModuleNotFoundError: no x"/>'), Verdict.BROKE),
        (1, report('<failure message="KeyError: 1"/>', '<failure message="assert 0"/>'), Verdict.BROKE),
        (1, report('<error message="failed on setup with AssertionError"/>'), Verdict.BROKE),
        (1, report('<failure message="assert 0"/>', '<error message="assert 0"/>'), Verdict.BROKE),
        (1, report(""), Verdict.BROKE),
        (1, b"", Verdict.BROKE),
        (2, report('<error message="collection failure"/>'), Verdict.BROKE),
        (4, b"", Verdict.BROKE),
        (5, report(), Verdict.BROKE),
    ],
)
def test_only_a_test_that_fails_is_red(status: int, printed: bytes, verdict: Verdict) -> None:
    assert guards.judge(status, printed).verdict is verdict


def test_an_object_is_put_back_without_what_the_api_server_writes() -> None:
    saved = b'{"metadata": {"name": "a", "uid": "1", "resourceVersion": "2"}, "spec": {"b": "c"}, "status": {}}'
    assert guards.stripped(saved) == b'{"metadata": {"name": "a"}, "spec": {"b": "c"}}'


ONE = Guard("one", "t", resource="r", namespace="n", object="a")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The verbs that kubectl is asked for; the object is `{"metadata": {"name": "a"}}`."""
    verbs: list[str] = []

    def kubectl(*words: str, stdin: bytes | None = None) -> bytes:
        verbs.append(words[0])
        assert stdin == (b'{"metadata": {"name": "a"}}' if words[0] == "apply" else None)
        assert words[0] == "apply" or words[1:5] == ("--namespace", "n", "r", "a")
        return b'{"metadata": {"name": "a", "uid": "1"}}'

    monkeypatch.setattr(guards, "kubectl", kubectl)
    return verbs


@pytest.mark.parametrize(("patch", "verb"), [("", "delete"), ("[]", "patch")])
def test_an_object_is_put_back_also_when_its_test_breaks(sent: list[str], patch: str, verb: str) -> None:
    with pytest.raises(KeyboardInterrupt), guards.removed(dataclasses.replace(ONE, patch=patch)):
        raise KeyboardInterrupt
    assert sent == ["get", verb, "apply"]


def test_an_object_that_cannot_be_put_back_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def kubectl(*words: str, stdin: bytes | None = None) -> bytes:
        assert stdin
        raise guards.GuardError("no answer")

    monkeypatch.setattr(guards, "kubectl", kubectl)
    monkeypatch.setattr(guards, "AGAIN_SECONDS", 0.0)
    with pytest.raises(guards.NotBackError, match=r"one: NOT put back.*no answer"):
        guards.put_back(ONE, b"{}")


@pytest.mark.parametrize(
    ("away", "back", "verdict"),
    [
        ([Verdict.RED], [Verdict.GREEN], Verdict.RED),
        ([Verdict.GREEN, Verdict.RED], [Verdict.RED, Verdict.GREEN], Verdict.RED),
        ([Verdict.GREEN] * guards.TRIES, [Verdict.GREEN], Verdict.GREEN),
        ([Verdict.RED], [Verdict.RED] * guards.TRIES, Verdict.BROKE),
        ([Verdict.BROKE], [Verdict.GREEN], Verdict.BROKE),
    ],
)
def test_a_guard_on_the_cluster_counts_when_its_test_is_red_and_then_green_again(
    monkeypatch: pytest.MonkeyPatch, sent: list[str], away: list[Verdict], back: list[Verdict], verdict: Verdict
) -> None:
    said = iter([*away, *back])
    monkeypatch.setattr(guards, "pytest", lambda *_, **__: (guards.Outcome(next(said), "why"), ""))
    assert guards.on_cluster(ONE, guards.ROOT).verdict is verdict
    assert next(said, None) is None
    assert sent == ["get", "delete", "apply"]


@pytest.mark.parametrize("problem", [guards.GuardError("no such object"), subprocess.TimeoutExpired("kubectl", 60)])
def test_a_guard_that_cannot_be_removed_is_broken_and_the_next_one_follows(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def removed(guard: Guard) -> None:
        raise problem

    monkeypatch.setattr(guards, "removed", removed)
    assert guards.look(ONE, guards.ROOT) == (Verdict.BROKE, str(problem))


DEAF = """
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
child.wait()
"""
"""Neither it nor its child heeds an interrupt."""


def ended(pid: int) -> bool:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(watched) as one:
        return bool(select.select([one], [], [], 5)[0])


def test_of_a_command_that_does_not_end_nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(guards, "END_SECONDS", 0.1)
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        guards.run([sys.executable, "-c", DEAF, str(tmp_path / "pid")], seconds=1)
    assert time.monotonic() - began < 30, "it was waited for"
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_test_that_does_not_end_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], *, seconds: float, **_: object) -> tuple[int, bytes, bytes]:
        raise subprocess.TimeoutExpired(command, seconds)

    monkeypatch.setattr(guards, "run", run)
    outcome, _ = guards.pytest(["t"], tree=tmp_path, on_cluster=False, seconds=7)
    assert outcome == (Verdict.BROKE, "not done within 7 s")
