"""What this pod may use of its policy's limits, for all that asks: reserved before it is used, and settled after.

Whoever asks says how much of which meters, and is answered at once or, where the ledger may have more, a little later:
when it has answered, or when PATIENCE is over. A document that says nothing of limits but the policy's requests and
connections (all before v4) is not metered here: `on` is False, everything is granted, and `core.rate` holds the rate.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from zaum_api import contract, documents
from zaum_egress import hosts
from zaum_watchdog.core import policy, refusals, routes
from zaum_watchdog.core.limits import recent, reservations, shares
from zaum_watchdog.shell import clock

SECOND: Final = recent.SECOND
WAITING_MOST: Final = 1024
"""Calls that wait for the ledger at the same time; more are refused at once."""
LASTS: Final = 600 * SECOND
"""How long a reservation lasts for which nobody names an end."""
_SPARING: Final = 8
"""Which part of what is there one connection takes at a time, while the ledger does not answer."""
Uses = tuple[tuple[str, int], ...]
"""Meters by name, each with its place among _KINDS."""
Answered = Callable[[refusals.Refusal | None], None]
"""Is told None where all is reserved, else why it is not. In the mode Report the caller may go on: see `reported`."""


@dataclass(slots=True)
class _Waiting:
    """A call in the line."""

    amounts: Mapping[str, int]
    answered: Answered
    at: hosts.Authority | None
    until: int
    patience: asyncio.TimerHandle
    last: reservations.Refused


class Flow(Protocol):
    """What holds reserved bytes; see `shell.flow`."""

    def rest(self, now: int) -> None:
        """Give back what is not used."""


class Limits:
    """Holds the books; one for the whole process."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, first: policy.Policy, *, ordinal: int, connections: Callable[[], int]
    ) -> None:
        """Take which of its policy's pods this is, and what counts the connections that are open."""
        self._loop = loop
        self._policy = first
        self.ordinal = ordinal
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._retrying = False
        self._lent = 0
        self._divided = 1
        self._heard = False
        self._ids: dict[str, documents.Meter] = {}
        self._routed: dict[tuple[str, str], Uses] = {}
        """What `_named` gave by host and route, of the document in force."""
        self._told: dict[tuple[str, str], tuple[str, ...]] = {}
        """Their names alone."""
        self._lots: dict[tuple[str, str], tuple[reservations.Lot, tuple[str, ...]]] = {}
        """The meters themselves, and their names."""
        self._place: shares.Place | None = None
        self._connections = connections
        self.flows: set[Flow] = set()
        """Those that hold a piece."""
        self.books: reservations.Books | None = None
        self.ask_ledger: Callable[[], None] = lambda: None
        """Called when an answer of the ledger is waited for."""
        self.unanswered = False
        """The ledger has not answered the last time."""
        self.tokens = 0
        self.cost = 0
        """What was settled since the start, in tokens and in micro-dollars: whoever settles adds to them."""
        self.adopt(first)

    @property
    def on(self) -> bool:
        """Say whether the policy in force is metered here."""
        return self.books is not None

    @property
    def waiting(self) -> int:
        """Count the calls that wait for the ledger."""
        return len(self._waiting)

    # What calls do.

    def number(self) -> int:
        """Give a call its number, which no other call has had."""
        return next(self._numbers)

    def uses(self, host: str, *, route: str) -> Uses:
        """Name the meters that a request by a route counts for, for `charged`."""
        return self._named(host, route)

    def amounts(self, host: str, *, route: str = "", tokens: int = 0, cost: int = 0) -> dict[str, int]:
        """Give what one request to a host, by a route or none, uses by meter: itself, tokens, micro-dollars.

        It counts for the policy, for its route, and for each entry of the hosts that names its host. A place among the
        connections is in it, which is only looked at: it is held for as long as the watch counts it. A request on a
        route is counted there before it asks, a tunnel after.
        """
        if self.books is None:
            return {}
        uses = 1, tokens, tokens, cost
        found = {name: uses[kind] for name, kind in self._named(host, route) if uses[kind]}
        found[_PLACES] = 0 if route else 1
        return found

    def _named(self, host: str, route: str) -> Uses:
        """Name the meters of one request, each with its place among _KINDS."""
        known = self._routed.get((host, route))
        if known is not None:
            return known
        scopes = [documents.POLICY, *([f"route/{route}"] if route else ()), *_hosts(host)]
        found = tuple(
            (name, place)
            for scope in scopes
            for place, kind in enumerate(_KINDS)
            if (name := scope + kind) in self._ids
        )
        if route:  # There are few routes, but hosts without end.
            self._routed[host, route] = found
        return found

    def byte_meters(self, host: str, kind: documents.Kind) -> tuple[str, ...]:
        """Name the meters of one way's bytes to or from a host."""
        if self.books is None:
            return ()
        word = f":{kind.value}/{documents.Window.HOUR.value}"
        return tuple(name for scope in (documents.POLICY, *_hosts(host)) if (name := scope + word) in self._ids)

    def piece(self, names: Iterable[str], size: int) -> int:
        """Give how much of some meters may be asked for at once: a size, but no more than there ever is; at least 1.

        While the ledger does not answer it is as little as makes sense, of what this pod keeps for that.
        """
        size = min(size, documents.synced.BYTES_LEAST) if self.unanswered else size
        return max(1, min([size, *(self._ids[name].limit for name in names)]))

    def take(self, call: int, names: tuple[str, ...], size: int, *, until: int) -> int:
        """Reserve at once up to a size of each of some budgets, of what this pod holds; give how much it is."""
        if self.books is None:
            return size
        now = clock.monotonic()
        there = min((self.books.available(name, now) for name in names), default=size)
        if self.unanswered:  # What there is is for many, until more comes.
            size = min(size, max(documents.synced.BYTES_LEAST, there // _SPARING))
        size = min(size, there)
        if size <= 0:
            return 0
        found = self.books.reserve(call, dict.fromkeys(names, size), now=now, until=until)
        return size if isinstance(found, reservations.Reservation) else 0

    def limited(self, *, route: str) -> bool:
        """Say whether tokens or cost are limited for what goes by a route."""
        kinds = _TOKENS_MINUTE, _TOKENS_DAY, _COST
        return any(scope + kind in self._ids for scope in (documents.POLICY, f"route/{route}") for kind in kinds)

    def reserve(
        self,
        call: int,
        amounts: Mapping[str, int],
        answered: Answered,
        *,
        at: hosts.Authority | None = None,
        until: int = 0,
    ) -> None:
        """Reserve all of it or nothing, and tell `answered` once: now, or within PATIENCE, unless the call gives up.

        `call`: from `number`, used once. `at`: where it leads, for the refusal. `until`: monotonic nanoseconds; a
        reservation that has not been settled by then is charged whole.
        """
        until = until or clock.monotonic() + LASTS
        found = self._try(call, amounts, until)
        if found is None:
            answered(None)
        elif not self._may_wait(found) or len(self._waiting) >= WAITING_MOST:
            answered(self._refusal(found, amounts, at))
        else:
            assert self.books is not None
            self.books.wait(call, amounts)
            patience = self._loop.call_later(reservations.PATIENCE / 1e9, self._over, call)
            self._waiting[call] = _Waiting(amounts, answered, at, until, patience, found)
            self.ask_ledger()

    def reserve_at_once(self, route: routes.Route, *, tokens: int, cost: int, lasts: int) -> int:
        """Reserve for a new call of a model, for `lasts` nanoseconds at most, and give its number.

        0: nothing has happened, and it is to be asked for by `reserve`.
        """
        books = self.books
        if books is None:
            return 0
        lot, _ = self._lots.get((route.authority.host.name, route.config.name)) or self._lot(books, route)
        if lot.places:
            self.count()
        call, now = next(self._numbers), clock.monotonic()
        found = books.reserve_at_once(call, lot, tokens=tokens, cost=cost, now=now, until=now + lasts)
        return call if found else 0

    def _lot(self, books: reservations.Books, route: routes.Route) -> tuple[reservations.Lot, tuple[str, ...]]:
        """Look up a route's meters, until the next document."""
        key = route.authority.host.name, route.config.name
        names = tuple(name for name, _ in self._named(*key))
        found = self._lots[key] = books.lot((*names, _PLACES)), names
        return found

    def lines_at_once(self, route: routes.Route) -> list[bytes]:
        """Write the RateLimit headers of a route, as `lines` does."""
        books = self.books
        if books is None:
            return []
        _, names = self._lots.get((route.authority.host.name, route.config.name)) or self._lot(books, route)
        return books.lines(names, clock.monotonic())

    def settle(self, call: int, used: Mapping[str, int] | None = None) -> bool:
        """Charge what a call used, of a meter that is not named all that was reserved; False: it held nothing."""
        return self.books is not None and self.books.settle(call, used or {}, clock.monotonic())

    def settle_at_once(self, call: int, *, tokens: int, cost: int) -> None:
        """Charge what a call used that `reserve_at_once` gave its number, unless it is charged already; count it."""
        if self.books is not None:
            self.books.settle_at_once(call, tokens=tokens, cost=cost, now=clock.monotonic())
        self.tokens += tokens
        self.cost += cost

    def unmet(self, refused: refusals.Refusal) -> None:
        """Take word that nobody asks for less than what was refused: the ledger judges by it what a budget is."""
        if self.books is None or refused.rule is contract.Rule.LEDGER_UNAVAILABLE:
            return
        if self.books.refuse(refused.meter, refused.wanted, clock.monotonic()):
            self.ask_ledger()

    def give_up(self, call: int) -> None:
        """Wait no longer; nothing is told any more. Of a call that does not wait, nothing happens."""
        waiting = self._waiting.pop(call, None)
        if waiting is not None:
            waiting.patience.cancel()
            if self.books is not None:
                self.books.give_up(call)

    def reported(self, refused: refusals.Refusal) -> bool:
        """Say whether this refusal is only counted, because the mode is Report."""
        return self._policy.reports and refused.rule in policy.WOULD_DENY

    def lines(self, host: str, *, route: str) -> list[bytes]:
        """Write the RateLimit headers: how all meters stand that a request to a host by a route counts for."""
        if self.books is None:
            return []
        names = self._told.get((host, route))
        if names is None:
            names = self._told[host, route] = tuple(name for name, _ in self._named(host, route))
        return self.books.lines(names, clock.monotonic())

    # What the ledger's client and the watch do.

    def adopt(self, changed: policy.Policy) -> None:
        """Follow a document."""
        config, now = changed.config, clock.monotonic()
        self._policy = changed
        self._routed, self._told, self._lots = {}, {}, {}
        place = shares.Place(config.limits.replicas, self.ordinal)
        if config.limits == documents.Limits() and config.ledger is None:
            self.books, self._ids, self._place = None, {}, None
            self.retry()
            return
        meters = {meter.id: meter for meter in config.meters}
        if self.books is None:
            self.books = reservations.Books(config.meters, place, now)
        elif (meters, place) != (self._ids, self._place):
            self.books.retune(config.meters, place, now)
        self._ids, self._place = meters, place
        self.books.throttle(self._divided)
        if config.ledger is None:
            self.books.alone(now)
        self.retry()

    def hear(self, synced: documents.Synced, *, returned: tuple[str, ...], sent: int) -> None:
        """Follow an answer of the ledger, and answer those who waited for it."""
        if self.books is not None:
            self.books.hear(synced, returned=returned, sent=sent, now=clock.monotonic())
            self._heard = True
            self.retry()

    def throttle(self, divided: int) -> None:
        """Divide the tokens of a minute by that, whatever documents and answers follow; 1 takes it back."""
        self._divided = divided
        if self.books is not None:
            self.books.throttle(divided)
        if divided == 1:
            self.retry()

    def lost(self) -> None:
        """Take word that the ledger does not know the session."""
        self._heard = False
        if self.books is not None:
            self.books.lost()

    def retry(self) -> None:
        """Try again for all who wait, in the order in which they came."""
        if self._retrying:
            return
        self._retrying = True
        try:
            for call in [*self._waiting]:
                self._again(call)
        finally:
            self._retrying = False
        if self._waiting:
            self.ask_ledger()

    def _again(self, call: int) -> None:
        waiting = self._waiting.get(call)
        if waiting is None:
            return
        found = self._try(call, waiting.amounts, waiting.until)
        if found is not None and self._may_wait(found):
            waiting.last = found
            return
        self.give_up(call)
        waiting.answered(None if found is None else self._refusal(found, waiting.amounts, waiting.at))

    def _over(self, call: int) -> None:
        waiting = self._waiting[call]
        found = self._try(call, waiting.amounts, waiting.until)  # A rate may have come back by itself.
        self.give_up(call)
        waiting.answered(None if found is None else self._refusal(found, waiting.amounts, waiting.at))

    def _try(self, call: int, amounts: Mapping[str, int], until: int) -> reservations.Refused | None:
        if self.books is None:
            return None
        now = clock.monotonic()
        self.count()
        found = self.books.reserve(call, amounts, now=now, until=until)
        if isinstance(found, reservations.Reservation):
            return None
        if found.meter.shared_by_shares and self._policy.config.limits.replicas > 1 and now >= self._lent:
            self._lent = now + SECOND
            self.ask_ledger()  # Other pods may not need theirs.
        return found

    def count(self) -> None:
        """Say in the books how many connections are open."""
        if self.books is not None and self.books.places:
            held = self._connections()
            for places in self.books.places.values():
                places.held = held

    def excess(self, now: int) -> int:
        """Give how many connections are open beyond this pod's share: of what was lent and is no more."""
        if self.books is None or self._policy.reports:
            return 0
        held = self._connections()
        return max((held - places.bounds.amount.at(now) for places in self.books.places.values()), default=0)

    def expire(self, now: int) -> None:
        """Charge what is past its deadline, and give back what is not used."""
        for held in [*self.flows]:
            held.rest(now)
        if self.books is not None:
            self.books.expire(now)

    def _may_wait(self, refused: reservations.Refused) -> bool:
        """Say whether the ledger's next answer may change it: it lends, or says what pods before this one have left."""
        if self._policy.config.ledger is None or (self.unanswered and self._policy.reports):
            return False
        return refused.leased or (refused.meter.shared_by_shares and not self._heard and refused.meter.limit > 0)

    def _refusal(
        self, refused: reservations.Refused, amounts: Mapping[str, int], at: hosts.Authority | None
    ) -> refusals.Refusal:
        meter, rule = refused.meter, refused.rule
        if rule is contract.Rule.LEDGER_UNAVAILABLE:
            message = f"nothing is leased of {meter.id}, and the ledger does not answer"
        else:
            message = f"over {meter.limit} {_WORDS[meter.kind.value]} of {meter.id}; {refused.left} are left"
        name, port = (at.host.name, at.port) if at is not None else ("", 0)
        wait = refused.wait or (SECOND if rule is contract.Rule.LEDGER_UNAVAILABLE else 0)
        return refusals.Refusal(
            rule, message, _would_allow(meter, rule), name, port, wait, meter=meter.id, left=refused.left,
            wanted=amounts.get(meter.id, 0),
        )  # fmt: skip


_CONNECTIONS: Final = ":connections/now"
_REQUESTS: Final = ":requests/minute"
_TOKENS_MINUTE: Final = ":tokens/minute"
_TOKENS_DAY: Final = ":tokens/day"
_COST: Final = ":cost/day"
_KINDS: Final = (_REQUESTS, _TOKENS_MINUTE, _TOKENS_DAY, _COST)
_PLACES: Final = documents.POLICY + _CONNECTIONS
_WORDS: Final = {
    "requests": "requests",
    "connections": "connections",
    "bytesOut": "bytes out",
    "bytesIn": "bytes in",
    "tokens": "tokens",
    "cost": "micro-dollars",
}


def charged(uses: Uses, *, tokens: int, cost: int) -> dict[str, int]:
    """Give what a request is charged by meter, also of those of which it used nothing."""
    used = 1, tokens, tokens, cost
    return {name: used[kind] for name, kind in uses}


def _hosts(name: str) -> tuple[str, str]:
    """Name the scopes of the entries that may name a host: its own, and the one with a star."""
    return f"host/{name}", f"host/{hosts.WILDCARD}{name.partition('.')[2]}"


def _would_allow(meter: documents.Meter, rule: contract.Rule) -> str:
    if rule is contract.Rule.LEDGER_UNAVAILABLE:
        return "the ledger, once it answers again"
    word, _, name = meter.scope.partition("/")
    where = {"route": f"spec.egress.routes[name={name}]", "host": f"spec.egress.hosts[host={name}]"}.get(word, "spec")
    return f"waiting for the window to move on, or a larger {where}.{rule.value}"
