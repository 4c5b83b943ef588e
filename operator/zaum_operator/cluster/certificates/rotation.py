"""Make, hand out, renew and retire: look, decide, write one thing, look again.

Runs in the replica that leads, and stops with its lead. Every write names the revision that it was decided on, so a
leader with an old view writes nothing. What goes wrong is logged, shown as an event at the root Secret and in the
metrics, and tried again.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, assert_never

from zaum_api import contract
from zaum_operator import errors
from zaum_operator.cluster.certificates import issue, news
from zaum_operator.cluster.certificates.sight import Eyes, Sight
from zaum_operator.cluster.port import Api
from zaum_operator.core import kinds
from zaum_operator.core.certificates import rotation, stored, view
from zaum_operator.core.certificates.steadiness import Steadiness
from zaum_operator.core.certificates.stored import Data

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
"""How often the volume is looked at: a few small files."""
SOON_SECONDS: Final = 1.0
"""The pause after a write and after a refusal."""
REFUSALS: Final = 40
"""Writes in a row that are refused as based on an old view before somebody is told: some minutes."""
STEPS_PER_TURN: Final = 16
"""More writes in one go than any state needs: a bound, so that a fault cannot flood the API server."""


class Time(Protocol):
    """What is needed of the operator's clock."""

    def now(self) -> datetime:
        """Give the wall time."""

    def seconds(self) -> float:
        """Give monotonic seconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def digits(self, count: int) -> str:
        """Give fresh hex digits."""


class OldViewError(Exception):
    """What is seen is older than what was written; it passes."""


Behind = Callable[[bytes], Awaitable[str]]
"""Says who does not have an authority (PEM) yet, in words; empty when everybody has."""


@dataclass
class Rotation:
    """The certificates of one installation."""

    api: Api
    clock: Time
    namespace: str
    lives: view.Lives
    eyes: Eyes
    behind: Behind
    gauge: Callable[[Sight], None]
    """Told what is seen at every look, for the metrics."""
    steadiness: Steadiness = field(default_factory=Steadiness)
    _trouble: str = ""
    _refusals: int = 0

    async def turn(self) -> bool:
        """Take steps until there is nothing to be done now; say whether anything was written."""
        wrote = False
        try:
            for _ in range(STEPS_PER_TURN):
                if not await self.step():
                    break
                wrote = True
            if wrote:
                await news.bring(self.api, self.namespace, self.eyes.look(at=self.clock.seconds()).state().mark)
            self._refusals = 0
            await self._tell("")
        except (errors.InvalidError, OldViewError) as error:
            await self._refused(error)
        except (errors.RequestError, issue.UnusableError) as error:
            await self._tell(f"{error}")
        return wrote

    async def _refused(self, error: Exception) -> None:
        """Ask the kubelet for a newer view: an old one is the rule after a new lead, and passes."""
        self._refusals += 1
        if self._refusals & (self._refusals - 1) == 0:  # less and less often
            await news.bring(self.api, self.namespace, (self._refusals,))
        if self._refusals >= REFUSALS:
            await self._tell(
                f"the volume at {self.eyes.directory} stays behind what is stored ({error}). "
                f"Where {contract.CA_SECRET} was put back to an older state, take its data away: "
                "a fresh authority is made, the others stay trusted"
            )

    async def step(self) -> bool:
        """Look once and take the step that is due; say whether it wrote.

        Raises RequestError, OldViewError, UnusableError.
        """
        sight = self.eyes.look(at=self.clock.seconds())
        self.gauge(sight)
        seen, now = sight.state(), self.clock.now()
        missing = await self._missing(seen, sight)
        # Where our own kubelet is late, those of gateway and authorizer may be: the time to settle starts with ours.
        everywhere = not missing and not self.eyes.waiting
        self.steadiness = self.steadiness.seen(seen.mark, complete=everywhere, now=now)
        step = rotation.decide(seen, now=now, lives=self.lives, steady=self.steadiness.since)
        match step:
            case rotation.MakeAuthority(revision, keep):
                await self._make(sight, revision, keep)
            case rotation.HandOut(holder):
                await self._write(sight, holder, self._copy(sight))
                logger.info(
                    "certificates: %s has the bundle of %d authorities",
                    holder,
                    len(seen.root.bundle if seen.root else ()),
                )
            case rotation.Sign(holders, why):
                for holder in holders:
                    await self._sign(sight, holder, why)
            case rotation.Retire():
                await self._retire(sight, seen)
            case rotation.LookAgain():
                raise OldViewError("another Secret was made from a later authority than is seen")
            case rotation.Rest(_, waiting):
                if waiting and missing:
                    logger.info("certificates: waiting for %s; %s", waiting, missing)
                return False
            case _:
                assert_never(step)
        return True

    async def _missing(self, seen: view.View, sight: Sight) -> str:
        """Ask who lacks the youngest authority, only while leafs wait for that: it is the one costly question."""
        if seen.root is None or not rotation.in_rotation(seen):
            return ""
        return await self.behind(sight.pem(seen.root.youngest.mark))

    async def _make(self, sight: Sight, revision: int, keep: tuple[view.Authority, ...]) -> None:
        fresh = issue.authority(now=self.clock.now(), life=self.lives.authority)
        kept = b"".join(sight.pem(authority.mark) for authority in keep)
        await self._write_root(sight, revision, kept + fresh.certificate, fresh)
        logger.info("certificates: made an authority; %d more are trusted", len(keep))

    async def _retire(self, sight: Sight, seen: view.View) -> None:
        assert seen.root is not None
        left = seen.root.youngest.mark
        await self._write_root(sight, seen.root.revision + 1, sight.pem(left), sight.signer())
        logger.info("certificates: %d authorities left the bundle", len(seen.root.bundle) - 1)

    async def _write_root(self, sight: Sight, revision: int, bundle: bytes, signer: issue.Pair) -> None:
        body = {stored.BUNDLE: bundle, stored.CERTIFICATE: signer.certificate, stored.KEY: signer.key}
        await self._write(sight, contract.CA_SECRET, body, revision=revision)

    async def _sign(self, sight: Sight, holder: str, why: str) -> None:
        now, files = self.clock.now(), dict(self._copy(sight))
        for wanted in stored.HOLDERS[holder]:
            pair = issue.leaf(wanted, sight.signer(), now=now, life=self.lives.leaf)
            files |= {f"{wanted.stem}.crt": pair.certificate, f"{wanted.stem}.key": pair.key}
        await self._write(sight, holder, files)
        logger.info("certificates: signed the leafs of %s: %s", holder, why)

    def _copy(self, sight: Sight) -> Data:
        revision = str(sight.revision(contract.CA_SECRET)).encode("ascii")
        return {stored.BUNDLE: sight.bundle(), stored.ROOT: revision}

    async def _write(self, sight: Sight, name: str, data: Data, *, revision: int = 0) -> None:
        """Write on top of what was seen and remember the answer. InvalidError: somebody else wrote since."""
        seen = sight.revision(name)
        body = {**data, stored.REVISION: str(max(revision, seen + 1)).encode("ascii")}
        *tried, last = stored.patches(seen=seen, data=body)
        answer = None
        for patch in tried:
            try:
                answer = await self.api.json_patch(kinds.SECRET, self.namespace, name, patch)
                break
            except errors.InvalidError:
                continue  # its test does not hold: the next form is tried
        if answer is None:
            answer = await self.api.json_patch(kinds.SECRET, self.namespace, name, last)
        self.eyes.wrote(name, stored.decoded(answer.get("data") or {}, name=name), at=self.clock.seconds())

    async def _tell(self, trouble: str) -> None:
        """Log a change of what is wrong, and leave an event where an administrator looks."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            logger.warning("certificates: not renewed, tried again: %s", trouble)
            await news.complain(self.api, self.namespace, trouble, now=self.clock.now(), suffix=self.clock.digits(10))
        else:
            logger.info("certificates: all is well again")
