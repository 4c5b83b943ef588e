"""CRDs go with the chart: upgraded by it, taken over from an older one, kept when it goes.

The cluster's own CRDs are shared with other tests, so a small chart carries one by the product's own template.
"""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.chart import rendering
from tests.integration.chart.test_strict import on_the_cluster

CRDS = rendering.ROOT / "crds"
TEMPLATE = rendering.CHART / "templates/crds.yaml"
KEEP = {"helm.sh/resource-policy": "keep"}


def generated() -> dict[str, Any]:
    found = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("zaum.dev_*.yaml"))]
    return {crd["metadata"]["name"]: crd for crd in found}


def rendered(**crds: bool) -> dict[str, Any]:
    items = rendering.objects({"crds": crds} if crds else None)
    return {item["metadata"]["name"]: item for item in items if item["kind"] == "CustomResourceDefinition"}


def test_the_chart_renders_what_the_models_generate() -> None:
    plain = rendered(keep=False)
    assert plain == generated()
    assert len(plain) == 3
    kept = rendered()
    assert [crd["metadata"].pop("annotations") for crd in kept.values()] == [KEEP] * len(plain)
    assert kept == plain
    assert rendered(install=False) == {}


def test_rendering_them_asks_no_cluster() -> None:
    assert "lookup" not in TEMPLATE.read_text()


@dataclass
class Release:
    """A release of a small chart with one CRD, in a namespace of its own."""

    name: str
    folder: Path

    @property
    def plural(self) -> str:
        return f"{self.name}s"

    @property
    def crd(self) -> str:
        return f"{self.plural}.upgrade.test"

    def carry(self, *fields: str, where: str) -> None:
        """Write the chart's next version: the CRD with these fields, in Helm's own folder or by our template."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / where).mkdir(parents=True)
        (self.folder / "templates").mkdir()
        (self.folder / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
        (self.folder / "values.yaml").write_text("crds: {install: true, keep: true}\n")
        (self.folder / where / "probe.yaml").write_text(yaml.safe_dump(self._definition(fields)))
        if where != "crds":
            shutil.copy(TEMPLATE, self.folder / "templates")

    def helm(self, verb: str, *words: str) -> Any:
        chart = [] if verb == "uninstall" else [str(self.folder)]
        return on_the_cluster("exec", "--", "helm", verb, self.name, *chart, "-n", self.name, *words)

    def upgrade(self, *words: str) -> None:
        done = self.helm("upgrade", *words)
        assert done.returncode == 0, done.stderr

    def fields(self) -> set[str]:
        """Give the fields that the API server's CRD has; {} when it is not there."""
        done = on_the_cluster("kubectl", "--", "get", "crd", self.crd, "-o", "yaml", "--ignore-not-found")
        if not done.stdout:
            return set()
        version = yaml.safe_load(done.stdout)["spec"]["versions"][0]
        return set(version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"])

    def _definition(self, fields: tuple[str, ...]) -> dict[str, Any]:
        spec = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        }
        names = {"plural": self.plural, "singular": self.name, "kind": self.name.title()}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.crd},
            "spec": {"group": "upgrade.test", "scope": "Cluster", "names": names, "versions": [version]},
        }


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    if on_the_cluster("status").returncode != 0:
        pytest.skip("needs the local cluster, which is not up (make cluster-up)")
    made = Release(f"probe{uuid.uuid4().hex[:6]}", tmp_path / "chart")
    assert on_the_cluster("kubectl", "--", "create", "namespace", made.name).returncode == 0
    yield made
    on_the_cluster("kubectl", "--", "delete", "crd", made.crd, "--ignore-not-found")
    on_the_cluster("kubectl", "--", "delete", "namespace", made.name, "--wait=false")


def test_an_upgrade_brings_the_crd_along_and_takes_over_an_older_charts(release: Release) -> None:
    release.carry("old", where="crds")
    assert release.helm("install").returncode == 0
    instance = {"apiVersion": "upgrade.test/v1", "kind": release.name.title(), "metadata": {"name": "kept"}}
    made = on_the_cluster("kubectl", "--", "apply", "-f", "-", stdin=yaml.safe_dump(instance | {"spec": {"old": "x"}}))
    assert made.returncode == 0, made.stderr
    release.carry("old", "more", where="crds")
    release.upgrade()
    assert release.fields() == {"old"}, "the reason for all this: helm never upgrades its own folder"

    release.carry("old", "more", where="files/crds")
    refused = release.helm("upgrade")
    assert refused.returncode != 0, "a CRD that no release owns is not taken silently"
    assert "invalid ownership metadata" in refused.stderr
    release.upgrade("--take-ownership")
    assert release.fields() == {"old", "more"}
    release.carry("old", "more", "most", where="files/crds")
    release.upgrade()
    assert release.fields() == {"old", "more", "most"}, "from now on by itself"

    assert release.helm("uninstall").returncode == 0
    assert release.fields() == {"old", "more", "most"}
    listed = on_the_cluster("kubectl", "--", "get", release.plural, "-o", "name")
    assert "/kept" in listed.stdout, "and with it what users made"
    assert release.helm("install").returncode == 0, "the same release finds its CRD again"
    release.upgrade("--set", "crds.keep=false")
    assert release.helm("uninstall").returncode == 0
    assert release.fields() == set(), "the control: without keep it goes"


def test_gitops_applies_the_same_rendering(release: Release) -> None:
    release.carry("old", where="files/crds")
    text = rendering.helm("template", release.name, str(release.folder))
    command = ["apply", "--server-side", "--field-manager=gitops", "-f", "-"]
    assert on_the_cluster("kubectl", "--", *command, stdin=text).returncode == 0
    release.carry("old", "more", where="files/crds")
    text = rendering.helm("template", release.name, str(release.folder))
    assert on_the_cluster("kubectl", "--", *command, stdin=text).returncode == 0
    assert release.fields() == {"old", "more"}
