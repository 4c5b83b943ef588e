"""Scan the rendered chart and rendered agents with checkov: nothing may fail, nothing may be skipped.

`python -m tests.integration.chart.scan`; the scanner lives in a virtual environment of its own in the cache, from
the hash-locked requirements/checkov.txt, because its dependencies are none of the product's.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster import build
from tests.integration.chart import rendering

LOCK: Final = rendering.ROOT / "requirements/checkov.txt"
GOLDEN: Final = rendering.ROOT / "tests/unit/zaum_operator/core/golden"


@dataclass(frozen=True)
class Result:
    """What the scanner counted, and each failure as `check resource`."""

    passed: int
    skipped: int
    unread: int
    failures: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Say whether everything was read and nothing failed or was skipped."""
        return self.passed > 0 and not (self.skipped or self.unread or self.failures)


def scan(manifests: dict[str, str]) -> Result:
    """Scan manifests by file name."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in manifests.items():
            (Path(directory) / name).write_text(text)
        command = [str(scanner()), "--directory", directory, "--framework", "kubernetes", "--skip-download"]
        # Nothing is sent anywhere: no key, no download of guides, and a proxy that is not there.
        environment = {"PATH": os.environ["PATH"], "HOME": directory, "HTTPS_PROXY": "http://127.0.0.1:9"}
        done = subprocess.run(
            [*command, "--output", "json", "--quiet"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=300,
        )
    report = json.loads(done.stdout)
    summary = report["summary"]
    failures = report["results"]["failed_checks"]
    return Result(
        passed=summary["passed"],
        skipped=summary["skipped"],
        unread=summary["parsing_errors"],
        failures=tuple(f"{item['check_id']} {item['check_name']}: {item['resource']}" for item in failures),
    )


def scanner() -> Path:
    """Give the scanner, installed once for each content of the lock."""
    key = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = build.cache_root() / "tools" / f"checkov-{key}"
    binary = place / "bin/checkov"
    place.parent.mkdir(parents=True, exist_ok=True)
    with _locked(place.parent / ".checkov.lock"):
        if not (place / ".complete").exists():
            print("scan: installing checkov from requirements/checkov.txt, once", flush=True)
            shutil.rmtree(place, ignore_errors=True)
            venv.create(place, with_pip=True)
            words = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", str(LOCK)]
            subprocess.run([str(place / "bin/python"), *words], check=True, timeout=900)
            (place / ".complete").touch()
    return binary


def manifests() -> dict[str, str]:
    """Give everything that Zaum renders: the chart by helm, and what the operator makes of policies."""
    agents = {path.name: path.read_text() for path in sorted(GOLDEN.glob("*.yaml"))}
    if not any("kind: Pod\n" in text for text in agents.values()):
        raise SystemExit(f"scan: no rendered agent pod in {GOLDEN.relative_to(rendering.ROOT)}")
    few = {"scope": {"mode": "Namespace", "namespaces": ["agents"]}}
    return {"chart.yaml": rendering.template(), "chart-namespaced.yaml": rendering.template(few), **agents}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Scan; print what failed."""
    result = scan(manifests())
    for failure in result.failures:
        print(f"scan: {failure}")
    counts = f"{result.passed} passed, {len(result.failures)} failed, {result.skipped} skipped, {result.unread} unread"
    print(f"scan: checkov: {counts}")
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main())
