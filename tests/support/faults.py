"""Between the operator and the simulated API server: everything that can go wrong on that way, by dice."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.apiserver import ApiServer
from tests.support.world import World
from zaum_operator import errors
from zaum_operator.core.kinds import Kind, Object

ERRORS: tuple[Callable[[str], errors.RequestError], ...] = (
    lambda request: errors.UnavailableError(request, 500, "etcdserver: request timed out"),
    lambda request: errors.UnavailableError(request, 0, "TimeoutError"),
    lambda request: errors.OverloadedError(request, 429, "too many requests", 1.0),
    lambda request: errors.ConflictError(request, 409, "the object has been modified"),
    lambda request: errors.UnauthenticatedError(request, 401, "Unauthorized"),
    lambda request: errors.ExpiredError(request, 410, "the continue token is too old"),
)
WRITES = {"apply", "apply_status", "create", "merge", "delete"}


@dataclass
class Faults:
    """An API server behind a bad line. An answer may be lost although the request was carried out."""

    api: ApiServer
    dice: random.Random
    rate: float = 0.15
    happened: int = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.api, name)
        if name not in WRITES | {"list", "listing", "get"}:
            return found

        async def call(*arguments: Any, **more: Any) -> Any:
            if self.dice.random() < self.rate:
                self.happened += 1
                carried_out = name in WRITES and self.dice.random() < 0.4
                if carried_out:
                    await found(*arguments, **more)
                raise self.dice.choice(ERRORS[:2] if carried_out else ERRORS)(name)
            return await found(*arguments, **more)

        return call


@dataclass
class BadWatches:
    """Watches that lose, double, hold back and reorder what they show."""

    world: World
    dice: random.Random
    rate: float = 0.3
    held: list[tuple[str, Kind, Object, Object | None]] = field(default_factory=list)
    happened: int = 0

    def on_event(self, event: str, kind: Kind, obj: Object, before: Object | None) -> None:
        """Take the place of the world's own watches."""
        said = (event, kind, obj, before)
        if self.dice.random() >= self.rate:
            self.world.on_event(*said)
            return
        self.happened += 1
        match self.dice.randrange(3):
            case 0:
                self.held.append(said)
            case 1:
                self.world.on_event(*said)
                self.held.append(said)
            case _:
                pass  # lost

    def let_go(self) -> None:
        """Show what was held back, in any order."""
        self.dice.shuffle(self.held)
        for said in self.held:
            self.world.on_event(*said)
        self.held.clear()
