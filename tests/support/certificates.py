"""One installation's certificates over a simulated API server; the test plays the kubelet and moves the clock."""

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import prometheus_client

from tests.support.apiserver import ApiServer
from tests.support.volume import Volume
from tests.support.world import HandClock
from zaum_operator.cluster.certificates.rotation import Time
from zaum_operator.cluster.certificates.service import Certificates, Gauges
from zaum_operator.core import kinds
from zaum_operator.core.certificates import options, stored
from zaum_operator.core.kinds import Object

NAMESPACE = "zaum-system"
DAY = 86400.0


class Replica:
    """One operator with its own volume."""

    def __init__(self, api: ApiServer, clock: Time, directory: Path, **environment: str) -> None:
        self.api = api
        self.clock = clock
        self.volume = Volume(directory)
        self.registry = prometheus_client.CollectorRegistry()
        self.told = 0
        self._told_by = options.read({**environment, "ZAUM_CERTIFICATES_DIR": str(directory)})
        self.restart()

    def restart(self) -> None:
        """Forget everything that is not in the volume."""
        self.registry = prometheus_client.CollectorRegistry()
        self.certificates = Certificates(
            api=self.api, clock=self.clock, namespace=NAMESPACE, options=self._told_by,
            gauges=Gauges(self.registry), changed=self._changed,
        )  # fmt: skip

    def sync(self) -> None:
        """Play the kubelet: bring what the chart's projection names."""
        shown = {
            f"{name}/{key}": base64.b64decode(value)
            for name, keys in stored.SHOWN.items()
            for key, value in self.api.objects["secrets", NAMESPACE, name].get("data", {}).items()
            if key in keys
        }
        self.volume.write(shown)

    def turn(self) -> bool:
        """Let it do what is due; say whether it wrote."""
        return asyncio.run(self.certificates.turn())

    def metric(self, name: str) -> float | None:
        return self.registry.get_sample_value(
            "zaum_operator_certificate_expiry_timestamp_seconds", {"name": name}
        )  # fmt: skip

    def _changed(self) -> None:
        self.told += 1


@dataclass
class Rig:
    """The Secrets as the chart makes them, and two replicas."""

    directory: Path
    api: ApiServer = field(default_factory=ApiServer)
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        for name in stored.SHOWN:
            self.api.put(kinds.SECRET, {"metadata": {"name": name, "namespace": NAMESPACE}, "type": "Opaque"})
        self.one, self.other = (Replica(self.api, self.clock, self.directory / part) for part in ("one", "other"))

    def data(self, name: str) -> dict[str, bytes]:
        found = self.api.objects["secrets", NAMESPACE, name].get("data") or {}
        return {key: base64.b64decode(value) for key, value in found.items()}

    def pass_time(self, seconds: float, *, sync: bool = True) -> None:
        """Move the clock; the kubelets bring what is stored."""
        self.clock.at += timedelta(seconds=seconds)
        if sync:
            for replica in (self.one, self.other):
                replica.sync()

    def calm(self, replica: Replica, *, minutes: int = 30) -> None:
        """Let a replica work until the present change has settled everywhere."""
        for _ in range(minutes):
            self.pass_time(60)
            replica.turn()

    def put_pod(self, name: str, **metadata: Object) -> None:
        body = {"metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/name": "zaum"}}}
        body["metadata"] |= metadata
        self.api.put(kinds.POD, body)
