"""Remove each guard of `guards.toml` in turn and see the test that names it turn red.

A guard in the source is removed in a copy of the tree, never in the tree itself. A guard on the cluster is an object
that is deleted or patched, and put back afterwards; the chart is installed before and left alone meanwhile. A test that
is not green before, that stays green, or that breaks for another reason than an assertion, counts against us.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

from tests.support.e2e import install

ROOT: Final = Path(__file__).resolve().parent.parent
LIST: Final = Path(__file__).with_suffix(".toml")
PACKAGES: Final = ("crds", "operator", "sandbox", "gateway", ".")
BASELINE_SECONDS: Final = 900
TEST_SECONDS: Final = 240
"""Bounds, not aims."""
ADMISSION_TRIES: Final = 4
"""The API server's admission learns of a deleted object by a watch of its own, a moment later."""
FAILURES: Final = (
    "assert ",
    "AssertionError",
    "Failed: ",
    "tests.support.e2e.api.NotSeenError: ",
)
"""How the message of a test begins that failed by an assertion, `pytest.raises` and waits that give up included."""
REASON_MAX: Final = 100


class GuardError(Exception):
    """The list does not fit the tree, or a test is not green to begin with."""


class Verdict(StrEnum):
    """What a test said to a removal."""

    RED = "red"
    GREEN = "GREEN"
    BROKE = "BROKE"


class Outcome(NamedTuple):
    """A verdict and the first words of the failure; empty for a green one."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Guard:
    """One thing to remove: text in a file, or an object on the cluster."""

    name: str
    test: str
    file: str = ""
    find: str = ""
    replace: str = ""
    resource: str = ""
    object: str = ""
    patch: str = ""

    @property
    def on_cluster(self) -> bool:
        return bool(self.resource)


def read(raw: bytes) -> list[Guard]:
    """Read the list; unknown keys and half guards are errors."""
    guards = [Guard(**entry) for entry in tomllib.loads(raw.decode())["guard"]]
    names = [guard.name for guard in guards]
    for guard in guards:
        if names.count(guard.name) > 1:
            raise GuardError(f"{guard.name}: stands there twice")
        if guard.on_cluster == bool(guard.file) or bool(guard.file) != bool(guard.find):
            raise GuardError(f"{guard.name}: name either file+find+replace or resource+object")
    return guards


def without(text: str, guard: Guard) -> str:
    """Give the file's text without the guard; its `find` must stand there exactly once."""
    if text.count(guard.find) != 1:
        raise GuardError(f"{guard.name}: {guard.file} holds {guard.find!r} {text.count(guard.find)} times, not once")
    return text.replace(guard.find, guard.replace)


def copy_tree(to: Path) -> None:
    """Copy what git knows of (and new files it does not ignore), plus links to the environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name)
    (to / ".venv").symlink_to(ROOT / ".venv")


def pytest(tests: list[str], *, tree: Path, on_cluster: bool, installed: bool = False) -> tuple[Outcome, str]:
    """Run tests of a tree; give their verdict and what pytest printed."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    python = [str(ROOT / ".venv/bin/python"), "-m"]
    inside = [*python, "tests.cluster", "exec", "--"] if on_cluster else []
    path = os.pathsep.join(str(tree / package) for package in PACKAGES)
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*inside, *python, "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    done = subprocess.run(
        command, cwd=tree, env=environment | ({install.INSTALLED: "1"} if installed else {}),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=TEST_SECONDS if len(tests) == 1 else BASELINE_SECONDS,
    )  # fmt: skip
    printed = done.stdout.decode(errors="replace")
    return judge(done.returncode, report.read_bytes() if report.exists() else b""), printed


def judge(status: int, report: bytes) -> Outcome:
    """Tell a test that failed from one that broke, by pytest's exit status and its JUnit report."""
    if status == 0:
        return Outcome(Verdict.GREEN)
    if status != 1 or not report:
        return Outcome(Verdict.BROKE, f"pytest ended with status {status}")
    root = ElementTree.fromstring(report)
    said = [_first_line(item) for item in root.iter("failure")]
    errors = [_first_line(item) for item in root.iter("error")]
    other = [reason for reason in said if not reason.startswith(FAILURES)]
    if errors or other or not said:
        return Outcome(Verdict.BROKE, (errors + other + ["no test failed"])[0])
    return Outcome(Verdict.RED, said[0])


