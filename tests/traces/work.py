"""Ordinary work of an agent, on this machine alone: what the traces are recorded of."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.integration.watchdog import metering, rig

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
PYTHON: Final = sys.executable
_FILES: Final = 60


def shell(script: str, at: Path) -> None:
    """Run a script of the work; it must succeed."""
    subprocess.run(["/bin/sh", "-euc", script], cwd=at, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def git(at: Path, _: rig.Watchdog) -> None:
    """Clone, look around, change, commit, clean up."""
    shell(
        f"""
        git clone -q --no-hardlinks 'file://{ROOT}' clone
        cd clone
        git switch -qc work
        git config user.name someone; git config user.email someone@example.com
        git log --stat -200 | tail -1
        git grep -n import | wc -l
        for n in $(seq 150); do
            echo $n >> README.md; git status --short; git diff --stat; git commit -qam "Change $n"
        done
        for file in $(git ls-files '*.py' | head -400); do git blame "$file" | wc -l; done
        git checkout -qb side HEAD~100
        for n in $(seq 60); do echo $n >> "side$n"; git add .; git commit -qm "Aside $n"; done
        git rebase -q work
        git gc -q
        """,
        at,
    )


def pip(at: Path, _: rig.Watchdog) -> None:
    """Make an environment, build a package, install it, look at it, take it away."""
    package = at / "package" / "thing"
    package.mkdir(parents=True)
    for number in range(200):
        (package / f"m{number}.py").write_text(f"def f{number}():\n    return {number}\n" * 20)
    (package / "__init__.py").write_text("")
    (at / "package" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "thing"\nversion = "1"\n'
    )
    shell(
        f"""
        '{PYTHON}' -m venv env
        for n in 1 2 3 4; do
            '{PYTHON}' -m pip wheel -q --no-index --no-deps --no-build-isolation -w wheels ./package
            env/bin/pip install -q --no-index wheels/*.whl
            env/bin/pip list; env/bin/pip check; env/bin/pip freeze; env/bin/pip uninstall -qy thing
        done
        """,
        at,
    )


def pytest(at: Path, _: rig.Watchdog) -> None:
    """Run a test suite of some size, and parts of it again, twice."""
    suite = ROOT / "tests/unit"
    shell(
        f"""
        cd '{ROOT}'
        '{PYTHON}' -m pytest -q -p no:cacheprovider '{suite}/zaum_egress' '{suite}/zaum_watchdog/metering'
        for n in 1 2; do
            '{PYTHON}' -m pytest -q -p no:cacheprovider '{suite}/zaum_watchdog/test_routes.py'
            '{PYTHON}' -m pytest -q -p no:cacheprovider '{suite}/zaum_gateway'
        done
        """,
        at,
    )


def build(at: Path, _: rig.Watchdog) -> None:
    """Configure with many small programs, compile with several at a time, link."""
    for number in range(_FILES):
        body = "".join(f"int f{number}_{n}(int a) {{ return a * {n} + (a >> 2); }}\n" for n in range(200))
        (at / f"m{number}.c").write_text(body)
    (at / "main.c").write_text("int main(void) { return 0; }\n")
    objects = " ".join(f"m{number}.o" for number in range(_FILES))
    (at / "Makefile").write_text(
        f"all: out\nout: main.o {objects}\n\tcc -o $@ $^\n%.o: %.c\n\tcc -O2 -c -o $@ $<\nclean:\n\trm -f *.o out\n"
    )
    shell(
        """
        for n in $(seq 200); do expr $n + 1 > /dev/null; echo "$n" | sed s/1/2/ | grep -c 2 || true; done
        for h in stdio stdlib string unistd fcntl errno math time; do echo "#include <$h.h>" | cc -E -x c - ; done
        make -s -j4 all; make -s clean; make -s -j2 all
        """,
        at,
    )


def llm(at: Path, watchdog: rig.Watchdog) -> None:
    """Think, act, and again: see `loop`."""
    package = at / "package"
    shutil.copytree(ROOT / "crds/zaum_api", package)
    shell("git init -q; git add -A; git -c user.name=a -c user.email=a@example.com commit -qm All", package)
    url = f"http://127.0.0.1:{watchdog.routes}{metering.PATHS['chat']}"
    subprocess.run([PYTHON, str(HERE / "loop.py"), url, str(package)], check=True)


ALL: Final[dict[str, Callable[[Path, rig.Watchdog], None]]] = {
    "git": git,
    "pip": pip,
    "pytest": pytest,
    "build": build,
    "llm": llm,
}
