"""Remove each guard of `guards.toml` in turn and see the test that names it turn red.

A guard in the source is removed in a copy of the tree, never in the tree itself. A guard on the cluster is an object
that is deleted or patched, and put back afterwards; the chart is installed before and left alone meanwhile. A test that
is not green before, that stays green, that breaks for another reason than an assertion, that does not end, or that is
not green again once the object is back, counts against us: the line says so and the next guard follows.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree

from tests.support.e2e import install

ROOT: Final = Path(__file__).resolve().parent.parent
LIST: Final = Path(__file__).with_suffix(".toml")
PACKAGES: Final = ("crds", "operator", "sandbox", "gateway", "cli", ".")
BASELINE_SECONDS: Final = 900
ENTRY_SECONDS: Final = 180
"""For all runs of one guard's test together, until it is red; as long again until it is green. Bounds, not aims."""
END_SECONDS: Final = 20
"""For a test that is told to end to take away what it made."""
TRIES: Final = 4
"""The API server's admission learns of an object that went or came by a watch of its own, a moment later."""
KUBECTL_SECONDS: Final = 60
BACK_TRIES: Final = 5
AGAIN_SECONDS = 2.0
OWNER: Final = "helm"
"""The field manager of the chart's objects: what is put back must not stay when a later chart leaves it out."""
FAILURES: Final = (
    "assert ",
    "AssertionError",
    "Failed: ",
    "tests.support.e2e.api.NotSeenError: ",
)
"""How the message of a test begins that failed by an assertion, `pytest.raises` and waits that give up included."""
REASON_MAX: Final = 100


class GuardError(Exception):
    """The list does not fit the tree, a test is not green to begin with, or an object cannot be removed."""


class NotBackError(Exception):
    """An object was removed and is not put back: whatever is seen after it says nothing."""


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
    namespace: str = ""
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
        objects, texts = (guard.resource, guard.object), (guard.file, guard.find)
        whole = (
            all(objects) and not any(texts) if guard.on_cluster else all(texts) and not any((*objects, guard.namespace))
        )
        if not whole:
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


def run(
    command: list[str],
    *,
    seconds: float,
    cwd: Path = ROOT,
    environment: dict[str, str] | None = None,
    stdin: bytes | None = None,
) -> tuple[int, bytes, bytes]:
    """Give a command's status, output and errors; nothing of it is left running, also when time is up or we end.

    It has a process group of its own, so that an interrupt of ours does not reach it while it puts something back.
    """
    with subprocess.Popen(
        command, cwd=cwd, env=environment, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            printed, errors = process.communicate(stdin or b"", timeout=seconds)
        except BaseException:
            _end(process)
            raise
    return process.returncode, printed, errors


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process group: first as by Ctrl-C, so that pytest takes its fixtures down."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def pytest(
    tests: list[str], *, tree: Path, on_cluster: bool, seconds: float, installed: bool = False
) -> tuple[Outcome, str]:
    """Run tests of a tree; give their verdict and what pytest printed."""
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    python = [str(ROOT / ".venv/bin/python"), "-m"]
    inside = [*python, "tests.cluster", "exec", "--"] if on_cluster else []
    path = os.pathsep.join(str(tree / package) for package in PACKAGES)
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {install.INSTALLED: "1"} if installed else {}
    command = [*inside, *python, "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--junitxml={report}", *tests]
    try:
        status, printed, errors = run(command, seconds=seconds, cwd=tree, environment=environment)
    except subprocess.TimeoutExpired:
        return Outcome(Verdict.BROKE, f"not done within {seconds:.0f} s"), ""
    return judge(status, report.read_bytes() if report.exists() else b""), (printed + errors).decode(errors="replace")


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
        return pytest([guard.test], tree=tree, on_cluster=False, seconds=ENTRY_SECONDS)[0]
    finally:
        file.write_text(whole)


def on_cluster(guard: Guard, tree: Path) -> Outcome:
    """Remove an object or a part of it, see the guard's test; put it back, see it again."""
    with removed(guard):
        outcome = _tried(guard, tree, until_green=False)
    back = _tried(guard, tree, until_green=True)
    if outcome.verdict is Verdict.RED and back.verdict is not Verdict.GREEN:
        return Outcome(Verdict.BROKE, f"not green again: {back.reason}")
    return outcome


