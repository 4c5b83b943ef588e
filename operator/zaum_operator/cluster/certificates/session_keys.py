"""Fill and rotate the Secret of session keys: look, decide, write. Runs in the replica that leads."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


@dataclass
class SessionKeys:
    """The master keys of one installation; `directory` is the operator's volume, with a directory per Secret."""

    api: Api
    clock: Time
    namespace: str
    directory: Path
    _wrote: tuple[Seen, float] | None = None
    _trouble: str = ""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.turn()
            await self.clock.sleep(LOOK_SECONDS)

    async def turn(self) -> bool:
        """Do what is due now; say whether anything was written. Refused and failed requests are tried again."""
        seen, now = self._look(), int(self.clock.now().timestamp())
        if not session_keys.due(seen, now=now):
            self._tell("")
            return False
        try:
            await self._write(seen, now)
        except errors.RequestError as error:
            # Mostly an old view: the volume of a new leader is behind. Its kubelet is asked to look.
            await news.bring(self.api, self.namespace, (seen.revision, now))
            self._tell(f"{error}")
            return False
        await news.bring(self.api, self.namespace, (seen.revision + 1, now))
        logger.info("session keys: wrote revision %d", seen.revision + 1)
        self._tell("")
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

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning(
                "session keys: not written, tried again: %s. Where this stays, take the data of the Secret %s away: "
                "fresh keys are made, and watchdogs ask for new sessions", trouble, contract.SESSION_SECRET
            )  # fmt: skip
        self._trouble = trouble