def _first_line(failure: ElementTree.Element) -> str:
    lines = failure.get("message", "").strip().splitlines()
    return lines[0] if lines else ""


def in_source(guard: Guard, tree: Path) -> Outcome:
    """Remove a guard in the copy, run its test, put it back."""
    file = tree / guard.file
    whole = file.read_text()
    file.write_text(without(whole, guard))
    try:
        return pytest([guard.test], tree=tree, on_cluster=False)[0]
    finally:
        file.write_text(whole)


def on_cluster(guard: Guard, tree: Path) -> Outcome:
    """Remove an object or a part of it, run the guard's test, put it back."""
    with removed(guard):
        for _ in range(ADMISSION_TRIES):
            outcome, _printed = pytest([guard.test], tree=tree, on_cluster=True, installed=True)
            if outcome.verdict is not Verdict.GREEN:
                break
    return outcome


@contextmanager
def removed(guard: Guard) -> Iterator[None]:
    """Delete or patch the object for the time of the block."""
    saved = kubectl("get", guard.resource, guard.object, "-o", "json").stdout
    if guard.patch:
        kubectl("patch", guard.resource, guard.object, "--type=json", f"--patch={guard.patch}")
    else:
        kubectl("delete", guard.resource, guard.object, "--wait=true")
    try:
        yield
    finally:
        kubectl("replace" if guard.patch else "create", "-f", "-", stdin=stripped(saved))


def stripped(saved: bytes) -> bytes:
    """Take out of an object what only the API server writes."""
    loaded: dict[str, Any] = json.loads(saved)
    for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        loaded["metadata"].pop(key, None)
    loaded.pop("status", None)
    return json.dumps(loaded).encode()


def kubectl(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run kubectl against the cluster of the tests."""
    command = [str(ROOT / ".venv/bin/python"), "-m", "tests.cluster", "kubectl", "--", *words]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, check=True, timeout=60)


def chosen(guards: list[Guard], names: list[str]) -> list[Guard]:
    """Give those of these names, or all when there are none."""
    unknown = set(names) - {guard.name for guard in guards}
    if unknown:
        raise GuardError(f"not in the list: {', '.join(sorted(unknown))}")
    return [guard for guard in guards if not names or guard.name in names]


def baseline(guards: list[Guard], tree: Path) -> None:
    """See every test green before anything is removed; on the cluster this also installs what is then left alone."""
    for where in (False, True):
        tests = sorted({guard.test for guard in guards if guard.on_cluster is where})
        if not tests:
            continue
        started = time.monotonic()
        outcome, printed = pytest(tests, tree=tree, on_cluster=where)
        if outcome.verdict is not Verdict.GREEN:
            raise GuardError(f"not green before any guard is removed:\n{printed[-4000:]}")
        place = "on the cluster" if where else "in the source"
        _say(f"  green {time.monotonic() - started:5.1f} s  the tests of all guards {place}, before any is removed")


def main() -> int:
    """Run all guards, or those named on the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("guards: FAILED (told to end)"))
    guards = chosen(read(LIST.read_bytes()), sys.argv[1:])
    turned = 0
    with tempfile.TemporaryDirectory(prefix="zaum-guards-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        baseline(guards, tree)
        for guard in guards:
            started = time.monotonic()
            verdict, reason = on_cluster(guard, tree) if guard.on_cluster else in_source(guard, tree)
            turned += verdict is Verdict.RED
            _say(f"  {verdict:5} {time.monotonic() - started:5.1f} s  {guard.name}  [{reason[:REASON_MAX]}]")
    _say(f"guards: {turned} of {len(guards)} turned red")
    return 0 if turned == len(guards) else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (GuardError, subprocess.SubprocessError) as error:
        sys.exit(f"guards: FAILED ({error})")
