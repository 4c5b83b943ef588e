"""Remove each guard of `guards.toml` in turn and see the test that names it turn red.

A guard in the source is removed in a copy of the tree, never in the tree itself. A guard on the cluster is an object
that is deleted, and created again afterwards. A test that is not green before, that stays green, or that breaks for
another reason than a failed test (exit status 1 of pytest) counts against us.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
LIST: Final = Path(__file__).with_suffix(".toml")
PACKAGES: Final = ("crds", "operator", "sandbox", "gateway", ".")
TEST_SECONDS: Final = 900
"""A bound, not an aim: the run over all named tests, before anything is removed, is the longest."""
ADMISSION_TRIES: Final = 4
"""The API server's admission informers lag a deleted object by up to a second; a test takes longer than that."""


class GuardError(Exception):
    """The list does not fit the tree, or a test is not green to begin with."""


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
        if guard.on_cluster == bool(guard.file):
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


def pytest(tests: list[str], *, tree: Path, on_cluster: bool) -> tuple[int, str]:
    """Run tests of a tree; give pytest's exit status and what it printed."""
    python = [str(ROOT / ".venv/bin/python"), "-m"]
    inside = [*python, "tests.cluster", "exec", "--"] if on_cluster else []
    path = os.pathsep.join(str(tree / package) for package in PACKAGES)
    command = [*inside, *python, "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TEST_SECONDS, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace")


def in_source(guard: Guard, tree: Path) -> bool:
    """Remove a guard in the copy, run its test, put it back; tell whether the test turned red."""
    file = tree / guard.file
    whole = file.read_text()
    file.write_text(without(whole, guard))
    try:
        status, printed = pytest([guard.test], tree=tree, on_cluster=False)
    finally:
        file.write_text(whole)
    return red(status, printed)


def on_cluster(guard: Guard, tree: Path) -> bool:
    """Remove an object, run the guard's test, create the object again; tell whether the test turned red."""
    with removed(guard):
        for _ in range(ADMISSION_TRIES):
            status, printed = pytest([guard.test], tree=tree, on_cluster=True)
            if red(status, printed):
                return True
    return False


@contextmanager
def removed(guard: Guard) -> Iterator[None]:
    """Delete the object for the time of the block."""
    saved = kubectl("get", guard.resource, guard.object, "-o", "json").stdout
    kubectl("delete", guard.resource, guard.object, "--wait=true")
    try:
        yield
    finally:
        kubectl("create", "-f", "-", stdin=stripped(saved))


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


def red(status: int, printed: str) -> bool:
    """Tell whether a test failed, as against never having run."""
    if status not in (0, 1) or " error" in printed.splitlines()[-1]:
        raise GuardError(f"the test broke instead of failing (status {status}):\n{printed[-2000:]}")
    return status == 1


def main() -> int:
    """Run all guards, or those named on the command line."""
    chosen = sys.argv[1:]
    guards = [guard for guard in read(LIST.read_bytes()) if not chosen or guard.name in chosen]
    turned = 0
    with tempfile.TemporaryDirectory(prefix="zaum-guards-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        for where in (False, True):
            tests = sorted({guard.test for guard in guards if guard.on_cluster is where})
            status, printed = pytest(tests, tree=tree, on_cluster=where) if tests else (0, "")
            if status != 0:
                raise GuardError(f"not green before any guard is removed:\n{printed[-4000:]}")
        for guard in guards:
            started = time.monotonic()
            did = on_cluster(guard, tree) if guard.on_cluster else in_source(guard, tree)
            turned += did
            print(f"  {'red ' if did else 'GREEN'} {time.monotonic() - started:5.1f} s  {guard.name}", flush=True)
    print(f"guards: {turned} of {len(guards)} turned red")
    return 0 if turned == len(guards) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GuardError as error:
        sys.exit(f"guards: FAILED ({error})")
