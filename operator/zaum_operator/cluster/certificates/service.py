"""The one coroutine about certificates that the replica runs which leads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prometheus_client

from zaum_api import contract
from zaum_operator.cluster.certificates import rotation
from zaum_operator.cluster.certificates.sight import Eyes, Sight
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds
from zaum_operator.core.certificates import options, trust
from zaum_operator.core.certificates.steadiness import Steadiness
from zaum_operator.core.kinds import Kind, Object

_AGENTS: Final = f"{contract.LABEL_AGENT}={contract.LABEL_AGENT_VALUE}"


class Gauges:
    """When each certificate ends; 0 for one that is not there."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self._ends = prometheus_client.Gauge(
            f"{contract.METRIC_PREFIX}operator_certificate_expiry_timestamp_seconds",
            "When the certificate ends, in seconds since the epoch; 0: there is none. Only on the replica that leads.",
            ["name"],
            registry=registry,
        )

    def show(self, sight: Sight) -> None:
        """Take in what is seen. Names are fixed: the authority that signs, and each leaf by its Secret and stem."""
        seen = sight.state()
        youngest = seen.root.youngest.until.timestamp() if seen.root else 0.0
        self._ends.labels(contract.CA_SECRET).set(youngest)
        for name, holder in seen.holders.items():
            for stem, leaf in (holder.leafs if holder else {}).items():
                self._ends.labels(f"{name}/{stem}").set(leaf.until.timestamp() if leaf else 0.0)


@dataclass
class Certificates:
    """Make and rotate where that is the operator's task; in any case notice when the authorities have changed."""

    api: Api
    clock: rotation.Time
    namespace: str
    options: options.Options
    gauges: Gauges
    changed: Callable[[], None]
    """Called when the volume shows other authorities than before: every watchdog must be told."""
    watched: tuple[str, ...] = ()
    """The namespaces with agents; empty: all."""
    _bundle: bytes | None = None
    _eyes: Eyes = field(init=False)
    _rotation: rotation.Rotation = field(init=False)

    def __post_init__(self) -> None:
        self._eyes = Eyes(Path(self.options.directory))
        self._rotation = rotation.Rotation(
            api=self.api, clock=self.clock, namespace=self.namespace, lives=self.options.lives,
            eyes=self._eyes, behind=self.behind, gauge=self.gauges.show,
        )  # fmt: skip

    async def run(self) -> None:
        """Work until cancelled. Errors of requests are handled inside; what else is raised is a fault of ours."""
        # Whoever led meanwhile may have changed things: nothing counts as settled that was seen in an earlier lead.
        self._rotation.steadiness = Steadiness()
        while True:
            wrote = await self.turn()
            await self.clock.sleep(rotation.SOON_SECONDS if wrote else rotation.LOOK_SECONDS)

    async def turn(self) -> bool:
        """Do what is due now; say whether anything was written."""
        wrote = False
        if self.options.maker is options.Maker.OPERATOR:
            wrote = await self._rotation.turn()
        else:
            self.gauges.show(self._eyes.look(at=self.clock.seconds()))
        self._notice()
        return wrote

    async def behind(self, authority: bytes) -> str:
        """Say whose watchdog has not been told of an authority."""
        pods = await self._everywhere(kinds.POD, _AGENTS)
        config_maps = await self._everywhere(kinds.CONFIG_MAP, contract.LABEL_POLICY) if pods else []
        return trust.behind(authority.decode("ascii"), config_maps, pods)

    async def _everywhere(self, kind: Kind, selector: str) -> list[Object]:
        if not self.watched:
            return await self.api.list(kind, selector=selector)
        return [obj for name in self.watched for obj in await self.api.list(kind, name, selector=selector)]

    def _notice(self) -> None:
        shown = self._eyes.shown(contract.CA_SECRET)
        if self._bundle is not None and shown != self._bundle:
            self.changed()
        self._bundle = shown
