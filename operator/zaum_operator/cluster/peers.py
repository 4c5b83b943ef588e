"""The pods of one of our components that the operator asks things of: where they are, and whether they answer."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import prometheus_client

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds, peers
from zaum_operator.core.kinds import Object

logger = logging.getLogger(__name__)


@dataclass
class Peers:
    """Up to `most` of them, None for all. `polls` counts answers; `gives` says in the log what they are asked for."""

    api: Api
    namespace: str
    component: str
    gives: str
    polls: prometheus_client.Counter
    most: int | None = None
    which: Callable[[Iterable[Object], str], tuple[str, ...]] = peers.addresses
    addresses: tuple[str, ...] = ()
    _problems: dict[str, str] = field(default_factory=dict)
    """What was said last of each one that does not answer; said again only when it changes."""

    async def look(self) -> bool:
        """Look for the pods. While the API server does not answer (False), those of before are asked."""
        try:
            selector = f"{contract.LABEL_COMPONENT}={self.component}"
            pods = await self.api.list(kinds.POD, self.namespace, selector=selector)
        except errors.RequestError as error:
            logger.info("pods of the component %s could not be looked for: %s", self.component, error)
            return False
        self.addresses = self.which(pods, self.component)[: self.most]
        self._problems = {address: text for address, text in self._problems.items() if address in self.addresses}
        return True

    def failed(self, address: str, error: Exception) -> None:
        """Count an answer that did not come, or could not be read."""
        self.polls.labels("failed").inc()
        if self._problems.get(address) != str(error):
            logger.warning("the %s at %s gives no %s: %s", self.component, address, self.gives, error)
        self._problems[address] = str(error)

    def answered(self, address: str) -> None:
        """Count an answer."""
        self.polls.labels("done").inc()
        if self._problems.pop(address, None) is not None:
            logger.info("the %s at %s gives %s again", self.component, address, self.gives)
