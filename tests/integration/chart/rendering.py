"""Render the chart as a user's helm would."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster import build

ROOT: Final = Path(__file__).resolve().parents[3]
CHART: Final = ROOT / "charts/zaum"
NAMESPACE: Final = "zaum-system"
DIGEST: Final = "sha256:" + "0123456789abcdef" * 4
DIGESTS: Final = {name: {"digest": DIGEST} for name in ("operator", "authorizer", "gateway", "ledger", "watchdog")}

Object = dict[str, Any]


class RenderError(Exception):
    """Helm refused; the message is what it said."""


def helm(*words: str, stdin: str = "") -> str:
    """Run helm; RenderError with what it printed when it fails."""
    done = subprocess.run(
        [str(build.binary("helm")), *words], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise RenderError(done.stdout + done.stderr)
    return done.stdout


def template(values: Object | None = None) -> str:
    """Give the rendered manifests, images by digest."""
    given = {"images": DIGESTS} | (values or {})
    return helm("template", "zaum", str(CHART), "-n", NAMESPACE, "-f", "-", stdin=json.dumps(given))


def objects(values: Object | None = None) -> list[Object]:
    """Give the rendered objects."""
    return [item for item in yaml.safe_load_all(template(values)) if item]


def only(items: Iterable[Object], kind: str, name: str) -> Object:
    """Give the one object of that kind and name."""
    found = [item for item in items if item["kind"] == kind and item["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind}/{name}: {len(found)} found"
    return found[0]


def pod_specs(items: Iterable[Object]) -> dict[str, Object]:
    """Give every pod template's spec by `Kind/name`."""
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["spec"]["template"]["spec"]
        for item in items
        if item["kind"] in {"Deployment", "Job"}
    }