def _tried(guard: Guard, tree: Path, *, until_green: bool) -> Outcome:
    """Run the guard's test until it is green, or until it is not; or until tries or time are up."""
    end = time.monotonic() + ENTRY_SECONDS
    for _ in range(TRIES):
        left = max(1.0, end - time.monotonic())
        outcome, _printed = pytest([guard.test], tree=tree, on_cluster=True, seconds=left, installed=True)
        if (outcome.verdict is Verdict.GREEN) is until_green or time.monotonic() >= end:
            break
    return outcome


@contextmanager
def removed(guard: Guard) -> Iterator[None]:
    """Delete or patch the object for the time of the block."""
    place = [*(["--namespace", guard.namespace] if guard.namespace else []), guard.resource, guard.object]
    saved = stripped(kubectl("get", *place, "-o", "json"))
    try:
        if guard.patch:
            kubectl("patch", *place, "--type=json", f"--patch={guard.patch}")
        else:
            kubectl("delete", *place, "--wait=true")
        yield
    finally:
        put_back(guard, saved)


def put_back(guard: Guard, saved: bytes) -> None:
    """Make the object what it was, whatever signals come; NotBackError when the API server does not take it."""
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for left in reversed(range(BACK_TRIES)):
            try:
                owned = ("--server-side", "--force-conflicts", f"--field-manager={OWNER}")
                kubectl("apply", *owned, "-f", "-", stdin=saved)
                return
            except (GuardError, subprocess.TimeoutExpired) as error:
                if not left:
                    raise NotBackError(f"{guard.name}: NOT put back, install the chart again: {error}") from error
                time.sleep(AGAIN_SECONDS)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def stripped(saved: bytes) -> bytes:
    """Take out of an object what only the API server writes."""
    loaded: dict[str, Any] = json.loads(saved)
    for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
        loaded["metadata"].pop(key, None)
    loaded.pop("status", None)
    return json.dumps(loaded).encode()


def kubectl(*words: str, stdin: bytes | None = None) -> bytes:
    """Run kubectl against the cluster of the tests; GuardError with what it printed when it fails."""
    command = [str(ROOT / ".venv/bin/python"), "-m", "tests.cluster", "kubectl", "--", *words]
    status, printed, errors = run(command, seconds=KUBECTL_SECONDS, stdin=stdin)
    if status != 0:
        raise GuardError(f"kubectl {words[0]}: {errors.decode(errors='replace').strip()[-500:]}")
    return printed


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
        outcome, printed = pytest(tests, tree=tree, on_cluster=where, seconds=BASELINE_SECONDS)
        if outcome.verdict is not Verdict.GREEN:
            raise GuardError(f"not green before any guard is removed: {outcome.reason}\n{printed[-4000:]}")
        place = "on the cluster" if where else "in the source"
        _say(f"  green {time.monotonic() - started:5.1f} s  the tests of all guards {place}, before any is removed")


def look(guard: Guard, tree: Path) -> Outcome:
    """Remove one guard and give what its test says; a guard that cannot be removed is broken too."""
    try:
        return on_cluster(guard, tree) if guard.on_cluster else in_source(guard, tree)
    except (GuardError, subprocess.TimeoutExpired) as error:
        return Outcome(Verdict.BROKE, str(error))


def main() -> int:
    """Run all guards, or those named on the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("guards: FAILED (told to end)"))
    guards = chosen(read(LIST.read_bytes()), sys.argv[1:])
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="zaum-guards-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        baseline(guards, tree)
        for guard in guards:
            started = time.monotonic()
            verdict, reason = look(guard, tree)
            missed += [] if verdict is Verdict.RED else [guard.name]
            _say(f"  {verdict:5} {time.monotonic() - started:5.1f} s  {guard.name}  [{reason[:REASON_MAX]}]")
    for name in missed:
        _say(f"  not red: {name}")
    _say(f"guards: {len(guards) - len(missed)} of {len(guards)} turned red")
    return 1 if missed else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("guards: FAILED (told to end)")
    except (GuardError, NotBackError, subprocess.SubprocessError) as error:
        sys.exit(f"guards: FAILED ({error})")
