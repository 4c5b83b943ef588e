"""Install and remove the chart as a user would: by helm, with values."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.cluster import addresses, cluster
from tests.cluster.images import loading, recipes
from tests.cluster.world import llm
from tests.support.e2e import storage
from tests.support.e2e.api import Api, condition
from zaum_api import contract, documents

ROOT: Final = Path(__file__).resolve().parents[3]
NAMESPACE: Final = "zaum-system"
RELEASE: Final = "zaum"
COMPONENTS: Final = ("operator", "authorizer", "gateway", "ledger")
_WITHOUT_LEDGER: Final = frozenset({"ledger.enabled=false", "scope.mode=Namespace"})
READY_SECONDS: Final = 120
CHART: Final = str(ROOT / "charts/zaum")
TAKING: Final = ("--take-ownership", "--server-side=true", "--force-conflicts")
"""What tests edited by hand, and CRDs from elsewhere on a cluster that was kept, belong to the release again."""
CANARIES: Final = (f"{addresses.OUTLAW_IPV4}:443", f"[{addresses.OUTLAW_IPV6}]:443")
PRICES: Final = tuple(
    f"prices.{api}[{number}].{part}={text}"
    for api in documents.PRICED_APIS
    for number, name in enumerate(llm.MODELS)
    for part, text in (("model", name), ("input", "2.00"), ("output", "8.00"))
)
INSTALLED: Final = "ZAUM_E2E_INSTALLED"
"""Set in the environment: the chart is installed already and must be left as it is, also where something is missing."""


class InstallError(Exception):
    """Helm did not do what it was asked."""


def install(api: Api, refs: dict[str, str], *more: str) -> None:
    """Install or upgrade the chart with these images and more values, and wait until every component is available.

    Where there is a world, routes trust its authority, its outlaw is the canary, and its models have prices.
    """
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.apply(
        "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    )
    values = [*(f"{key}={value}" for key, value in recipes.chart_values(refs).items()), *storage.values(api), *more]
    authority = cluster.world_state() / "ca.crt"
    if authority.exists():
        values.append(f"routes.extraCAs={authority.read_text()}")
        values.append(f"enforcement.canaries={{{','.join(CANARIES)}}}")
        values += PRICES
    before = api.find("configmaps", NAMESPACE, "zaum-routes")
    helm("upgrade", "--install", RELEASE, CHART, "--namespace", NAMESPACE, *TAKING, *sets(values))
    if before and before["data"] != api.get("configmaps", NAMESPACE, "zaum-routes")["data"]:
        # The kubelet would bring it into running pods, a minute later.
        for pod in api.items("pods", NAMESPACE, labels=f"{contract.LABEL_COMPONENT}={contract.COMPONENT_OPERATOR}"):
            api.delete("pods", NAMESPACE, pod["metadata"]["name"])
    for name in COMPONENTS:
        if name != contract.COMPONENT_LEDGER or _WITHOUT_LEDGER.isdisjoint(more):
            available(api, f"zaum-{name}")


def upgrade(*more: str, how: Sequence[str] = TAKING) -> None:
    """Upgrade the release to the values that it has and these, and wait for nothing."""
    helm("upgrade", RELEASE, CHART, "--namespace", NAMESPACE, "--reuse-values", *how, *sets(more))


def found(api: Api) -> None:
    """Check that the release is deployed and its components are available, and change nothing; else InstallError."""
    if "STATUS: deployed" not in helm("status", RELEASE, "--namespace", NAMESPACE):
        raise InstallError(f"{INSTALLED} is set, but the release {RELEASE} is not deployed")
    for name in COMPONENTS:
        available(api, f"zaum-{name}")


def available(api: Api, deployment: str) -> None:
    """Wait until a Deployment of ours runs what its newest template says."""
    api.until(
        "deployments",
        NAMESPACE,
        deployment,
        lambda seen: (
            seen["status"].get("observedGeneration") == seen["metadata"]["generation"]
            and seen["status"].get("updatedReplicas", 0) == seen["spec"]["replicas"]
            and seen["status"].get("replicas", 0) == seen["spec"]["replicas"]
            and condition(seen, "Available").get("status") == "True"
            and seen["status"].get("readyReplicas", 0) == seen["spec"]["replicas"]
        ),
        seconds=READY_SECONDS,
        what=f"{deployment} available",
    )


def uninstall(*, seconds: int) -> str:
    """Remove the release if it is there; InstallError when helm needs longer than `seconds`. Give what helm printed."""
    bounds = ["--timeout", f"{seconds}s", "--wait", "--ignore-not-found"]
    return helm("uninstall", RELEASE, "--namespace", NAMESPACE, *bounds)


def sets(values: Iterable[str]) -> list[str]:
    """Spell values as helm's flags."""
    return [word for value in values for word in ("--set", value)]


def helm(*words: str) -> str:
    """Run helm; InstallError with what it printed when it fails."""
    done = subprocess.run(["helm", *words], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise InstallError(f"helm {words[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Install the chart with the images of this tree: for test runs beside each other, which then find it so."""
    install(Api(), loading.image_refs())
    return 0


if __name__ == "__main__":
    sys.exit(main())
