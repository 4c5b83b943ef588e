"""The list of guards fits the tree, and the runner tells a test that fails from one that breaks."""

import ast
import subprocess

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


@pytest.mark.parametrize(("patch", "verbs"), [("", ["get", "delete", "create"]), ("[]", ["get", "patch", "replace"])])
def test_an_object_is_put_back_also_when_its_test_breaks(
    monkeypatch: pytest.MonkeyPatch, patch: str, verbs: list[str]
) -> None:
    sent: list[str] = []

    def kubectl(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        sent.append(words[0])
        assert stdin == (b'{"metadata": {"name": "a"}}' if words[0] in {"create", "replace"} else None)
        return subprocess.CompletedProcess(words, 0, b'{"metadata": {"name": "a", "uid": "1"}}')

    monkeypatch.setattr(guards, "kubectl", kubectl)
    with pytest.raises(KeyboardInterrupt), guards.removed(Guard("one", "t", resource="r", object="a", patch=patch)):
        raise KeyboardInterrupt
    assert sent == verbs
