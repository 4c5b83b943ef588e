"""Fill and rotate the Secret of session keys: look, decide, write. Runs in the replica that leads.

A write that fails is tried again at every look. It shows in the metrics at once, and as an event at the Secret when it
goes on: without keys every hop to the gateway is TLS, which costs more and breaks nothing.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import prometheus_client

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.certificates import news
from zaum_operator.cluster.certificates.rotation import Time
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds
from zaum_operator.core.certificates import session_keys
from zaum_operator.core.certificates.session_keys import Seen

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
REMEMBER_SECONDS: Final = 300.0
"""After this the volume is believed again, also where it is behind what was written."""
KEY_DIGITS: Final = 64
TELL_SECONDS: Final = 60.0
"""An old view and a short outage pass by themselves; what lasts longer is told to people."""
AGAIN_SECONDS: Final = 1800.0
"""An API server forgets events after an hour."""


class Gauges:
    """What an administrator can watch; only on the replica that leads."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        prefix = f"{contract.METRIC_PREFIX}operator_session_keys_"
        self._made = prometheus_client.Gauge(
            f"{prefix}made_timestamp_seconds",
            "When the session keys in use were made, in seconds since the epoch; 0: there are none.",
            registry=registry,
        )
        self._unwritten = prometheus_client.Gauge(
            f"{prefix}unwritten", "1 while keys are due and cannot be written.", registry=registry
        )

    def show(self, seen: Seen, trouble: str) -> None:
        """Take in what is seen and what is wrong."""
        self._made.set(seen.made)
        self._unwritten.set(bool(trouble))


@dataclass
class SessionKeys:
    """The master keys of one installation; `directory` is the operator's volume, with a directory per Secret."""

    api: Api
    clock: Time
    namespace: str
    directory: Path
    gauges: Gauges
    _wrote: tuple[Seen, float] | None = None
    _trouble: str = ""
    _since: float = 0.0
    """When the trouble began."""
    _told: float | None = None
    """When an event said so last."""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.turn()
            await self.clock.sleep(LOOK_SECONDS)

    async def turn(self) -> bool:
        """Do what is due now; say whether anything was written. Refused and failed requests are tried again."""
        seen, now = self._look(), int(self.clock.now().timestamp())
        if not session_keys.due(seen, now=now):
            await self._tell(seen, "")
            return False
        try:
            await self._write(seen, now)
        except errors.RequestError as error:
            # Mostly an old view: the volume of a new leader is behind. Its kubelet is asked to look.
            await news.bring(self.api, self.namespace, (seen.revision, now))
            await self._tell(seen, f"{error}")
            return False
        await news.bring(self.api, self.namespace, (seen.revision + 1, now))
        logger.info("session keys: wrote revision %d", seen.revision + 1)
        await self._tell(Seen(seen.revision + 1, now), "")
        return True

    async def _write(self, seen: Seen, now: int) -> None:
        key, spare = self.clock.digits(KEY_DIGITS), self.clock.digits(KEY_DIGITS)
        *tried, last = session_keys.patches(seen, now=now, key=key, spare=spare)
        for patch in tried:
            try:
                await self.api.json_patch(kinds.SECRET, self.namespace, contract.SESSION_SECRET, patch)
                break
            except errors.InvalidError:
                continue  # its test does not hold: the next form is tried
        else:
            await self.api.json_patch(kinds.SECRET, self.namespace, contract.SESSION_SECRET, last)
        self._wrote = (Seen(seen.revision + 1, now), self.clock.seconds())

    def _look(self) -> Seen:
        shown = Seen.read({name: self._content(name) for name in session_keys.SHOWN})
        if self._wrote is not None:
            seen, at = self._wrote
            if shown.revision < seen.revision and self.clock.seconds() - at < REMEMBER_SECONDS:
                return seen
            self._wrote = None
        return shown

    def _content(self, name: str) -> bytes:
        try:
            return (self.directory / contract.SESSION_SECRET / name).read_bytes()
        except OSError:
            return b""

    async def _tell(self, seen: Seen, trouble: str) -> None:
        """Show what is wrong: in the metrics now, in the log once, as an event when it stays."""
        self.gauges.show(seen, trouble)
        before, self._trouble = self._trouble, trouble
        now = self.clock.seconds()
        if not trouble:
            self._told = None
            return
        if not before:
            self._since = now
        message = (
            f"session keys: not written, tried again: {trouble}. Where this stays, take the data of the Secret "
            f"{contract.SESSION_SECRET} away: fresh keys are made, and watchdogs ask for new sessions"
        )
        if trouble != before:
            logger.warning("%s", message)
        if now - self._since >= TELL_SECONDS and (self._told is None or now - self._told >= AGAIN_SECONDS):
            self._told = now
            await news.complain(
                self.api, self.namespace, message, now=self.clock.now(), suffix=self.clock.digits(10),
                about=contract.SESSION_SECRET, reason="SessionKeysNotWritten",
            )  # fmt: skip
